import t from 'tap';
import { native } from '../../../src/native/addon.js';
import type { ResetRule } from '../../../src/native/reset-rule.js';
import { bits, kolmogorovSmirnov, normalCdf, normalOf, words } from '../oracle.js';

const count = 1 << 20;
const key = 0xc0ffee123456789n;
const draw = (rule: ResetRule, length = count) => {
  const values = new Float32Array(length);
  native().reset(values, rule);
  return values;
};
const mean = (values: Float32Array, power = 1) =>
  values.reduce((sum, x) => sum + x ** power, 0) / values.length;
// A correct sample exceeds this in one of a thousand keys; the keys here are fixed.
const limit = 1.95 / Math.sqrt(count);

t.test('a uniform reset is uniform on [low, high)', async (t) => {
  const values = draw({ kind: 'uniform', low: -0.25, high: 0.75, key });
  t.ok(Math.abs(mean(values) - 0.25) < 4 * Math.sqrt(1 / 12 / count));
  t.ok(kolmogorovSmirnov(values, (x) => x + 0.25) < limit);
  t.ok(values.every((x) => x >= -0.25 && x < 0.75));
});

t.test('rounding never makes a uniform value reach high', async (t) => {
  // One step of float32 between the bounds: half of all draws would round up to high.
  const values = draw({ kind: 'uniform', low: 1, high: 1 + 2 ** -23, key }, 1000);
  t.ok(values.every((x) => x === 1));
  t.ok(
    draw({ kind: 'uniform', low: 3, high: 3, key }, 10).every((x) => x === 3),
    'an empty interval gives low',
  );
});

t.test('a normal reset has the moments and the distribution of a normal', async (t) => {
  const values = draw({ kind: 'normal', mean: 0, std: 1, key });
  t.ok(Math.abs(mean(values)) < 4 / Math.sqrt(count));
  t.ok(Math.abs(mean(values, 2) - 1) < 4 * Math.sqrt(2 / count));
  t.ok(Math.abs(mean(values, 3)) < 4 * Math.sqrt(15 / count));
  t.ok(Math.abs(mean(values, 4) - 3) < 4 * Math.sqrt(96 / count));
  t.ok(kolmogorovSmirnov(values, normalCdf) < limit);
});

t.test('every normal is the exact quantile of its word within 1e-6', async (t) => {
  const some = words(key, 1 << 16);
  const values = draw({ kind: 'normal', mean: 0, std: 1, key }, some.length);
  const worst = some.reduce((most, word, i) => Math.max(most, Math.abs(values[i]! / normalOf(word) - 1)), 0);
  t.ok(worst < 1e-6, `${worst}`);
});

t.test('the quantile holds in the extreme tail, in the middle and where the polynomials meet', async (t) => {
  const special = [0, 1, 2, 3, 10, 100, 1000, 0x7fffffff, 0x7ffffffe, 0x7ffffff0, 0x7fff0000];
  // 4p(1-p) = 2^-7.25, and every power of two.
  for (let r = 7_064_000; r < 7_074_000; r += 7) special.push(r);
  for (let power = 0; power < 31; power++) special.push(2 ** power, 2 ** power - 1, 2 ** power + 1);
  const all = Uint32Array.from([...special, ...special.map((r) => (r | 0x80000000) >>> 0)]);
  const values = native().internal!.normal(all);
  const worst = all.reduce((most, word, i) => Math.max(most, Math.abs(values[i]! / normalOf(word) - 1)), 0);
  t.ok(worst < 1e-6, `${worst}`);
  // SciPy 1.17: -scipy.special.ndtri(2 ** -33)
  t.ok(Math.abs(values[0]! / 6.33795775455 - 1) < 1e-6);
});

t.test('mean and std shift and scale in float32', async (t) => {
  const standard = draw({ kind: 'normal', mean: 0, std: 1, key }, 999);
  const scaled = draw({ kind: 'normal', mean: 0.1, std: 0.02, key }, 999);
  const expected = standard.map((z) => Math.fround(0.1) + Math.fround(Math.fround(0.02) * z));
  t.strictSame(scaled, expected);
});

