import t from 'tap';
import { Finished } from '../../src/run/finished.js';
import { resultsCsv } from '../../src/run/results-csv.js';
import type { DrawRow, SummaryInput } from '../../src/run/summarise.js';
import { summarise } from '../../src/run/summarise.js';
import { summarySchema } from '../../src/run/summary.js';
import { crossedInterval } from '../../src/statistics/crossed.js';
import { groupsInterval, numbersInterval } from '../../src/statistics/student.js';
import { cosineOf, crossedSweep, input, random, slicedSweep, targetOf } from './finished-sweeps.js';
import { sums } from './sums.js';

const near = (
  t: { ok: (value: boolean, message: string) => unknown },
  name: string,
  value: number | null | undefined,
  expected: number,
) => t.ok(typeof value === 'number' && Math.abs(value - expected) < 1e-9, `${name} ${value} is ${expected}`);
const only = (of: SummaryInput) => summarise(of).summary.layers[0]!;

t.test('every field of a summary of crossed draws, by hand', async (t) => {
  const { summary, draws } = summarise(crossedSweep());
  t.strictSame(summarySchema.parse(summary), summary, 'the schema knows every field');
  t.strictSame(summary.data, { source: 'photos', images: 30, fingerprint: 'bb', invalid: 2 });
  // Hits over all 30 images, the loss over the 28 valid ones.
  t.strictSame(summary.baseline, { top1: 70, top5: (100 * 26) / 30, loss: 14 / 28 });
  const { criticality, agreement, ...rest } = summary.layers[0]!;
  const { cosine, l1, l2, kl, js, publishedCrossEntropy, loss, top1, top5, recovered, ...plain } = rest;
  t.strictSame(plain, {
    layer: 'conv2',
    op: 'Conv',
    shape: [4, 2, 1, 1],
    groups: 2,
    parameters: 12,
    depth: 1,
    reset: 'random',
    init: 'uniform of conv2',
    images: 30,
    draws: 2,
    passes: 60,
    stoppedAt: null,
    invalid: 5,
    change: 1.5,
  });
  const measured = { cosine, l1, l2, kl, js, publishedCrossEntropy, loss, top1, top5, recovered };
  const expected = { cosine: 0.5, l1: 0.1, l2: 0.2, kl: 0.3, js: 0.4, publishedCrossEntropy: -2, loss: 1.5 };
  for (const [name, value] of Object.entries({ ...expected, top1: 20, top5: 40, recovered: 20 / 70 })) {
    near(t, name, measured[name as keyof typeof measured], value);
  }
  // 55 valid passes of a cosine of 0.5, and 5 of whose predictions nothing is left.
  near(t, 'criticality', criticality.mean, (55 * 50 + 5 * 100) / 60);
  // 15 and 30 of 30 agree: an invalid image does not.
  near(t, 'agreement', agreement.mean, 75);
  near(t, 'spread of the agreement over draws', agreement.sdTrial, 100 * Math.sqrt(0.125));
  const all = { images: 30, drawSums: [15, 30], sumSquares: 45, imageSquares: 75 };
  const interval = crossedInterval(all, 0.95)!;
  t.equal(agreement.interval, 'crossed');
  near(t, 'low', agreement.low, 100 * interval.low);
  near(t, 'high', agreement.high, 100 * interval.high);
  t.equal(agreement.sdImagesInterval, null, 'the images are the same ones under every draw');
  t.strictSame(
    draws.map(({ draw, slice, images, invalid, agreementCount, change }) => [
      draw,
      slice,
      images,
      invalid,
      agreementCount,
      change,
    ]),
    [
      [0, 0, 30, 5, 15, 1],
      [1, 0, 30, 0, 30, 2],
    ],
  );
});

t.test('slices with a draw each: what varies between slices covers draws and images', async (t) => {
  const { summary, draws } = summarise(slicedSweep(random, 1));
  const { criticality, agreement, ...rest } = summary.layers[0]!;
  t.match(rest, { images: 30, draws: 4, passes: 30, stoppedAt: null, change: 2.5 });
  const sizes = [8, 8, 8, 6];
  t.strictSame(
    draws.map(({ draw, slice, images }) => [draw, slice, images]),
    sizes.map((images, slice) => [slice, slice, images]),
    'a slice that lies in two chunks is one draw',
  );
  const mean = sizes.reduce((sum, images, slice) => sum + images * cosineOf(slice, 0), 0) / 30;
  near(t, 'mean over passes', criticality.mean, 100 * (1 - mean));
  const interval = groupsInterval(
    sizes.map((count, slice) => ({ count, sum: count * cosineOf(slice, 0), sumSquares: 0 })),
    0.95,
  )!;
  t.equal(criticality.interval, 'student');
  near(t, 'low', criticality.low, 100 * (1 - interval.high));
  near(t, 'high', criticality.high, 100 * (1 - interval.low));
  near(t, 'between images of one draw', criticality.sdImages, 0);
  t.ok(
    criticality.sdDraws! > 10 && criticality.sdDraws! < 16,
    `${criticality.sdDraws} for draws 10 points apart`,
  );
  near(t, 'a draw over all images', criticality.sdTrial, criticality.sdDraws!);
  // 0 of 8, then half of each slice.
  near(t, 'agreement', agreement.mean, (100 * 11) / 30);
  t.ok(agreement.sdImages! > 0 && agreement.sdTrial! > agreement.sdDraws!, 'images vary besides draws');
});

