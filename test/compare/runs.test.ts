/** Real runs compared: the numbers are those that their draws' table gives by the textbook. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { compareModels } from '../../src/compare/compare.js';
import { compareRuns } from '../../src/compare/compare-runs.js';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { parseResets } from '../../src/resets/parse.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { sweep } from '../../src/sweep/sweep.js';
import { example } from '../fixtures.js';

const layers = ['conv1', 'layer3.2.conv2', 'fc'];

async function run(file: string, out: string, options: SweepOptions = {}) {
  const model = await loadModel(example(file));
  const images = await openImages(example('images.npz'), { ...modelInput(model), images: 160 });
  await sweep(model, images, { layers, out, threads: 2, ...options });
  await images.close();
}

/** Criticality of a layer's draws, in percent; each has eight images. */
function drawsOf(out: string, layer: string): number[] {
  const [head, ...rows] = readFileSync(join(out, 'draws.csv'), 'utf8').trim().split('\n');
  const [layerAt, cosineAt] = ['layer', 'cosine'].map((name) => head!.split(',').indexOf(name));
  return rows
    .map((row) => row.split(','))
    .filter((row) => row[layerAt!] === layer)
    .map((row) => 100 * (1 - Number(row[cosineAt!])));
}

t.test('models with the same images and draws are compared slice by slice', async (t) => {
  const dir = t.testdir({});
  const [trained, fresh] = [join(dir, 'trained'), join(dir, 'fresh')];
  await run('resnet.onnx', trained);
  await run('resnet-init.onnx', fresh);
  const { differences, baseline } = await compareRuns([trained, fresh], { baseline: 'resnet' });
  t.equal(baseline, 'resnet');
  t.equal(differences.length, 3);
  for (const { layer, difference, statistic, test, freedom, sameDraws, p, pHolm, low, high } of differences) {
    const [before, after] = [drawsOf(trained, layer), drawsOf(fresh, layer)];
    const each = after.map((value, i) => value - before[i]!);
    const mean = each.reduce((sum, value) => sum + value, 0) / each.length;
    const variance = each.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (each.length - 1);
    t.match({ test, freedom, sameDraws }, { test: 'paired', freedom: 19, sameDraws: true });
    t.ok(Math.abs(difference! - mean) < 1e-6, layer);
    t.ok(Math.abs(statistic! / (mean / Math.sqrt(variance / each.length)) - 1) < 1e-6, layer);
    t.ok(low! < difference! && difference! < high! && p! <= pHolm!);
  }
  const sizes = differences.map(({ difference }) => Math.abs(difference!));
  t.strictSame(
    sizes,
    sizes.toSorted((a, b) => b - a),
    'the most different first',
  );
});

t.test('draws of different shapes or schemes have nothing in common', async (t) => {
  const group = (sum: number) => ({ count: 8, sum, sumSquares: sum ** 2 });
  const modelOf = (id: string, images: string, drawn: string) => ({
    ...{ id, source: id, category: null, attributes: {}, notes: [] },
    shared: { images, design: '[8]', draws: '[0]' },
    layers: ['fc', 'conv1'].map((layer, i) => ({
      ...{ layer, reset: 'random', mean: 10 + i, isDestroyed: false, drawn },
      numbers: {
        kind: 'slices' as const,
        slices: new Map([1, 2, 3, 4].map((slice) => [slice, group(slice * id.length + i)] as const)),
        isRandom: true,
      },
    })),
  });
  const testOf = (images: string, drawn: string) =>
    compareModels([modelOf('a', 'x', '4x4'), modelOf('bb', images, drawn)]).differences[0];
  t.match(testOf('y', '4x4'), { test: 'paired', sameDraws: true });
  t.match(testOf('y', '8x4'), { test: 'welch-slices', sameDraws: false });
  t.match(testOf('x', '8x4'), { test: 'paired', sameDraws: false });
});

