import t from 'tap';
import { planCells, selectLayers } from '../../src/design/cells.js';
import { CritmapError } from '../../src/errors.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import type { Reset } from '../../src/resets/kinds.js';
import { resetKey } from '../../src/resets/parameter-resets.js';
import { parseReset } from '../../src/resets/parse.js';
import { fixture } from '../fixtures.js';

const model: Model = await loadModel(fixture('bottleneck.onnx'));
const select = (include: string[], exclude: string[] = []) =>
  selectLayers(model.layers, include, exclude).map(({ name }) => name);

t.test('layers are chosen by globs over whole names, where * also spans dots', async (t) => {
  t.equal(select([]).length, model.layers.length, 'no glob means all');
  t.strictSame(select(['fc']), ['fc']);
  t.ok(select(['layer1.*']).includes('layer1.0.conv1'));
  t.notOk(select(['layer1.*']).includes('fc'));
  t.strictSame(select(['*conv3', 'fc']), ['layer1.0.conv3', 'layer1.1.conv3', 'fc'], 'in graph order');
  t.strictSame(select(['layer1.{0,1}.conv2']), ['layer1.0.conv2', 'layer1.1.conv2']);
  t.notOk(select([], ['fc']).includes('fc'));
  t.strictSame(select(['layer1.0.*'], ['*conv*']), ['layer1.0.downsample.0']);
});

t.test('a glob that matches nothing is refused with the nearest names', async (t) => {
  const refused = (work: () => unknown): string => {
    try {
      work();
      return 'accepted';
    } catch (error) {
      t.ok(error instanceof CritmapError && error.code === 'ERR_OPTION');
      return (error as Error).message;
    }
  };
  t.match(
    refused(() => select(['layer1.0.conv9'])),
    /nearest are layer1\.0\.conv[123]/,
  );
  // Only what is written in front of the star is wrong, not the length of the names behind it.
  t.match(
    refused(() => select(['layr*'])),
    /--layers layr\* matches none of the \d+ layers; the nearest are layer1\.0\.conv1, layer1\.0\.conv2, /,
  );
  t.match(
    refused(() => select(['layer1'])),
    /nearest are layer1\.0\.conv1, /,
  );
  t.match(
    refused(() => select([], ['head'])),
    /--exclude head matches none/,
  );
  t.match(
    refused(() => select(['fc'], ['*'])),
    /leaves no layer/,
  );
  t.match(
    refused(() => select(['!(x'])),
    /matches none/,
  );
});

t.test('a name that holds glob characters still matches itself', async (t) => {
  const odd = [{ ...(model.layers[0] as (typeof model.layers)[0]), name: 'blocks[0]/conv(1)' }];
  t.equal(selectLayers(odd, ['blocks[0]/conv(1)']).length, 1);
  t.equal(selectLayers(odd, ['blocks*']).length, 1, '* spans slashes');
});

t.test('cells go by layer, reset and trial; a reset without randomness has one trial', async (t) => {
  const layers = model.layers.slice(0, 2);
  const resets: Reset[] = [
    { kind: 'random', label: 'random' },
    { kind: 'zero', label: 'zero' },
  ];
  const cells = planCells(layers, resets, 2);
  t.strictSame(
    cells.map(({ layer, reset, trial }) => `${layer.name} ${reset.label} ${trial}`),
    ['conv1', 'layer1.0.conv1'].flatMap((name) => [`${name} random 0`, `${name} random 1`, `${name} zero 0`]),
  );
  t.strictSame(
    cells.map(({ index }) => index),
    [0, 1, 2, 3, 4, 5],
  );
});

t.test('every form of --reset is understood', async (t) => {
  for (const label of ['random', 'zero', 'shuffle'] as const) {
    t.strictSame(await parseReset(label), { kind: label, label });
  }
  t.strictSame(await parseReset('constant=-1.5'), { kind: 'constant', label: 'constant=-1.5', value: -1.5 });
  t.strictSame(await parseReset('noise=0.1'), { kind: 'noise', label: 'noise=0.1', sigma: 0.1 });
  const donor = await parseReset(`donor=${fixture('bottleneck-donor.onnx')}`);
  t.match(donor, { kind: 'interpolate', alpha: 0 });
  const between = await parseReset(`interpolate=${fixture('bottleneck-donor.onnx')}@0.25`);
  t.match(between, { kind: 'interpolate', alpha: 0.25 });
  t.match(await parseReset('noise=0'), { sigma: 0 });
  for (const grid of ['int8', 'int4', 'fp8'] as const) {
    const label = `quantize=${grid}`;
    t.strictSame(await parseReset(label), { kind: 'quantize', label, grid });
  }
  for (const kind of ['prune', 'prune-channels', 'lowrank'] as const) {
    t.strictSame(await parseReset(`${kind}=0.5`), { kind, label: `${kind}=0.5`, fraction: 0.5 });
  }
});

t.test('anything else is refused with the forms there are', async (t) => {
  for (const text of [
    '',
    'ones',
    'zero=1',
    'constant',
    'constant=',
    'constant=x',
    'noise=-1',
    'quantize',
    'quantize=int2',
    'prune',
    'prune=-0.1',
    'prune-channels=1.01',
    'lowrank=x',
    'donor',
    'interpolate=f',
    'interpolate=@0.5',
    'interpolate=f@x',
  ]) {
    const message = await parseReset(text).then(
      () => 'accepted',
      (error: Error) => error.message,
    );
    t.match(message, /the forms are random, zero/, text);
  }
  await t.rejects(parseReset('donor=missing.onnx'), { code: 'ERR_MODEL' });
});

t.test('a key depends on seed, layer, parameter and trial, and on nothing else', async (t) => {
  // Python: int.from_bytes(sha256(b'critmap\x000\x00conv1\x00weight\x000').digest()[:8], 'little')
  t.equal(resetKey(0, 'conv1', 'weight', 0), 10506462226645618506n);
  const keys = new Set([
    resetKey(0, 'conv1', 'weight', 0),
    resetKey(1, 'conv1', 'weight', 0),
    resetKey(0, 'conv2', 'weight', 0),
    resetKey(0, 'conv1', 'bias', 0),
    resetKey(0, 'conv1', 'weight', 1),
  ]);
  t.equal(keys.size, 5);
});
