import t from 'tap';
import type { ProvenCell } from '../../src/design/cells.js';
import type { Layer } from '../../src/onnx/layers.js';
import { Finished } from '../../src/run/journal.js';
import { resultsCsv } from '../../src/run/results-csv.js';
import type { RunIdentity } from '../../src/run/run.js';
import { summarise } from '../../src/run/summarise.js';
import { summarySchema } from '../../src/run/summary.js';

const identity: RunIdentity = {
  model: { name: 'm,1', sha256: 'aa', layers: 2 },
  data: { source: 'photos', images: 30, fingerprint: 'bb', transform: null },
  options: { seed: 0 },
};
const layer = {
  name: 'conv2',
  op: 'Conv',
  weight: { shape: [4, 2, 1, 1] },
  groups: 2,
  parameters: 12,
} as Layer;
const cells: ProvenCell[] = [0, 1].map((trial) => ({
  index: trial,
  layer,
  reset: { kind: 'random', label: 'random' },
  trial,
  change: 1 + trial,
}));

/** Two chunks of 20 and 10 images; trial 0 has 5 invalid images, all in the first. */
function finished(): Finished {
  const done = new Finished();
  const add = (chunk: number, trial: number, images: number, invalid: number, agreement: number) => {
    const valid = images - invalid;
    done.add({
      type: 'cell',
      layer: 'conv2',
      reset: 'random',
      trial,
      chunk,
      images,
      invalid,
      agreement,
      cosine: 0.5 * valid,
      cosineSquares: 0.25 * valid,
      l1: 0.1 * valid,
      l2: 0.2 * valid,
      kl: 0.3 * valid,
      js: 0.4 * valid,
      publishedCrossEntropy: -2 * valid,
      top1: 3,
      top5: 6,
      loss: 1.5 * valid,
    });
  };
  add(1, 0, 10, 0, 5);
  add(0, 0, 20, 5, 10);
  add(0, 1, 20, 0, 20);
  add(1, 1, 10, 0, 10);
  const sums = {
    agreement: 0,
    cosine: 0,
    cosineSquares: 0,
    l1: 0,
    l2: 0,
    kl: 0,
    js: 0,
    publishedCrossEntropy: 0,
  };
  done.add({ type: 'original', chunk: 0, images: 20, invalid: 2, top1: 12, top5: 16, loss: 9, ...sums });
  done.add({ type: 'original', chunk: 1, images: 10, invalid: 0, top1: 9, top5: 10, loss: 5, ...sums });
  return done;
}

t.test('every field of a summary, by hand', async (t) => {
  const summary = summarise(identity, cells, finished(), 0.95, ['conv1', 'conv2']);
  t.strictSame(summarySchema.parse(summary), summary, 'the schema knows every field');
  t.strictSame(summary.data, { source: 'photos', images: 30, fingerprint: 'bb', invalid: 2 });
  // Hits over all 30 images, the loss over the 28 valid ones.
  t.strictSame(summary.baseline, { top1: 70, top5: (100 * 26) / 30, loss: 14 / 28 });
  const [found] = summary.layers;
  t.ok(found);
  if (!found) return;
  const { criticality, agreement, perTrial, ...rest } = found;
  const near = (name: string, value: number | null, expected: number) =>
    t.ok(value !== null && Math.abs(value - expected) < 1e-12, `${name} ${value} is ${expected}`);
  const { cosine, l1, l2, kl, js, loss, top1, top5, recovered, ...plain } = rest;
  t.strictSame(plain, {
    layer: 'conv2',
    op: 'Conv',
    shape: [4, 2, 1, 1],
    groups: 2,
    parameters: 12,
    depth: 1,
    reset: 'random',
    trials: 2,
    images: 30,
    invalid: 5,
    change: 1.5,
  });
  near('cosine', cosine, 0.5);
  near('l1', l1, 0.1);
  near('l2', l2, 0.2);
  near('kl', kl, 0.3);
  near('js', js, 0.4);
  near('loss', loss, 1.5);
  near('top1', top1, 20);
  near('top5', top5, 40);
  near('recovered', recovered, 20 / 70);
  near('criticality', criticality.mean, 50);
  // 15 and 30 of 30 agree: an invalid image does not.
  near('agreement', agreement.mean, 75);
  near('spread of the agreement', agreement.sdTrials, 100 * Math.sqrt(0.125));
  t.strictSame(
    perTrial.map(({ trial, images, invalid, agreementCount, change }) => [
      trial,
      images,
      invalid,
      agreementCount,
      change,
    ]),
    [
      [0, 30, 5, 15, 1],
      [1, 30, 0, 30, 2],
    ],
  );
  near('published cross-entropy', perTrial[0]?.publishedCrossEntropy ?? null, -2);
});

t.test('a wider confidence gives a wider interval', async (t) => {
  const width = (confidence: number) => {
    const { low, high } = summarise(identity, cells, finished(), confidence, ['conv2']).layers[0]!.agreement;
    return high! - low!;
  };
  t.ok(width(0.99) > width(0.95));
  t.ok(width(0.95) > width(0.8));
});

t.test("results.csv has the published study's columns, one row per cell", async (t) => {
  const [head, first, second, end] = resultsCsv(
    summarise(identity, cells, finished(), 0.95, ['conv2']),
  ).split('\n');
  t.equal(
    head,
    'top1_acc,top5_acc,loss,batch_acc,layer,pred_cos_sim,pred_l1_err,pred_l2_err,pred_ce_loss,trial,recovered_acc,model_id',
  );
  const numbers = (row = '') =>
    row
      .split(',')
      .slice(0, 11)
      .map((field) => (field === '' ? null : Number(field)));
  for (const [trial, row] of [first, second].entries()) {
    const [top1, top5, loss, batch, , cosine, l1, l2, ce, number, recovered] = numbers(row);
    t.strictSame([top1, top5, batch, number], [20, 40, null, trial]);
    for (const [value, expected] of [
      [loss, 1.5],
      [cosine, 0.5],
      [l1, 0.1],
      [l2, 0.2],
      [ce, -2],
      [recovered, 20 / 70],
    ]) {
      t.ok(Math.abs((value ?? Number.NaN) - (expected ?? 0)) < 1e-12, `${value} is ${expected}`);
    }
    t.match(row, /,conv2,/);
    t.match(row, /,"m,1"$/, 'a name with a comma is quoted');
  }
  t.equal(end, '');
});

t.test('without labels there is no baseline, without images no numbers', async (t) => {
  const empty = summarise(identity, cells, new Finished(), 0.95, ['conv2']);
  t.equal(empty.baseline, null);
  t.match(empty.layers[0], { trials: 0, images: 0, criticality: { mean: null }, cosine: null, top1: null });
});
