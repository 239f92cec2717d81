import t from 'tap';
import { type Comparison, native } from '../../../src/native/addon.js';
import type { ResetRule } from '../../../src/native/reset-rule.js';
import { bits } from '../oracle.js';

const addon = native();
const { paths, path: chosen } = addon.info();
t.teardown(() => addon.usePath(chosen));

/** What `work` gives on every path this processor can run. */
function onEveryPath<T>(work: () => T): T[] {
  return paths.map((path) => {
    addon.usePath(path);
    return work();
  });
}

t.test('the best path is chosen, and the baseline is always there', async (t) => {
  t.equal(chosen, paths[0]);
  t.equal(paths.at(-1), 'baseline');
});

t.test('usePath refuses a path this processor lacks', async (t) => {
  t.throws(() => addon.usePath('sse9'), { name: 'RangeError', message: /baseline/ });
  t.throws(() => addon.usePath(5 as never), { name: 'TypeError' });
});

t.test('every reset has the same bits on every path', async (t) => {
  const key = 0xfedcba9876543210n;
  const rules: ResetRule[] = [
    { kind: 'uniform', low: -0.3, high: 0.7, key },
    { kind: 'normal', mean: 0.1, std: 0.7, key },
    { kind: 'trunc-normal', mean: 0, std: 1, low: -2, high: 2, key },
    { kind: 'trunc-normal', mean: 0, std: 1, low: 1.8, high: 4, key },
    { kind: 'noise', std: 0.01, key },
    { kind: 'shuffle', key },
    { kind: 'constant', value: 0.1 },
    { kind: 'interpolate', donor: new Float32Array(300_007).fill(0.3), alpha: 0.1 },
    { kind: 'blend', donor: new Float32Array(300_007).fill(0.3), alpha: 0.1, std: 0.01, key },
  ];
  for (const rule of rules) {
    for (const length of 'donor' in rule ? [300_007] : [1, 17, 1001, 300_007]) {
      const [first, ...others] = onEveryPath(() => {
        const values = Float32Array.from({ length }, (_, i) => Math.sin(i));
        addon.reset(values, rule);
        return bits(values);
      });
      for (const other of others)
        t.ok(Buffer.from(first!.buffer).equals(Buffer.from(other.buffer)), rule.kind);
    }
  }
});

t.test('every metric has the same bits on every path', async (t) => {
  for (const classes of [1, 2, 5, 15, 16, 17, 100, 127, 128, 129, 1000, 1001, 21_841]) {
    const rows = classes > 2000 ? 2 : 9;
    const original = new Float32Array(rows * classes);
    const changed = new Float32Array(rows * classes);
    const labels = Int32Array.from({ length: rows }, (_, row) => (row % 4 ? (row * 7) % classes : -1));
    for (const std of [0.001, 1, 30, 1e4]) {
      addon.reset(original, { kind: 'normal', mean: 1, std, key: 1n });
      addon.reset(changed, { kind: 'normal', mean: 0, std, key: 2n });
      changed.set(original.subarray(0, classes));
      const flat = (from: Comparison) =>
        Object.entries(from).map(([name, value]) => [
          name,
          typeof value === 'number'
            ? value
            : Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex'),
        ]);
      const [first, ...others] = onEveryPath(() => flat(addon.compare(original, changed, classes, labels)));
      for (const other of others) t.strictSame(other, first, `${classes} classes, std ${std}`);
    }
  }
});

t.test('norms have the same bits on every path', async (t) => {
  for (const length of [0, 1, 15, 16, 17, 1000, 100_001]) {
    const original = Float32Array.from({ length }, (_, i) => Math.sin(i));
    const changed = Float32Array.from({ length }, (_, i) => Math.cos(i));
    const [first, ...others] = onEveryPath(() => addon.norms(original, changed));
    for (const other of others) t.strictSame(other, first);
    const sum = (f: (i: number) => number) => original.reduce((total, _, i) => total + f(i) ** 2, 0);
    t.ok(Math.abs(first!.original - Math.sqrt(sum((i) => original[i]!))) <= 1e-12 * first!.original);
    t.ok(
      Math.abs(first!.difference - Math.sqrt(sum((i) => changed[i]! - original[i]!))) <=
        1e-12 * first!.difference,
    );
  }
});
