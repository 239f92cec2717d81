/**
 * What is told of layers without a sweep, against PyTorch and scipy (`oracle/make_predictor_golden.py`); beside a run's
 * criticality; and what is refused.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openImages } from '../../src/images/index.js';
import { cosines, spansOf } from '../../src/measures/influence.js';
import { predictorsCsv } from '../../src/measures/predictor-csv.js';
import { type PredictorOptions, predictors } from '../../src/measures/predictors.js';
import { stableRank } from '../../src/measures/stable-rank.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { readOnnx, writeOnnx } from '../../src/onnx/file.js';
import { pickLayers } from '../../src/pick/pick.js';
import { parseResets } from '../../src/resets/parse.js';
import { readRun } from '../../src/run/read-run.js';
import { correlationInterval, pearson, spearman } from '../../src/statistics/correlation.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { sweep } from '../../src/sweep/sweep.js';
import { example, fixture } from '../fixtures.js';

type Numbers = Record<string, number>;
interface Golden {
  networks: Record<
    string,
    {
      influence: Record<string, number | null>;
      stableRank: Numbers;
      parameterShare: Numbers;
      macShare?: Numbers;
    }
  >;
  change: Numbers;
  correlation: { x: number[]; y: number[]; spearman: number[]; pearson: number[] };
}
const golden: Golden = JSON.parse(readFileSync(fixture('predictors.json'), 'utf8'));

const isNear = (found: number, wanted: number, by: number) =>
  Math.abs(found - wanted) <= by * Math.max(1, Math.abs(wanted));

for (const [name, wanted] of Object.entries(golden.networks)) {
  t.test(`${name}: layers and blocks have PyTorch's and scipy's numbers`, async (t) => {
    const isExample = name === 'example';
    const model = await loadModel(isExample ? example('resnet.onnx') : fixture(`trained/${name}.onnx`));
    const images = await openImages(isExample ? example('images.npz') : fixture('trained/images.npz'), {
      ...modelInput(model),
      ...(isExample ? { images: 20 } : { mean: [0.286], std: [0.353] }),
    });
    const layers = await predictors(model, { images });
    const blocks = await predictors(model, { images, group: 'block' });
    await images.close();
    t.same(layers.rows.map(({ layer }) => layer).sort(), Object.keys(wanted.stableRank).sort());
    const measured = [...layers.rows, ...blocks.rows];
    for (const { layer, blockInfluence, stableRank, parameterShare, macShare } of measured) {
      const influence = wanted.influence[layer];
      if (influence === null || influence === undefined) t.equal(blockInfluence, null, layer);
      else t.ok(isNear(blockInfluence!, influence, 1e-5), `${layer}: ${blockInfluence}, not ${influence}`);
      if (!(layer in wanted.stableRank)) continue;
      t.ok(isNear(stableRank!, wanted.stableRank[layer]!, 1e-6), `${layer}: ${stableRank}`);
      t.ok(isNear(parameterShare, wanted.parameterShare[layer]!, 1e-8), `${layer}: ${parameterShare}`);
      if (wanted.macShare) t.ok(isNear(macShare!, wanted.macShare[layer]!, 1e-8), `${layer}: ${macShare}`);
      else t.ok(macShare! > 0);
    }
    const known = Object.keys(wanted.influence).filter((layer) => wanted.influence[layer] !== null);
    t.ok(
      known.every((layer) => measured.some((row) => row.layer === layer)),
      'all blocks and layers of one shape are there',
    );
    const whole = blocks.rows.reduce((sum, row) => sum + row.parameterShare, 0);
    t.ok(isNear(whole, 100, 1e-9));
  });
}

t.test('beside a run: its rows, its criticality, and rank correlations', async (t) => {
  const model = await loadModel(example('resnet.onnx'));
  const donor = await loadModel(example('resnet-init.onnx'));
  const out = join(t.testdir({}), 'run');
  const images = await openImages(example('images.npz'), { ...modelInput(model), images: 16 });
  const group = 'cumulative-from-output';
  await sweep(model, images, { out, layers: ['conv1', 'layer2.0.downsample.0', 'layer3*', 'fc'] });
  const run = await readRun(out);
  const found = await predictors(model, { run, donor });
  t.same(
    found.rows.map(({ layer }) => layer),
    run.layers,
  );
  for (const row of found.rows) {
    const { criticality } = run.summary.layers.find(({ layer }) => layer === row.layer)!;
    t.equal(row.criticality, criticality.mean);
    t.equal(row.criticalityHigh, criticality.high);
    const change = golden.change[row.layer];
    if (change !== undefined)
      t.ok(isNear(row.relativeChange!, change, 1e-6), `${row.layer}: ${row.relativeChange}`);
  }
  const [influence, change] = found.correlations as [
    (typeof found.correlations)[0],
    (typeof found.correlations)[0],
  ];
  t.match(influence, { predictor: 'blockInfluence', rows: 0, rho: null, low: null, p: null });
  const rows = found.rows.map(({ relativeChange, criticality }) => [relativeChange!, criticality!] as const);
  const rho = spearman(
    rows.map(([x]) => x),
    rows.map(([, y]) => y),
  )!.coefficient;
  const [low, high] = correlationInterval('spearman', rho, rows.length)!;
  t.match(change, { predictor: 'relativeChange', rows: rows.length, rho, low, high });
  const lines = predictorsCsv(found).trim().split('\n');
  t.equal(
    lines[0],
    'model,layer,block_influence,relative_change,stable_rank,parameter_share,mac_share,criticality,criticality_low,criticality_high',
  );
  t.equal(lines.length, 1 + found.rows.length);
  t.match(lines[1], /^resnet,conv1,,1\.39/, 'what was not asked for is an empty field');

  const refused = (options: PredictorOptions, message: RegExp, code = 'ERR_OPTION') =>
    t.rejects(predictors(model, options), { code, message });
  await refused(
    { run, group },
    /the rows are those of the run; leave out --layers, --exclude and --group, or --run/,
  );
  await refused({ run, reset: 'zero' }, /the run has no reset "zero"; it has random/);
  await refused({ reset: 'zero' }, /--reset says which of a run; give --run DIR too/);
  await refused(
    { donor: await loadModel(fixture('vit.onnx')) },
    /vit\.onnx does not fit conv1: .*it must be the same architecture/,
    'ERR_RESET',
  );
  await t.rejects(predictors(donor, { run }), {
    code: 'ERR_OPTION',
    message: /the run is of resnet \([0-9a-f]{12}\), and .*resnet-init\.onnx is another model/,
  });
  await t.rejects(predictors(model, { run: {} as never }), { name: 'TypeError', message: /readRun/ });
  await t.rejects(predictors(model, { trials: 3 } as never), {
    name: 'TypeError',
    message: /no option "trials"; it has images/,
  });
  await images.close();
});

t.test('a run of norms and parts of fused weights has its rows', async (t) => {
  const model = await loadModel(fixture('activations/vit.onnx'));
  const images = await openImages(fixture('activations/images.npy'), modelInput(model));
  const dir = t.testdir({});
  const ranOf = async (name: string, options: SweepOptions) => {
    const out = join(dir, name);
    await sweep(model, images, { out, imagesPerDraw: 'all', layers: ['blocks.0.*'], ...options });
    return readRun(out);
  };
  const run = await ranOf('run', { include: 'norm', splitQkv: true });
  const grouped = await ranOf('blocks', { include: 'norm', splitQkv: true, group: 'block' });
  const { rows } = await predictors(model, { run, images, donor: model });
  const { rows: blocks } = await predictors(model, { run: grouped, images });
  const plain = (await predictors(model, { images, group: 'block', layers: ['blocks.0.*'] })).rows;
  await images.close();
  t.strictSame(
    rows.map(({ layer }) => layer),
    run.layers,
  );
  const of = (name: string) => rows.find(({ layer }) => layer === `blocks.0.${name}`)!;
  t.match(of('norm1'), { blockInfluence: null, relativeChange: 0, stableRank: null, macShare: 0 });
  t.match(of('attn.qkv.q'), {
    blockInfluence: null,
    relativeChange: 0,
    stableRank: Number,
    macShare: Number,
  });
  t.equal(of('attn.qkv.q').macShare, of('attn.qkv.k').macShare);
  t.ok(of('mlp.fc1').stableRank! > 1);
  t.equal(blocks[0]!.blockInfluence, plain[0]!.blockInfluence, 'a block is what it was');
  t.ok(blocks[0]!.stableRank! > 1);
});

t.test('a run of layers with their norms has its rows, and shares of all that it resets', async (t) => {
  const model = await loadModel(example('resnet.onnx'));
  const images = await openImages(example('images.npz'), { ...modelInput(model), images: 8 });
  const dir = t.testdir({});
  const ranOf = async (name: string, options: SweepOptions) => {
    await sweep(model, images, { out: join(dir, name), ...options });
    return readRun(join(dir, name));
  };
  const run = await ranOf('with', { norm: 'with-layer' });
  const { rows } = await predictors(model, { run, images, donor: model });
  const plain = (await predictors(model, { images })).rows;
  const part = await ranOf('both', { norm: 'with-layer', include: 'norm', layers: ['conv1', 'bn1'] });
  const both = (await predictors(model, { run: part, images })).rows;
  await images.close();
  t.strictSame(
    rows.map(({ layer }) => layer),
    run.layers,
  );
  for (const key of ['blockInfluence', 'stableRank', 'macShare'] as const) {
    t.strictSame(
      rows.map((row) => row[key]),
      plain.map((row) => row[key]),
      `${key} is the layer's own`,
    );
  }
  t.ok(rows.filter(({ blockInfluence }) => blockInfluence !== null).length > 5);
  t.ok(rows.every(({ relativeChange }) => relativeChange === 0));
  t.ok(
    isNear(
      rows.reduce((sum, row) => sum + row.parameterShare, 0),
      100,
      1e-9,
    ),
  );
  t.strictSame(
    both.map(({ layer, stableRank }) => [layer, stableRank]),
    [
      ['conv1', plain[0]!.stableRank],
      ['bn1', null],
    ],
  );
  t.equal(both[0]!.parameterShare, rows[0]!.parameterShare);
  const picked = pickLayers(run, { above: 0 }).parameters;
  t.match(picked, { of: run.summary.layers.reduce((sum, { parameters }) => sum + parameters, 0) });
  t.ok(picked.share! <= 1);
});

t.test('of a graph that is fixed to a batch every image counts, once', async (t) => {
  t.strictSame(
    [...spansOf(23, 12)],
    [
      [0, 12],
      [12, 18],
      [18, 22],
      [22, 23],
    ],
  );
  const path = join(t.testdir({}), 'fixed.onnx');
  const file = await readOnnx(fixture('bottleneck.onnx'));
  Object.assign(file.graph.input[0]!.type!.tensorType!.shape!.dim[0]!, { dimValue: 4n, dimParam: '' });
  writeFileSync(path, writeOnnx(file));
  const [fixed, free] = [await loadModel(path), await loadModel(fixture('bottleneck.onnx'))];
  t.equal(fixed.io.batch, 4);
  for (const images of [3, 7]) {
    const set = await openImages(`synthetic:${images}`, modelInput(free));
    const [found, wanted] = [
      await predictors(fixed, { images: set, threads: 1 }),
      await predictors(free, { images: set }),
    ];
    await set.close();
    t.equal(found.data!.images, images);
    const known = wanted.rows.filter(({ blockInfluence }) => blockInfluence !== null);
    t.ok(known.length > 0);
    for (const { layer, blockInfluence } of known) {
      const there = found.rows.find((row) => row.layer === layer)!.blockInfluence!;
      t.ok(isNear(there, blockInfluence!, 1e-5), `${layer}: ${there}, not ${blockInfluence}`);
    }
  }
  await t.rejects(predictors(free, { threads: 0 }), {
    code: 'ERR_OPTION',
    message: /threads must be a whole number from 1/,
  });
});

t.test('of several resets the one that was asked for first counts', async (t) => {
  const model = await loadModel(example('resnet.onnx'));
  const out = join(t.testdir({}), 'run');
  const images = await openImages(example('images.npz'), { ...modelInput(model), images: 8 });
  const resets = await parseResets(['skip', 'random'], model);
  await sweep(model, images, { out, layers: ['conv1', 'layer3.1*'], group: 'block', resets });
  await images.close();
  const run = await readRun(out);
  t.equal(run.summary.layers[0]!.reset, 'random');
  const { reset, rows } = await predictors(model, { run });
  t.strictSame([reset, rows.map(({ layer }) => layer)], ['skip', run.layers]);
  const few = (await predictors(model, { run, reset: 'random' })).correlations;
  t.ok(
    few.every(({ rho, p }) => rho === null && p === null),
    'over two rows it says nothing',
  );
  await t.rejects(predictors(model, { run, reset: 'zero' }), { message: /it has skip, random$/ });
});

t.test('cosines leave out positions without a direction, and need one shape', async (t) => {
  const tensor = (dims: number[], ...data: number[]) => ({ dims, data: Float32Array.from(data) });
  // Two pixels of two channels: (1, 0) and (0, 0); (1, 1) and (2, 3).
  const found = cosines(tensor([1, 2, 1, 2], 1, 0, 0, 0), tensor([1, 2, 1, 2], 1, 2, 1, 3), true)!;
  t.equal(found.count, 1);
  t.ok(isNear(found.sum, Math.SQRT1_2, 1e-12));
  t.match(cosines(tensor([1, 2, 2], 1, 0, 0, 2), tensor([1, 2, 2], -1, 0, 0, 1), true), { count: 2, sum: 0 });
  t.equal(cosines(tensor([1, 2], 1, 0), tensor([2, 1], 1, 0), false), null);
});

t.test('a stable rank is that of the matrix, however it is stored', async (t) => {
  const parameter = (channels: number, inner: number, transposed = false) => ({
    ...{ tensor: '', stored: [], shape: [] },
    layout: { channels, inner, transposed },
  });
  const diagonal = Float32Array.of(3, 0, 0, 0, 2, 0, 0, 0, 1);
  t.ok(isNear((await stableRank(parameter(3, 3), diagonal))!, 14 / 9, 1e-12));
  const tall = Float32Array.of(1, 2, 3, 4, 5, 6);
  const wide = Float32Array.of(1, 3, 5, 2, 4, 6);
  const [one, other] = [
    await stableRank(parameter(3, 2), tall),
    await stableRank(parameter(3, 1, true), wide),
  ];
  t.ok(isNear(one!, other!, 1e-12));
  t.equal(await stableRank(parameter(1, 4), Float32Array.of(1, 2, 3, 4)), 1);
  t.equal(await stableRank(parameter(2, 2), new Float32Array(4)), null);
});

t.test('correlations have the intervals of scipy, and of Bonett and Wright', async (t) => {
  const { x, y } = golden.correlation;
  for (const [kind, correlate] of [
    ['spearman', spearman],
    ['pearson', pearson],
  ] as const) {
    const { coefficient, p } = correlate(x, y)!;
    const interval = correlationInterval(kind, coefficient, x.length)!;
    for (const [i, found] of [coefficient, p!, ...interval].entries()) {
      t.ok(isNear(found, golden.correlation[kind][i]!, 1e-9), `${kind} ${i}: ${found}`);
    }
  }
  t.equal(correlationInterval('spearman', 1, 9), null, 'all in one order');
  t.equal(correlationInterval('spearman', 0.5, 3), null, 'too few');
  t.equal(pearson([1, 1], [1, 2]), null);
});