t.test('several draws of a slice see the same images: the slice is the independent unit', async (t) => {
  const { summary, draws } = summarise(slicedSweep(random, 2));
  const { criticality, ...rest } = summary.layers[0]!;
  t.match(rest, { images: 30, draws: 8, passes: 60 });
  t.strictSame(
    draws.map(({ draw, slice }) => [draw, slice]),
    Array.from({ length: 8 }, (_, draw) => [draw, Math.floor(draw / 2)]),
  );
  const groups = [8, 8, 8, 6].map((count, slice) => ({
    count: 2 * count,
    sum: count * (cosineOf(slice, 0) + cosineOf(slice, 1)),
    sumSquares: 0,
  }));
  near(t, 'high', criticality.high, 100 * (1 - groupsInterval(groups, 0.95)!.low));
});

t.test('a reset without randomness has one draw, whose interval covers images alone', async (t) => {
  const { summary, draws } = summarise(slicedSweep({ kind: 'zero', label: 'zero' }, 1));
  const { criticality, ...rest } = summary.layers[0]!;
  t.match(rest, { images: 30, draws: 1, passes: 30, init: null });
  t.strictSame(
    draws.map(({ draw, images }) => [draw, images]),
    [[0, 30]],
  );
  t.match(criticality, { interval: 'images', sdDraws: null, sdDrawsInterval: null, sdTrial: null });
  const of = (power: number) =>
    [8, 8, 8, 6].reduce((sum, images, slice) => sum + images * cosineOf(slice, 0) ** power, 0);
  const interval = numbersInterval({ count: 30, sum: of(1), sumSquares: of(2) }, 0.95)!;
  near(t, 'low', criticality.low, 100 * (1 - interval.high));
});

t.test('slices beyond the one at which a layer was known do not count', async (t) => {
  const whole = slicedSweep(random, 1);
  const known = { criticality: { low: 0.7, high: 0.9 }, agreement: { low: 0.1, high: 0.6 } };
  const { summary, draws } = summarise({ ...whole, knownOf: () => ({ slices: 2, ...known }) });
  const [layer] = summary.layers;
  t.match(layer, { images: 16, draws: 2, passes: 16, stoppedAt: 16 });
  near(t, 'mean', layer?.criticality.mean, 100 * (1 - (cosineOf(0, 0) + cosineOf(1, 0)) / 2));
  t.match(layer?.criticality, { interval: 'betting' });
  near(t, 'low', layer?.criticality.low, 10);
  near(t, 'high', layer?.criticality.high, 30);
  t.match(layer?.agreement, { low: 10, high: 60, interval: 'betting' });
  t.equal(draws.length, 2);
  // Three of the top 1 in each part of a slice; two slices are left of the original too.
  near(t, 'baseline', summary.baseline?.top1, (100 * 6) / 16);

  const unknown = summarise({ ...whole, knownOf: () => ({ slices: null, ...known }) }).summary.layers[0];
  t.match(unknown, { images: 30, draws: 4, stoppedAt: null, criticality: { interval: 'betting' } });
});

t.test('a wider confidence gives a wider interval', async (t) => {
  for (const sweep of [crossedSweep(), slicedSweep(random, 1)]) {
    const width = (confidence: number) => {
      const { low, high } = only({ ...sweep, confidence }).agreement;
      return high! - low!;
    };
    t.ok(width(0.99) > width(0.95));
    t.ok(width(0.95) > width(0.8));
  }
});

t.test("results.csv has the published study's columns, then the reset; one row per draw", async (t) => {
  const [head, first, second, end] = [...resultsCsv(summarise(crossedSweep()))].join('').split('\n');
  t.equal(
    head,
    'top1_acc,top5_acc,loss,batch_acc,layer,pred_cos_sim,pred_l1_err,pred_l2_err,pred_ce_loss,trial,recovered_acc,model_id,reset',
  );
  const numbers = (row = '') =>
    row
      .split(',')
      .slice(0, 11)
      .map((field) => (field === '' ? null : Number(field)));
  for (const [trial, row] of [first, second].entries()) {
    const [top1, top5, loss, batch, , cosine, l1, l2, ce, number, recovered] = numbers(row);
    t.strictSame([top1, top5, batch, number], [20, 40, null, trial]);
    near(t, 'loss', loss, 1.5);
    near(t, 'cosine', cosine, 0.5);
    near(t, 'l1', l1, 0.1);
    near(t, 'l2', l2, 0.2);
    near(t, 'published cross-entropy', ce, -2);
    near(t, 'recovered', recovered, 20 / 70);
    t.match(row, /,conv2,/);
    t.match(row, /,"m,1",random$/, 'a name with a comma is quoted');
  }
  t.equal(end, '');
});

t.test('without labels there is no baseline, without images no numbers', async (t) => {
  const { summary, draws } = summarise(
    input(new Finished(), { imagesPerDraw: 8, trials: 1 }, [targetOf(random, 1)]),
  );
  t.equal(summary.baseline, null);
  const nothing = { criticality: { mean: null, interval: null }, cosine: null, top1: null, change: null };
  t.match(summary.layers[0], { draws: 0, images: 0, passes: 0, ...nothing });
  t.strictSame(draws, [] as DrawRow[]);
});

t.test('a layer has a summary of more draws than a call takes arguments', async (t) => {
  const finished = new Finished();
  const count = 130_000;
  const draws = Array.from({ length: count }, (_, trial) => ({
    ...{ slice: 0, trial, change: 1 },
    ...sums({ images: 1, invalid: 0, agreement: trial % 2 }),
  }));
  finished.add({ type: 'target', layer: 'conv2', reset: 'random', chunk: 0, draws });
  const found = only(input(finished, { imagesPerDraw: 'all', trials: count }, [targetOf(random, 2)]));
  t.equal(found.draws, count);
  near(t, 'agreement', found.agreement.mean, 50);
});
