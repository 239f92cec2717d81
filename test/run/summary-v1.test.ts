import t from 'tap';
import { readRun, readRunSummary } from '../../src/run/read-run.js';
import { files } from '../../src/run/run.js';
import { summarySchema } from '../../src/run/summary.js';

const info = {
  version: 1,
  critmap: '0.1.0',
  status: 'done',
  started: '2026-01-01T00:00:00.000Z',
  updated: '2026-01-01T00:00:00.000Z',
  seconds: 1,
  model: { name: 'm', sha256: 'aa', layers: 2 },
  data: { source: 'photos', images: 100, fingerprint: 'bb', transform: null },
  options: { seed: 0, trials: 2, confidence: 0.95 },
  cells: 3,
  environment: {},
  warnings: [],
  sample: { file: 'images.csv', seed: 0, total: 100, skipped: [] },
};

/** Trials as version 1 wrote them into its summary. */
const trial = (number: number, cosine: number | null, agreementCount: number) => ({
  trial: number,
  images: 100,
  invalid: cosine === null ? 100 : 0,
  agreementCount,
  change: 1.25 + number,
  cosine,
  l1: 0.1,
  l2: 0.2,
  kl: 0.3,
  js: 0.4,
  publishedCrossEntropy: -2 - number,
  top1: 50,
  top5: 90,
  loss: 1.5,
});
const layer = (name: string, reset: string, perTrial: ReturnType<typeof trial>[], extra: object = {}) => ({
  layer: name,
  op: 'Conv',
  shape: [4, 2, 3, 3],
  groups: 1,
  parameters: 72,
  depth: name === 'conv1' ? 0 : 1,
  reset,
  trials: perTrial.length,
  images: 100,
  invalid: 0,
  change: 1.75,
  criticality: { mean: 30, sdTrials: 14.1, low: 2, high: 58 },
  agreement: { mean: 70, sdTrials: 14.1, low: 40, high: 95 },
  cosine: 0.7,
  l1: 0.1,
  l2: 0.2,
  kl: 0.3,
  js: 0.4,
  top1: 50,
  top5: 90,
  loss: 1.5,
  recovered: 0.625,
  perTrial,
  ...extra,
});
const summary = {
  version: 1,
  model: info.model,
  data: { source: 'photos', images: 100, fingerprint: 'bb', invalid: 0 },
  options: info.options,
  baseline: { top1: 80, top5: 95, loss: 0.75 },
  layers: [
    layer('conv1', 'random', [trial(0, 0.8, 80), trial(1, 0.6, 60)]),
    layer('conv1', 'zero', [trial(0, 0.5, 20)], {
      criticality: { mean: 50, sdTrials: null, low: 45, high: 55 },
    }),
    layer('fc', 'random', [trial(0, null, 0), trial(1, 0.25, 10)], {
      criticality: { mean: null, sdTrials: null, low: null, high: null },
    }),
  ],
};
const files1 = { [files.info]: JSON.stringify(info), [files.summary]: JSON.stringify(summary) };

t.test('a run of version 1 is read: its trials are draws that saw all images', async (t) => {
  const directory = t.testdir(files1);
  const run = await readRun(directory);
  t.strictSame(summarySchema.parse(run.summary), run.summary, 'as version 2');
  t.strictSame(await readRunSummary(directory), run.summary);
  t.same(run.layers, ['conv1', 'fc']);
  const [first, zero, fc] = run.summary.layers;
  t.match(first, { images: 100, draws: 2, passes: 200, stoppedAt: null, change: 1.75, recovered: 0.625 });
  t.equal(first?.publishedCrossEntropy, -2.5);
  t.match(first?.criticality, {
    mean: 30,
    low: 2,
    high: 58,
    interval: 'trials',
    sdDraws: 14.1,
    sdTrial: 14.1,
  });
  t.match(first?.criticality, { sdDrawsInterval: null, sdImages: null, sdImagesInterval: null });
  t.equal(zero?.criticality.interval, 'images', 'of one trial an interval said nothing of other draws');
  t.equal(fc?.criticality.interval, null);
  t.notOk('perTrial' in first!, 'single trials are in the matrix');
});

t.test('its matrices are those of its trials', async (t) => {
  const run = await readRun(t.testdir(files1));
  const criticality = run.matrix('criticality');
  t.same(criticality.shape, [2, 2]);
  const rows = [0, 1].map((i) => [0, 1].map((j) => criticality.get(i, j)));
  for (const [i, j, expected] of [
    [0, 0, 20],
    [0, 1, 40],
    [1, 1, 75],
  ] as const) {
    t.ok(Math.abs(rows[i]![j]! - expected) < 1e-9, `${rows[i]![j]} is ${expected}`);
  }
  t.equal(rows[1]![0], 100, 'all of its outputs are invalid');
  const agreement = run.matrix('agreement', 'zero');
  t.same([agreement.shape, agreement.get(0, 0)], [[1, 1], 20]);
  t.equal(run.matrix('change').get(1, 1), 2.25);
  t.throws(() => run.matrix('cosine', 'shuffle'), { message: /it has random, zero/ });
});

t.test('a summary of neither version is refused by name', async (t) => {
  const { layers, ...rest } = summary;
  const { perTrial: _, ...withoutTrials } = layers[0]!;
  for (const bad of [{ ...summary, version: 3 }, { ...summary, layers: [withoutTrials] }, rest]) {
    const directory = t.testdir({ ...files1, [files.summary]: JSON.stringify(bad) });
    await t.rejects(readRun(directory), { code: 'ERR_RUN', message: /summary\.json/ });
  }
});