t.test('a truncated normal is the normal conditioned on [low, high]', async (t) => {
  for (const [low, high] of [
    [-2, 2],
    [0.5, 1],
    [-4, -1.9],
  ] as const) {
    const values = draw({ kind: 'trunc-normal', mean: 0, std: 1, low, high, key });
    t.ok(values.every((x) => x >= low && x <= high));
    const [from, to] = [normalCdf(low), normalCdf(high)];
    t.ok(kolmogorovSmirnov(values, (x) => (normalCdf(x) - from) / (to - from)) < limit, `${low}, ${high}`);
  }
});

t.test('a truncated value is that of the first stream whose normal fits', async (t) => {
  const values = draw({ kind: 'trunc-normal', mean: 0, std: 1, low: 1, high: 2, key }, 300);
  const streams = Array.from({ length: 60 }, (_, stream) => words(key, 300, stream));
  for (const [i, value] of values.entries()) {
    const z = streams.map((stream) => normalOf(stream[i]!)).find((z) => z >= 1 && z <= 2)!;
    if (Math.abs(value - z) > 1e-5) t.fail(`element ${i}: ${value} instead of ${z}`);
  }
});

t.test('a truncated normal that accepts less than 2 % is refused', async (t) => {
  const rule = { kind: 'trunc-normal', mean: 0, std: 1, key } as const;
  t.throws(() => draw({ ...rule, low: 3, high: 4 }, 4), { name: 'RangeError', message: /0\.132 %/ });
  t.throws(() => draw({ ...rule, low: 1, high: 1 }, 4), { name: 'RangeError', message: /only 0 %/ });
  t.throws(() => draw({ ...rule, std: 0, low: 1, high: 2 }, 4), { name: 'RangeError' });
  t.strictSame(draw({ ...rule, mean: 1.5, std: 0, low: 1, high: 2 }, 2), Float32Array.of(1.5, 1.5));
});

t.test('noise adds the normals of its key to the target', async (t) => {
  const values = Float32Array.from({ length: 5000 }, (_, i) => i / 7);
  const expected = draw({ kind: 'normal', mean: 0, std: 0.5, key }, 5000).map((z, i) => values[i]! + z);
  native().reset(values, { kind: 'noise', std: 0.5, key });
  t.strictSame(values, expected);
});

t.test('constant and interpolate do what they say', async (t) => {
  const target = Float32Array.of(1, 2, 3);
  native().reset(target, { kind: 'interpolate', donor: Float32Array.of(5, 6, 7), alpha: 0.75 });
  t.strictSame(target, Float32Array.of(2, 3, 4));
  native().reset(target, { kind: 'constant', value: -1.5 });
  t.strictSame(target, Float32Array.of(-1.5, -1.5, -1.5));
});

t.test('the first values of a fixed key keep their bits', async (t) => {
  // From critmap 0.1.0; that they are right is what the other tests here are for.
  const golden = (rule: ResetRule) => [...bits(draw(rule, 6))].map((word) => word.toString(16));
  const fixed = 0x243f6a8885a308d3n;
  t.strictSame(golden({ kind: 'uniform', low: -1, high: 1, key: fixed }), [
    '3f5fb47e',
    'bd4fac00',
    'bf715c96',
    'bf605842',
    '3f2a8c3a',
    '3ee5705c',
  ]);
  t.strictSame(golden({ kind: 'normal', mean: 0, std: 1, key: fixed }), [
    'be229555',
    '3d823a07',
    '3ff3723f',
    '3fc5123a',
    'bedcdc05',
    'bf423037',
  ]);
  t.strictSame(golden({ kind: 'trunc-normal', mean: 0, std: 1, low: -0.5, high: 0.5, key: fixed }), [
    'be229555',
    '3d823a07',
    'bea81d7b',
    'beb6ed24',
    'bedcdc05',
    'be96ba20',
  ]);
});
