/** Sweeps that skip layers and blocks or put their mean: results, parts of a sweep, and what cannot be tested. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  loadModel,
  mergeRuns,
  modelInput,
  openImages,
  parseReset,
  readStudy,
  reportHtml,
  runStudy,
  sweep,
} from '../../src/index.js';
import { withTargets } from '../../src/model/targets.js';
import { layerTable } from '../../src/report/table.js';
import type { JournalLine } from '../../src/run/finished.js';
import { readJournal } from '../../src/run/journal.js';
import { journalSeal, readInfo } from '../../src/run/run.js';
import { predictCost } from '../../src/sweep/cost.js';
import { openPartRunner } from '../../src/sweep/part-runner.js';
import { chooseTargets } from '../../src/sweep/targets.js';
import { verifyRun } from '../../src/sweep/verify.js';
import { example, fixture } from '../fixtures.js';

const model = await loadModel(example('resnet.onnx'));
const images = await openImages(example('images.npz'), { ...modelInput(model), images: 80 });
t.teardown(() => images.close());
const resets = await Promise.all(['random', 'skip', 'mean'].map(parseReset));
const [random, skip, mean] = resets as [(typeof resets)[0], (typeof resets)[0], (typeof resets)[0]];
const read = (out: string, file: string) => readFileSync(join(out, file), 'utf8');
const results = ['summary.json', 'summary.csv', 'results.csv', 'draws.csv'];
const options = { layers: ['layer2.*', 'fc'], group: 'block', resets, batch: 8 };

t.test(
  'a layer is tested under the resets that it can be, and under the others said not to be',
  async (t) => {
    const out = join(t.testdir({}), 'run');
    const { summary } = await sweep(model, images, { ...options, out });
    t.strictSame(
      summary.layers.map(({ layer, reset }) => `${layer} ${reset}`),
      [
        ...['layer2.0 random', 'layer2.0 skip', 'layer2.0 mean'],
        ...['layer2.1 random', 'layer2.1 skip', 'layer2.1 mean'],
        ...['fc random', 'fc mean'],
      ],
    );
    t.match(summary.leftOut, [
      { name: 'fc', op: 'Gemm', reset: 'skip', why: 'its input and output have different shapes' },
    ]);
    t.equal(summary.options.calibration, 64);
    for (const { reset, draws, criticality, change } of summary.layers) {
      t.equal(draws, reset === 'random' ? 10 : 1);
      t.ok(criticality.mean! > 0 && change! > 0);
      t.equal(criticality.interval, reset === 'random' ? 'student' : 'images');
    }
    t.match(layerTable(summary, { color: false }), /Not tested with skip: fc; its input and output have/);
    const page = await reportHtml([summary]);
    t.match(page, /<p>Not tested with skip: fc; /);
    t.match(page, /by its mean per channel/);

    const info = await readInfo(out);
    const { isSame, draws } = await verifyRun(
      { info, journal: join(out, 'cells.ndjson') },
      ...([model, images, [skip, mean]] as const),
      { cells: 5, threads: 2 },
    );
    t.equal(draws.length, 5);
    t.ok(isSame, 'the reference path comes to the same');
  },
);

t.test('parts of a sweep, wherever they are computed, come to the bytes of one run', async (t) => {
  const dir = t.testdir({});
  const whole = join(dir, 'whole');
  const stop = new AbortController();
  await t.rejects(
    sweep(model, images, { ...options, out: whole, onProgress: () => stop.abort(), signal: stop.signal }),
  );
  const { summary } = await sweep(model, images, { ...options, out: whole });
  const shards = [1, 2, 3].map((index) => join(dir, `shard-${index}`));
  for (const [i, out] of shards.entries())
    await sweep(model, images, { ...options, out, shard: { index: i + 1, of: 3 } });
  await mergeRuns(shards, join(dir, 'merged'));
  for (const file of results) t.equal(read(join(dir, 'merged'), file), read(whole, file), file);

  const lines: JournalLine[] = [];
  const runner = await openPartRunner(model, images, options);
  t.equal(runner.targets.length, summary.layers.length);
  const part = { targets: [{ layer: 'fc', reset: 'mean' }], from: 0, to: 1 };
  await runner.run(part, (line) => lines.push(line), new AbortController().signal);
  await runner.close();
  const journal = await readJournal(join(whole, 'cells.ndjson'), journalSeal(await readInfo(whole)));
  t.match(
    lines.find((line) => line.type === 'target'),
    journal.chunksOf('fc', 'mean').get(0)!,
    "a worker's line is the journal's",
  );

  const file = join(dir, 'study.yaml');
  writeFileSync(
    file,
    JSON.stringify({
      models: [{ id: 'resnet', model: example('resnet.onnx') }],
      data: { fashion: example('images.npz') },
      defaults: { images: 80, ...options, resets: undefined, reset: ['random', 'skip', 'mean'] },
    }),
  );
  t.strictSame(await runStudy(await readStudy(file), { out: join(dir, 'study') }), []);
  const studied = JSON.parse(read(join(dir, 'study/resnet/fashion'), 'summary.json'));
  t.strictSame(studied.layers, JSON.parse(read(whole, 'summary.json')).layers, 'a study comes to the same');

  for (const other of [{ batch: 3 }, { batch: 5, threads: 1 }, { engine: 'reference' as const }]) {
    const again = (await sweep(model, images, { ...options, ...other, resets: [skip, mean] })).summary;
    for (const one of again.layers) {
      const before = summary.layers.find(({ layer, reset }) => layer === one.layer && reset === one.reset)!;
      t.equal(one.change, before.change, `${one.layer} ${one.reset} is replaced by the same`);
      t.ok(Math.abs(one.criticality.mean! - before.criticality.mean!) < 1e-4, JSON.stringify(other));
    }
  }
});

t.test('what would be said in vain, or measure nothing, is refused', async (t) => {
  const refused = (given: object, message: RegExp, code = 'ERR_OPTION') =>
    t.rejects(sweep(model, images, { resets: [skip], layers: ['layer1.0.conv1'], ...given }), {
      code,
      message,
    });
  await refused({ parts: 'bias' }, /--reset skip resets no parameters; leave out --parts bias/);
  await refused({ norm: 'reset' }, /leave out --norm reset/);
  await refused({ layers: ['fc', 'conv1'] }, /none of the 2 chosen .* can be tested: its input and output/);
  await refused(
    { group: 'pairs', layers: ['layer1.0.conv1', 'fc'] },
    /layers that are not in it lie between/,
  );
  const dead = await loadModel(fixture('mlp.onnx'));
  const [hidden] = dead.layers;
  for (const { name, rawData } of dead.file.graph.initializer)
    if (name === hidden!.weight.tensor || name === hidden!.bias?.tensor) rawData.fill(0);
  const any = await openImages('synthetic:8', modelInput(dead));
  t.teardown(() => any.close());
  await t.rejects(sweep(dead, any, { resets: [mean], layers: [hidden!.name] }), {
    code: 'ERR_RESET',
    message: /--reset mean: it changes nothing of what .* gives/,
  });
  const tied = await loadModel(fixture('tied.onnx'));
  const some = await openImages('synthetic:8', modelInput(tied));
  t.teardown(() => some.close());
  const { summary } = await sweep(tied, some, { resets: [random, mean] });
  const shared = tied.layers.find(({ uses }) => uses > 1)!;
  t.match(
    summary.leftOut?.find(({ name }) => name === shared.name),
    { reset: 'mean', why: 'its weight is used in several places' },
  );
});

t.test('all parts of a layer are replaced as the layer is', async (t) => {
  const vit = await loadModel(fixture('vit.onnx'));
  const { shape } = modelInput(vit);
  const choice = { layers: ['*.qkv'], resets: [mean], design: { trials: 1 } };
  const whole = await chooseTargets(vit, shape, choice);
  const group = '(blocks\\.\\d+\\.attn.qkv)';
  const parts = await chooseTargets(withTargets(vit, { splitQkv: true }), shape, { ...choice, group });
  t.ok(whole.cells.length > 0);
  t.strictSame([...parts.replacements.values()], [...whole.replacements.values()]);
});

t.test('skipping costs what comes behind a block, and is predicted so', async (t) => {
  const costOf = async (reset: typeof skip) =>
    (await predictCost(model, images, { ...options, resets: [reset], threads: 1 })).macs;
  t.ok((await costOf(mean)) < (await costOf(random)));
});
