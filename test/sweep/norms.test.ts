/** Sweeps of norms, of parts of fused layers, and of layers with the norms behind them: results, shards, identity. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  loadModel,
  mergeRuns,
  modelInput,
  openImages,
  parseResets,
  readRun,
  readStudy,
  sweep,
} from '../../src/index.js';
import { withTargets } from '../../src/model/targets.js';
import { costsOfSweeps } from '../../src/study/costs.js';
import { predictCost } from '../../src/sweep/cost.js';
import { openPartRunner } from '../../src/sweep/part-runner.js';
import { verifyRun } from '../../src/sweep/verify.js';
import { example, fixture } from '../fixtures.js';

const opened = async (name: string) => {
  const model = await loadModel(fixture(`cascades/${name}.onnx`));
  const images = await openImages('synthetic:24', modelInput(model, 32));
  t.teardown(() => images.close());
  return { model, images };
};
const { model, images } = await opened('vit');
const resnet = await opened('resnet');
const names = ({ layers }: { layers: readonly { layer: string }[] }) => layers.map(({ layer }) => layer);
const inFirst = ['blocks.0.norm1', 'blocks.0.attn.qkv.q', 'blocks.0.attn.qkv.k', 'blocks.0.attn.qkv.v'];
const both = { include: 'norm', splitQkv: true } as const;

t.test('norms and parts have rows of their own in every file', async (t) => {
  const out = join(t.testdir({}), 'run');
  // The name of the whole stands for its parts.
  const options = { ...both, layers: ['blocks.0.norm1', 'blocks.0.attn.qkv'], trials: 3 };
  const { summary } = await sweep(model, images, { out, ...options });
  t.strictSame(names(summary), inFirst);
  t.match(summary.options, both);
  const [norm, q] = summary.layers;
  t.match(norm, { op: 'LayerNormalization', shape: [16], parameters: 32, init: 'as a fresh norm', draws: 1 });
  t.match(norm!.criticality, { interval: 'images', sdDraws: null }, 'a norm starts the same every time');
  t.match(q, { op: 'MatMul', shape: [16, 16], parameters: 272, draws: 3, init: 'trunc-normal(0.02) bias 0' });
  t.equal(norm!.passes, 24);
  t.equal(q!.passes, 72);
  for (const file of ['summary.csv', 'results.csv', 'draws.csv']) {
    const text = readFileSync(join(out, file), 'utf8');
    for (const name of inFirst) t.match(text, name, `${name} in ${file}`);
  }
  const run = await readRun(out);
  const verified = await verifyRun(
    { info: run.info, journal: join(out, 'cells.ndjson') },
    model,
    images,
    await parseResets(['random'], model),
    {
      cells: 8,
      threads: 2,
    },
  );
  t.ok(verified.isSame && verified.draws.length === 8);

  await t.rejects(
    sweep(model, images, { out, ...options, splitQkv: false }),
    /include|splitQkv|other options|qkv/,
  );
  await t.rejects(sweep(model, images, { out, ...options, norm: 'with-layer' }), { code: 'ERR_RUN' });
});

t.test('shards and queues compute what one run does', async (t) => {
  const dir = t.testdir({});
  const options = { ...both, layers: ['blocks.0.*'], batch: 8 };
  await sweep(model, images, { ...options, out: join(dir, 'whole') });
  const shards = [1, 2].map((index) => join(dir, `shard-${index}`));
  for (const [i, out] of shards.entries())
    await sweep(model, images, { ...options, out, shard: { index: i + 1, of: 2 } });
  await mergeRuns(shards, join(dir, 'merged'));
  const read = (run: string) => readFileSync(join(dir, run, 'summary.json'), 'utf8');
  t.equal(read('merged'), read('whole'));
  const runner = await openPartRunner(model, images, options);
  t.strictSame(
    runner.targets.map(({ layer }) => layer),
    JSON.parse(read('whole')).layers.map(({ layer }: { layer: string }) => layer),
  );
  await runner.close();
  const cost = await predictCost(model, images, { include: 'norm' });
  t.equal(cost.layers, 15);
});

t.test('what is fused on the way to norms is the same in shards as in one run', async (t) => {
  const dir = t.testdir({});
  const demo = await loadModel(example('resnet.onnx'));
  const some = await openImages(example('images.npz'), { ...modelInput(demo), images: 16 });
  t.teardown(() => some.close());
  const options = { include: 'norm', layers: ['layer1.0.*'] } as const;
  await sweep(demo, some, { ...options, out: join(dir, 'whole') });
  const shards = [1, 2].map((index) => join(dir, `${index}`));
  for (const [i, out] of shards.entries())
    await sweep(demo, some, { ...options, out, shard: { index: i + 1, of: 2 } });
  const warnings: string[] = [];
  await mergeRuns(shards, join(dir, 'merged'), { onWarning: (one) => warnings.push(one) });
  t.notMatch(warnings.join('\n'), /differ in them/, 'the untouched model, which both have, neither');
  const read = (run: string) => readFileSync(join(dir, run, 'summary.json'), 'utf8');
  t.equal(read('merged'), read('whole'));
});

t.test('a layer with its norm is one row, which says so', async (t) => {
  const layers = ['conv1', 'fc'];
  const { summary } = await sweep(resnet.model, resnet.images, { layers, norm: 'with-layer' });
  t.match(summary.layers, [
    {
      layer: 'conv1',
      op: 'Conv+BatchNormalization',
      members: ['conv1', 'bn1'],
      parameters: 64 * 3 * 49 + 128,
    },
    { layer: 'fc', op: 'Gemm' },
  ]);
  const kept = await sweep(resnet.model, resnet.images, { layers, norm: 'reset' });
  const means = (of: typeof summary) => of.layers.map(({ criticality }) => criticality.mean!);
  for (const [i, mean] of means(summary).entries())
    t.ok(
      Math.abs(mean - means(kept.summary)[i]!) < 1e-3,
      'drawn at random, its norm is fresh, as with reset',
    );
  const { warnings } = await sweep(model, images, { layers: ['head'], norm: 'with-layer' });
  t.match(warnings.join('\n'), /--norm with-layer changes nothing/);
  const idle = withTargets(model, { norm: 'reset' });
  t.match(idle.warnings.join('\n'), /--norm reset changes nothing, since no layer has a BatchNorm behind it/);
  t.notMatch(withTargets(resnet.model, { norm: 'reset' }).warnings.join('\n'), /changes nothing/);
});

t.test('a norm is not reset by two rules at once', async (t) => {
  const twice = { include: 'norm', norm: 'reset' } as const;
  const refusal = { code: 'ERR_OPTION', message: /--norm reset does not go with --include norm/ };
  await t.rejects(sweep(resnet.model, resnet.images, twice), refusal);
  await t.rejects(predictCost(resnet.model, resnet.images, twice), refusal);
  await t.rejects(openPartRunner(resnet.model, resnet.images, twice), refusal);
  const dir = t.testdir({
    'study.yaml': JSON.stringify({
      models: [{ id: 'resnet', model: fixture('cascades/resnet.onnx') }],
      data: { some: 'synthetic:8' },
      defaults: { ...twice, images: 8 },
    }),
  });
  const study = await readStudy(join(dir, 'study.yaml'));
  const [cost] = await costsOfSweeps(study.sweeps);
  t.match(cost, refusal);
});

t.test('what is not there is said', async (t) => {
  const folded = await loadModel(fixture('bottleneck.folded.onnx'));
  t.throws(() => withTargets(folded, { include: 'norm' }), {
    code: 'ERR_OPTION',
    message: /--include norm: .*bottleneck\.folded\.onnx: .*folded into convolutions cannot be seen/,
  });
  t.throws(() => withTargets(resnet.model, { splitQkv: true }), /--split-qkv: .*no layer that gives queries/);
  const quantised = { include: 'norm', resets: await parseResets(['quantize=int8'], resnet.model) } as const;
  await t.rejects(sweep(resnet.model, resnet.images, quantised), {
    code: 'ERR_RESET',
    message: /--reset quantize=int8 leaves a norm such as bn1 as it is/,
  });
  const zero = { include: 'norm', layers: ['bn1'], init: ['bn1.weight=zero'] } as const;
  const { summary } = await sweep(resnet.model, resnet.images, zero);
  t.equal(summary.layers[0]!.init, 'zero bias 0', "an init for norms, as timm's residual networks have");
  await t.rejects(
    sweep(resnet.model, resnet.images, { ...zero, init: 'bn1=normal:1' }),
    /a norm starts with zero/,
  );
});
