import t from 'tap';
import { native } from '../../../src/native/addon.js';
import type { Layout, ResetRule } from '../../../src/native/reset-rule.js';

const key = 99n;
const rules: ResetRule[] = [
  { kind: 'uniform', low: -1, high: 2, key },
  { kind: 'normal', mean: 0.5, std: 3, key },
  { kind: 'trunc-normal', mean: 0, std: 1, low: -1, high: 0.5, key },
  { kind: 'noise', std: 0.1, key },
  { kind: 'shuffle', key },
];

/** [channels, rest] to [rest, channels]. */
const transpose = (values: Float32Array, channels: number) => {
  const rest = values.length / channels;
  return values.map((_, i) => values[(i % channels) * rest + Math.floor(i / channels)]!);
};

t.test('a prefix of a longer reset is the reset of the prefix', async (t) => {
  for (const rule of rules.slice(0, 4)) {
    const whole = new Float32Array(5000);
    native().reset(whole, rule);
    for (const length of [0, 1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 65, 127, 999, 2047, 2048, 2049, 4096, 4999]) {
      const part = new Float32Array(length);
      native().reset(part, rule);
      t.strictSame(part, whole.subarray(0, length), `${rule.kind} ${length}`);
    }
  }
});

t.test('an array that starts anywhere in its buffer gets the same values', async (t) => {
  for (const rule of rules) {
    const aligned = new Float32Array(333);
    native().reset(aligned, rule);
    for (let offset = 1; offset < 18; offset++) {
      const within = new Float32Array(400);
      native().reset(within.subarray(offset, offset + 333), rule);
      t.strictSame(within.subarray(offset, offset + 333), aligned);
      t.ok(
        within.subarray(0, offset).every((x) => x === 0) &&
          within.subarray(offset + 333).every((x) => x === 0),
      );
    }
  }
});

t.test('a transposed parameter gets the transposed values, with rows of any length', async (t) => {
  const shapes = [
    [1, 1],
    [1, 100],
    [100, 1],
    [7, 13],
    [16, 252],
    [17, 253],
    [3, 1001],
    [65, 31],
    [33, 511],
  ] as const;
  for (const rule of rules) {
    for (const [channels, rest] of shapes) {
      const factor = Float32Array.from({ length: channels }, (_, c) => 1 + c / 8);
      const start = Float32Array.from({ length: channels * rest }, (_, i) => Math.sin(i));
      for (const scaled of [false, true]) {
        const plain = start.slice();
        const stored = transpose(start, channels);
        const options = (layout: Layout) => (scaled ? { layout, factor } : { layout });
        native().reset(plain, rule, options({ channels, inner: rest }));
        native().reset(stored, rule, options({ channels, inner: 1, transposed: true }));
        t.strictSame(stored, transpose(plain, channels), `${rule.kind} ${channels} x ${rest}`);
      }
    }
  }
});

t.test('factor multiplies every new value by its channel', async (t) => {
  const donor = Float32Array.from({ length: 120 }, (_, i) => Math.cos(i));
  const all: ResetRule[] = [
    ...rules,
    { kind: 'constant', value: 3 },
    { kind: 'interpolate', donor, alpha: 0.3 },
  ];
  for (const rule of all) {
    // [channels, inner], [4, channels, inner], and neighbours in storage of different channels.
    for (const [channels, inner] of [
      [8, 15],
      [10, 3],
      [5, 1],
      [120, 1],
    ] as const) {
      const factor = Float32Array.from({ length: channels }, (_, c) => c - 2.5);
      const layout = { channels, inner };
      const plain = Float32Array.from({ length: 120 }, (_, i) => Math.sin(i));
      const scaled = plain.slice();
      native().reset(plain, rule, { layout });
      native().reset(scaled, rule, { layout, factor });
      const expected = plain.map((x, i) => x * factor[Math.floor(i / inner) % channels]!);
      t.strictSame(scaled, expected, `${rule.kind} ${channels} ${inner}`);
    }
  }
});

t.test('a blend is an interpolation and then noise, in the same bits and every layout', async (t) => {
  const [alpha, std, key] = [0.3, 0.05, 77n];
  const [channels, rest] = [19, 700];
  const sine = Float32Array.from({ length: channels * rest }, (_, i) => Math.sin(i));
  const cosine = Float32Array.from({ length: channels * rest }, (_, i) => Math.cos(i));
  const factor = Float32Array.from({ length: channels }, (_, c) => 1 + c / 8);
  for (const [own, donor, layout] of [
    [sine, cosine, { channels, inner: rest }],
    [transpose(sine, channels), transpose(cosine, channels), { channels, inner: 1, transposed: true }],
  ] as const) {
    const [inTwo, inOne, later] = [own.slice(), own.slice(), own.slice()];
    native().reset(inTwo, { kind: 'interpolate', donor, alpha }, { layout });
    native().reset(inTwo, { kind: 'noise', std, key }, { layout, factor });
    const rule = { kind: 'blend', donor, alpha, std, key } as const;
    native().reset(inOne, rule, { layout, factor });
    await native().resetAsync(later, rule, { layout, factor });
    t.strictSame(inOne, inTwo);
    t.strictSame(later, inTwo);
    const distances = await native().drawDistances(own, rule, { layout, factor }, BigUint64Array.of(key));
    t.equal(distances[0], native().norms(own, inTwo).difference);
  }
  t.throws(() => native().reset(sine.slice(), { kind: 'blend', donor: cosine, alpha, std: -1, key }), {
    name: 'RangeError',
    message: /rule\.std must not be negative/,
  });
});

t.test('donor and factor may overlap the target', async (t) => {
  const shared = Float32Array.from({ length: 50 }, (_, i) => i);
  const [target, donor] = [shared.subarray(10, 40), shared.subarray(0, 30)];
  const expected = target.map((x, i) => 0.5 * donor[i]! + 0.5 * x);
  native().reset(target, { kind: 'interpolate', donor, alpha: 0.5 });
  t.strictSame(target, expected);
  const self = Float32Array.of(2, 3, 4, 5);
  native().reset(
    self,
    { kind: 'constant', value: 2 },
    { layout: { channels: 2, inner: 2 }, factor: self.subarray(0, 2) },
  );
  t.strictSame(self, Float32Array.of(4, 4, 6, 6));
  native().reset(self, { kind: 'interpolate', donor: self, alpha: 0.25 });
  t.strictSame(self, Float32Array.of(4, 4, 6, 6));
});

t.test('an empty target is left alone by every rule', async (t) => {
  for (const rule of rules) t.doesNotThrow(() => native().reset(new Float32Array(0), rule));
});
