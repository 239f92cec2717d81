import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type Comparison, native } from '../../../src/native/addon.js';
import { compareRow, type RowMetrics } from '../oracle.js';

interface GoldenCase extends Omit<RowMetrics, 'publishedCrossEntropy'> {
  name: string;
  classes: number;
  label: number;
  original: number[];
  reset: number[];
  publishedCe: number;
  p: number[];
}

const compare = (original: Float32Array, changed: Float32Array, classes: number, labels?: Int32Array) =>
  native().compare(original, changed, classes, labels);

/** Fails unless row `row` of `found` is `expected` within the accuracy that the metrics promise. */
function same(t: Test, found: Comparison, row: number, expected: RowMetrics, title: string): void {
  const close = (name: string, value: number, wanted: number, absolute: number, relative = 0) => {
    if (!(Math.abs(value - wanted) <= absolute + relative * Math.abs(wanted))) {
      t.fail(`${title}: ${name} is ${value}, not ${wanted}`);
    }
  };
  for (const name of ['cosine', 'l1', 'l2', 'js'] as const)
    close(name, found[name][row]!, expected[name], 2e-6);
  close('kl', found.kl[row]!, expected.kl, 1e-6, 1e-5);
  if (Boolean(found.agree[row]) !== expected.agree) t.fail(`${title}: agree`);
  if (found.loss && !Number.isNaN(expected.loss)) {
    close('loss', found.loss[row]!, expected.loss, 1e-6, 1e-6);
    if (Boolean(found.top1![row]) !== expected.top1) t.fail(`${title}: top1`);
    if (Boolean(found.top5![row]) !== expected.top5) t.fail(`${title}: top5`);
  }
}

t.test('rows near the lowest float have no more classes than they have', async (t) => {
  for (const classes of [1, 2, 17]) {
    const row = new Float32Array(classes).fill(-3.2e38);
    const found = compare(row, row, classes, Int32Array.of(classes - 1));
    t.match(found, { agreement: 1, invalid: 0 });
    t.ok(Math.abs(found.loss![0]! - Math.log(classes)) <= 1e-6, `${classes} classes`);
  }
});

t.test('every golden case of the float64 oracle is met', async (t) => {
  const file = new URL('../../fixtures/metrics.json', import.meta.url);
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: GoldenCase[] };
  t.ok(cases.length > 50);
  for (const golden of cases) {
    const [original, changed] = [Float32Array.from(golden.original), Float32Array.from(golden.reset)];
    const found = compare(original, changed, golden.classes, Int32Array.of(golden.label));
    const expected = { ...golden, publishedCrossEntropy: golden.publishedCe };
    same(t, found, 0, expected, `${golden.classes} classes, ${golden.name}`);
    const scale = original.reduce(
      (sum, _, i) => sum + Math.abs(changed[i]! * Math.log(golden.p[i]! || 1e-30)),
      1,
    );
    t.ok(Math.abs(found.publishedCrossEntropy[0]! - golden.publishedCe) < 1e-5 * scale, golden.name);
  }
});

t.test('random rows of any length and scale meet the oracle', async (t) => {
  for (const classes of [1, 2, 3, 10, 15, 16, 17, 64, 100, 127, 129, 1000, 1001, 21_841]) {
    const rows = classes > 1000 ? 3 : 12;
    for (const [std, apart] of [
      [1, 1],
      [3, 0.01],
      [10, 10],
      [0.01, 0.01],
      [3, 1e-5],
    ] as const) {
      const original = new Float32Array(rows * classes);
      native().reset(original, { kind: 'normal', mean: -2, std, key: BigInt(classes) });
      const changed = original.slice();
      native().reset(changed, { kind: 'noise', std: apart, key: 3n });
      const labels = Int32Array.from({ length: rows }, (_, row) => (row * 31) % classes);
      const found = compare(original, changed, classes, labels);
      for (let row = 0; row < rows; row++) {
        const at = (values: Float32Array) => values.subarray(row * classes, (row + 1) * classes);
        const expected = compareRow(at(original), at(changed), labels[row]!);
        same(t, found, row, expected, `${classes} classes, std ${std}, row ${row}`);
      }
    }
  }
  t.pass();
});

t.test('equal rows are exactly equal', async (t) => {
  const rows = new Float32Array(7000);
  native().reset(rows, { kind: 'normal', mean: 0, std: 4, key: 5n });
  for (const classes of [1, 7, 1000, 7000]) {
    const found = compare(rows, rows.slice(), classes);
    t.equal(found.agreement, found.images);
    for (const name of ['l1', 'l2', 'kl', 'js'] as const)
      t.ok(
        found[name].every((x) => x === 0),
        name,
      );
    t.ok(found.cosine.every((x) => Math.abs(x - 1) < 1e-12));
  }
});

t.test('logits of +-1e4 give finite metrics', async (t) => {
  const original = Float32Array.of(1e4, -1e4, 0, 5);
  const changed = Float32Array.of(-1e4, 1e4, 3, 0);
  const found = compare(original, changed, 4);
  t.ok(Math.abs(found.kl[0]! - 2e4) < 0.2, 'KL counts the 20000 nats that q is away');
  t.strictSame([found.cosine[0], found.l1[0], found.agree[0]], [0, 2, 0]);
  t.ok(found.js[0]! > 1 - 1e-6 && found.js[0]! <= 1);
  t.ok(Math.abs(found.l2[0]! - Math.SQRT2) < 1e-6);
});