t.test('a model that lacks layers, or has none in common, leaves the others compared', async (t) => {
  const dir = t.testdir({});
  const [a, b, few, other] = ['a', 'b', 'few', 'other'].map((name) => join(dir, name)) as [
    ...[string, string, string, string],
  ];
  await run('resnet.onnx', a);
  await run('resnet-init.onnx', b);
  await run('resnet-init.onnx', few, { layers: ['fc', 'layer1.0.conv1'] });
  await run('resnet-init.onnx', other, { layers: ['layer2.0.conv1'] });
  const found = await compareRuns([a, b, few, other], { baseline: 'resnet' });
  const layersOf = (id: string) =>
    found.differences
      .filter(({ model }) => model === id)
      .map(({ layer }) => layer)
      .sort();
  t.strictSame([layersOf('b'), layersOf('few'), layersOf('other')], [[...layers].sort(), ['fc'], []]);
  t.strictSame(
    found.models.map(({ model }) => model),
    ['resnet', 'b', 'few'],
  );
  t.match(found.notes.join('\n'), /left out, .*baseline: other\n.*the other 1: .*conv1 \(random\)/);
  const resnet = found.models[0]!.criticality.random!;
  t.ok(Math.abs(resnet - found.differences.find(({ layer }) => layer === 'fc')!.baselineMean!) < 1e-9);
});

t.test('what cannot be compared is one error that names it', async (t) => {
  const dir = t.testdir({});
  await run('resnet.onnx', join(dir, 'a'));
  const refused = (sources: string[], baseline: string | undefined, message: RegExp) =>
    t.rejects(compareRuns(sources, { ...(baseline && { baseline }) }), { name: 'CritmapError', message });
  await refused([join(dir, 'a')], undefined, /one model|two|another/i);
  await refused([join(dir, 'none'), join(dir, 'a')], undefined, /none/);
});

t.test('runs that ask another question, or draw from another seed, get a note', async (t) => {
  const dir = t.testdir({});
  const swept = async (name: string, options: SweepOptions = {}) => {
    const out = join(dir, name);
    await run('resnet.onnx', out, { layers: ['layer1.0.conv1', 'fc'], ...options });
    return out;
  };
  const model = await loadModel(example('resnet.onnx'));
  const base = await swept('base');
  const notesOf = async (...others: string[]) => (await compareRuns([base, ...others])).notes;
  t.strictSame(await notesOf(await swept('same')), []);
  const other = 'than the baseline, so that a difference is of model and question together';
  for (const [option, options, found] of [
    ['--norm', { norm: 'reset' }, 'reset'],
    ['--parts', { parts: 'weight' }, 'weight'],
    ['--init', { init: 'xavier-normal' }, 'xavier-normal'],
    ['--group', { group: '(fc)|layer1.*' }, '(fc)|layer1.*'],
  ] as const) {
    const out = await swept(option.slice(2), options);
    t.strictSame(await notesOf(out), [
      `swept with another ${option} ${other}: ${option.slice(2)} (${found})`,
    ]);
  }
  const both = await swept('both', { resets: await parseResets(['random', 'zero'], model) });
  t.match((await notesOf(both)).join('\n'), `swept with another --reset ${other}: both`);
  t.strictSame(await notesOf(await swept('seed', { seed: 1 })), [
    'swept with another --seed than the baseline, so that draws are no pairs: seed (1)',
  ]);
  const [zero, late] = [
    await swept('zero', { resets: await parseResets(['zero'], model) }),
    await swept('late', { resets: await parseResets(['zero'], model), seed: 1 }),
  ];
  t.strictSame((await compareRuns([zero, late])).notes, [], 'what draws nothing has no seed');
});

t.test('what is noted of several models is said once', async (t) => {
  const dir = t.testdir({});
  const [a, b, c] = ['a', 'b', 'c'].map((name) => join(dir, name)) as [string, string, string];
  await run('resnet.onnx', a, { layers: ['fc'], tolerance: 45 });
  await run('resnet-init.onnx', b, { layers: ['fc'], tolerance: 45 });
  await run('resnet-init.onnx', c, { layers: ['fc'] });
  const stopped = async (paths: string[]) =>
    (await compareRuns(paths)).notes.filter((note) => note.includes('--tolerance'));
  t.match(await stopped([a, b]), [/^all models: layers stopped as soon as they were known/]);
  t.match(await stopped([a, b, c]), [/^resnet, b: layers stopped/]);
  t.match(await stopped([a, c]), [/^resnet: layers stopped/]);
});
