/** Sweeps of layers that are reset together: results, shards, interruptions, and what is made of a run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  loadModel,
  mergeRuns,
  modelInput,
  openImages,
  pickLayers,
  pickText,
  readRun,
  sweep,
} from '../../src/index.js';
import { layerTable } from '../../src/report/table.js';
import { predictCost } from '../../src/sweep/cost.js';
import { example } from '../fixtures.js';

const model = await loadModel(example('resnet.onnx'));
const images = await openImages(example('images.npz'), { ...modelInput(model), images: 40 });
t.teardown(() => images.close());
const layers = ['layer3.1.*', 'layer3.2.*', 'fc'];
const read = (out: string, file: string) => readFileSync(join(out, file), 'utf8');

t.test(
  'every cell of a cascade has the draws of the single layers, and its name in every file',
  async (t) => {
    const out = join(t.testdir({}), 'run');
    const { summary } = await sweep(model, images, { out, layers, group: 'cumulative-from-output' });
    const names = summary.layers.map(({ layer }) => layer);
    t.strictSame(names, [
      'fc',
      'from layer3.2.conv2',
      'from layer3.2.conv1',
      'from layer3.1.conv2',
      'from layer3.1.conv1',
    ]);
    t.strictSame(summary.layers.at(1), {
      ...summary.layers.at(1)!,
      ...{ op: 'Conv+Gemm', shape: [], groups: 1, parameters: 20_736 + 490, depth: 16 / 17 },
      members: ['layer3.2.conv2', 'fc'],
    });
    t.equal(summary.options.group, 'cumulative-from-output');
    const alone = await sweep(model, images, { layers: ['layer3.2.conv2', 'fc'] });
    const fc = alone.summary.layers.at(-1)!;
    t.strictSame(summary.layers[0], fc, 'the first step is the layer alone, draw by draw');
    t.notOk('members' in fc || 'group' in alone.summary.options, 'layers alone are told as ever');

    const fixed = { layers, resets: [{ kind: 'zero', label: 'zero' }] } as const;
    const [forth, back] = await Promise.all(
      (['cumulative-from-output', 'cumulative-from-input'] as const).map((group) =>
        sweep(model, images, { ...fixed, group }),
      ),
    );
    const [a, b] = [forth!, back!].map(({ summary }) => summary.layers.at(-1)!);
    t.equal(a!.criticality.mean, b!.criticality.mean, 'both cascades end with all layers reset');
    const { summary: end } = await sweep(model, images, { ...fixed, group: 'all' });
    t.strictSame(
      end.layers.map(({ layer, criticality }) => [layer, criticality.mean]),
      [['all', a!.criticality.mean]],
      'which is what all of them at once are',
    );
    const independent = await sweep(model, images, { layers: ['fc'], group: 'independent' });
    t.strictSame(independent.summary, (await sweep(model, images, { layers: ['fc'] })).summary);
    t.equal(a!.change, 1);

    for (const file of ['summary.csv', 'results.csv', 'draws.csv'])
      t.match(read(out, file), 'from layer3.1.conv2', file);
    t.match(
      layerTable(summary, { color: false }),
      /reset together +op .*\n.*fc +Gemm .*\n.*from layer3\.2\.conv2 +Conv\+Gemm +– /,
    );
    const run = await readRun(out);
    t.strictSame(run.layers, names);
    t.throws(() => pickLayers(run, { below: 50 }), /"fc" was reset with several groups of layers/);
  },
);

t.test('shards of groups merge to the bytes of one run, which goes on where it was stopped', async (t) => {
  const dir = t.testdir({});
  const [whole, merged] = [join(dir, 'whole'), join(dir, 'merged')];
  const options = { layers, group: 'layer(\\d)\\.(\\d)' };
  const stop = new AbortController();
  const first = { ...options, out: whole, onProgress: () => stop.abort(), signal: stop.signal, batch: 4 };
  await t.rejects(sweep(model, images, first));
  await sweep(model, images, { ...options, out: whole, batch: 4 });
  const shards = [1, 2].map((index) => join(dir, `shard-${index}`));
  for (const [i, out] of shards.entries()) {
    await sweep(model, images, { ...options, out, shard: { index: i + 1, of: 2 }, batch: 4 });
  }
  await mergeRuns(shards, merged);
  for (const file of ['summary.json', 'summary.csv', 'results.csv', 'draws.csv'])
    t.equal(read(merged, file), read(whole, file), file);

  const picked = pickLayers(await readRun(whole), { below: 99.9 });
  t.match(picked, { groups: true, swept: 3 });
  const block = picked.layers.find(({ layer }) => layer === 'layer3.2')!;
  t.strictSame(block.members, ['layer3.2.conv1', 'layer3.2.conv2']);
  t.equal(block.parameters, 2 * 20_736);
  t.equal(block.macs, 2 * 20_736 * 49);
  t.match(
    pickText(picked, 'torch'),
    /groups of layers of resnet(.|\n)*"layer3\.2\.conv1",\n +"layer3\.2\.conv2",/,
  );
});

t.test('a run of one grouping is not gone on with in another', async (t) => {
  const out = join(t.testdir({}), 'run');
  await sweep(model, images, { out, layers: ['fc'], group: 'cumulative-from-input' });
  await t.rejects(sweep(model, images, { out, layers: ['fc'] }), { code: 'ERR_RUN', message: /group/ });
});

t.test('weights or biases alone: what has none of them is left out with the reason', async (t) => {
  const out = join(t.testdir({}), 'run');
  const { summary } = await sweep(model, images, { out, layers: ['layer3.2.*', 'fc'], parts: 'bias' });
  t.match(summary.layers, [{ layer: 'fc', parameters: 10 }]);
  t.equal(summary.options.parts, 'bias');
  t.strictSame(
    summary.leftOut?.map(({ name, why }) => `${name}: ${why}`),
    ['layer3.2.conv1', 'layer3.2.conv2'].map((name) => `${name}: it has no bias of its own (--parts bias)`),
  );
  const weights = await sweep(model, images, { layers: ['fc'], parts: 'weight' });
  t.match(weights.summary, { layers: [{ layer: 'fc', parameters: 480 }] });
  await t.rejects(sweep(model, images, { out, layers: ['layer3.2.*', 'fc'] }), {
    code: 'ERR_RUN',
    message: /parts/,
  });
  await t.rejects(
    sweep(model, images, { layers: ['conv1'], parts: 'bias' }),
    /none of the 1 chosen layers has a bias/,
  );
});

t.test('what groups cost is predicted: a cascade from the input begins there each time', async (t) => {
  const costOf = async (group: string) => (await predictCost(model, images, { group, threads: 1 })).macs;
  const [alone, block, forth, back] = [
    await costOf('layer'),
    await costOf('block'),
    await costOf('cumulative-from-output'),
    await costOf('cumulative-from-input'),
  ] as [number, number, number, number];
  // Where two branches meet, a reset of both computes both.
  t.ok(forth >= alone && forth < 1.1 * alone, `${forth} for ${alone}`);
  t.ok(block < alone);
  t.ok(back > 1.5 * forth, `${back} for ${forth}`);
});