t.test('even the largest finite logits give finite metrics', async (t) => {
  const most = 3.4028234663852886e38;
  const found = compare(
    Float32Array.of(most, -most, 0),
    Float32Array.of(-most, most, 0),
    3,
    Int32Array.of(0),
  );
  t.equal(found.invalid, 0);
  for (const name of ['cosine', 'l1', 'l2', 'kl', 'js', 'publishedCrossEntropy', 'loss'] as const) {
    t.ok(Number.isFinite(found[name]![0]), name);
  }
});

t.test(
  'the published cross-entropy is -sum of changed logits times log softmax of the original',
  async (t) => {
    const [original, changed] = [Float32Array.of(1, 2, 3), Float32Array.of(-1, 0.5, 4)];
    const { publishedCrossEntropy } = compareRow(original, changed, 0);
    const found = compare(original, changed, 3);
    t.ok(Math.abs(found.publishedCrossEntropy[0]! - publishedCrossEntropy) < 1e-6);
  },
);

t.test('ties go to the lowest index', async (t) => {
  const agree = (a: number[], b: number[]) =>
    compare(Float32Array.from(a), Float32Array.from(b), a.length).agree[0];
  t.equal(agree([1, 1, 0], [2, 1, 0]), 1);
  t.equal(agree([1, 1, 0], [0, 1, 0]), 0);
  t.equal(agree([0, 0, 0], [5, 5, 5]), 1);
  t.equal(agree([0, -0], [-0, 0]), 1, 'zeros of either sign are equal');
  for (const [first, second] of [
    [3, 40],
    [15, 16],
    [98, 99],
  ] as const) {
    const [tied, single] = [new Float32Array(100), new Float32Array(100)];
    tied[first] = tied[second] = 9;
    single[first] = 1;
    t.equal(compare(tied, single, 100).agree[0], 1);
    single[second] = 2;
    t.equal(compare(tied, single, 100).agree[0], 0);
  }
});

t.test('top-1 and top-5 count equal logits before the label as better', async (t) => {
  const logits = Float32Array.of(5, 5, 5, 5, 5, 5, 1);
  const hits = Array.from({ length: 7 }, (_, label) => {
    const { top1, top5 } = compare(logits, logits, 7, Int32Array.of(label));
    return [top1![0], top5![0]];
  });
  t.strictSame(hits, [
    [1, 1],
    [0, 1],
    [0, 1],
    [0, 1],
    [0, 1],
    [0, 0],
    [0, 0],
  ]);
});

t.test('an unlabelled row has no hits and no loss; without labels there are none at all', async (t) => {
  const logits = Float32Array.of(1, 2, 3, 4);
  const found = compare(logits, logits, 2, Int32Array.of(-1, 1));
  t.strictSame([...found.top1!, ...found.top5!], [0, 1, 0, 1]);
  t.ok(Number.isNaN(found.loss![0]) && found.loss![1]! > 0);
  t.notHas(compare(logits, logits, 2), { top1: Uint8Array });
});

t.test('a row with a logit that is not finite is invalid and agrees with nothing', async (t) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    for (const classes of [1, 5, 100]) {
      for (const side of [0, 1]) {
        const blocks = [
          new Float32Array(3 * classes).fill(1),
          new Float32Array(3 * classes).fill(1),
        ] as const;
        blocks[side]![2 * classes - 1] = bad;
        const found = compare(blocks[0], blocks[1], classes, Int32Array.of(0, 0, 0));
        t.strictSame([...found.invalidRows], [0, 1, 0]);
        t.strictSame([...found.agree], [1, 0, 1]);
        t.strictSame([found.images, found.agreement, found.invalid], [3, 2, 1]);
        t.strictSame([found.top1![1], found.top5![1]], [0, 0]);
        for (const name of ['cosine', 'l1', 'l2', 'kl', 'js', 'publishedCrossEntropy', 'loss'] as const) {
          t.ok(Number.isNaN(found[name]![1]) && Number.isFinite(found[name]![0]), name);
        }
      }
    }
  }
});

t.test('one class is always certain', async (t) => {
  const found = compare(Float32Array.of(3, -7), Float32Array.of(-100, 2), 1, Int32Array.of(0, 0));
  t.strictSame([...found.cosine, ...found.l1, ...found.js, ...found.loss!], [1, 1, 0, 0, 0, 0, 0, 0]);
  t.equal(found.agreement, 2);
});

t.test('no rows give an empty comparison', async (t) => {
  const found = compare(new Float32Array(0), new Float32Array(0), 1000);
  t.strictSame([found.images, found.agreement, found.invalid, found.kl.length], [0, 0, 0, 0]);
});

t.test('norms are the Euclidean norms of the original and of the difference', async (t) => {
  t.strictSame(native().norms(Float32Array.of(3, 4), Float32Array.of(3, 5)), { original: 5, difference: 1 });
  t.strictSame(native().norms(new Float32Array(0), new Float32Array(0)), { original: 0, difference: 0 });
});
