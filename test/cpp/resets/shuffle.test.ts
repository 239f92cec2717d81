import t from 'tap';
import { native } from '../../../src/native/addon.js';
import { words } from '../oracle.js';

const shuffled = (length: number, key: bigint) => {
  const values = Float32Array.from({ length }, (_, i) => i);
  native().reset(values, { kind: 'shuffle', key });
  return values;
};

t.test('a shuffle keeps every element once', async (t) => {
  for (const length of [0, 1, 2, 3, 10, 511, 512, 513, 1024, 5000, 100_003]) {
    const values = shuffled(length, BigInt(length));
    t.strictSame(
      values.slice().sort(),
      Float32Array.from({ length }, (_, i) => i),
    );
  }
});

t.test('elements are ordered by random 64-bit keys, words 2e and 2e + 1 of their key', async (t) => {
  for (const length of [5, 700, 3000]) {
    const random = words(77n, 2 * length);
    const rank = (e: number) => (BigInt(random[2 * e + 1]!) << 32n) | BigInt(random[2 * e]!);
    const order = Array.from({ length }, (_, e) => e).sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    t.strictSame([...shuffled(length, 77n)], order);
  }
});

t.test('every permutation of a few elements is equally likely', async (t) => {
  // Chi-square at one in a thousand for 1, 5 and 23 degrees of freedom.
  for (const [length, permutations, most] of [
    [2, 2, 10.83],
    [3, 6, 20.52],
    [4, 24, 49.73],
  ] as const) {
    const seen = new Map<string, number>();
    const keys = 24_000;
    for (let key = 0; key < keys; key++) {
      const order = shuffled(length, BigInt(key)).join();
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    t.equal(seen.size, permutations);
    const expected = keys / permutations;
    const chi = [...seen.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    t.ok(chi < most, `${length} elements: ${chi}`);
  }
});

t.test('every element is equally likely at every position', async (t) => {
  for (const [length, most] of [
    [5, 39.25],
    [8, 85.35],
  ] as const) {
    const counts = new Float64Array(length * length);
    const keys = 20_000;
    for (let key = 0; key < keys; key++) {
      for (const [position, element] of shuffled(length, BigInt(key) << 20n).entries()) {
        counts[position * length + element]!++;
      }
    }
    // (length - 1)^2 degrees of freedom, one in a thousand.
    const chi = counts.reduce((sum, n) => sum + (n - keys / length) ** 2 / (keys / length), 0);
    t.ok(chi < most, `${length} elements: ${chi}`);
  }
});

t.test('about one element of a long shuffle stays where it was', async (t) => {
  const stay = Array.from(
    { length: 50 },
    (_, key) => shuffled(10_000, BigInt(key)).filter((x, i) => x === i).length,
  );
  const average = stay.reduce((sum, n) => sum + n, 0) / stay.length;
  t.ok(Math.abs(average - 1) < 0.6, `${average}`);
});
