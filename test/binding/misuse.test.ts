import t, { type Test } from 'tap';
import { type Native, native } from '../../src/native/addon.js';

const addon = native();
// Calls no TypeScript caller can write.
const anything = addon as unknown as Record<keyof Native, (...args: unknown[]) => unknown>;
const key = 1n;
const normal = { kind: 'normal', mean: 0, std: 1, key };
const target = () => new Float32Array(12);

function throwsType(t: Test, call: () => unknown, message: RegExp): void {
  t.throws(call, { name: 'TypeError', message });
}
function throwsRange(t: Test, call: () => unknown, message: RegExp): void {
  t.throws(call, { name: 'RangeError', message });
}
function detached(length: number): Float32Array {
  const array = new Float32Array(length);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

const notArrays = [
  undefined,
  null,
  7,
  7n,
  'x',
  Symbol('x'),
  {},
  [],
  () => {},
  new Float64Array(12),
  new Uint8Array(12),
  new ArrayBuffer(48),
  new DataView(new ArrayBuffer(48)),
  new Proxy(new Float32Array(12), {}),
  Object.create(Float32Array.prototype),
];

t.test('what is not a Float32Array is a TypeError that names the argument', async (t) => {
  for (const value of notArrays) {
    throwsType(t, () => anything.reset(value, normal), /^target must be a Float32Array$/);
    throwsType(t, () => anything.compare(value, target(), 3), /^original must be a Float32Array$/);
    throwsType(t, () => anything.compare(target(), value, 3), /^changed must be a Float32Array$/);
    throwsType(t, () => anything.norms(value, target()), /^original must be/);
    throwsType(t, () => anything.norms(target(), value), /^changed must be/);
    throwsType(
      t,
      () => anything.reset(target(), { kind: 'interpolate', alpha: 0, donor: value }),
      /^rule.donor must/,
    );
    if (value !== undefined) {
      const options = { layout: { channels: 12, inner: 1 }, factor: value };
      throwsType(t, () => anything.reset(target(), normal, options), /^options.factor must/);
      throwsType(t, () => anything.compare(target(), target(), 3, value), /^labels must be an Int32Array$/);
    }
  }
});

t.test('arrays that are detached or shared are a TypeError', async (t) => {
  const shared = new Float32Array(new SharedArrayBuffer(48));
  for (const bad of [detached(12), shared]) {
    const layout = { channels: 12, inner: 1 };
    const quantize = { kind: 'quantize', grid: 'int8', scales: bad } as const;
    throwsType(t, () => addon.reset(target(), quantize, { layout }), /^rule.scales must not/);
    throwsType(t, () => addon.reset(bad, normal as never), /^target must not be detached/);
    throwsType(t, () => addon.compare(target(), bad, 3), /^changed must not be detached/);
    throwsType(t, () => addon.norms(bad, bad), /^original must not be detached/);
    throwsType(
      t,
      () => addon.reset(target(), { kind: 'interpolate', donor: bad, alpha: 0 }),
      /^rule.donor must not/,
    );
  }
});

t.test('a length-tracking array of a resizable buffer is taken at its present length', async (t) => {
  const Resizable = ArrayBuffer as unknown as new (
    length: number,
    options: object,
  ) => ArrayBuffer & { resize(length: number): void };
  const buffer = new Resizable(48, { maxByteLength: 96 });
  const fixed = new Float32Array(buffer, 16, 8);
  const tracking = new Float32Array(buffer);
  addon.reset(tracking, { kind: 'constant', value: 2 });
  buffer.resize(96);
  t.strictSame(tracking[23], 0);
  addon.reset(tracking, { kind: 'constant', value: 3 });
  t.strictSame(tracking[23], 3);
  buffer.resize(8);
  t.doesNotThrow(() => addon.reset(tracking, { kind: 'constant', value: 4 }));
  t.strictSame([...tracking], [4, 4]);
  // Out of bounds now: empty or refused, but no crash.
  try {
    addon.reset(fixed, { kind: 'constant', value: 5 });
  } catch (error) {
    t.equal((error as Error).name, 'TypeError');
  }
});

t.test('rules of a wrong shape are refused by name', async (t) => {
  const reset = (rule: unknown) => () => anything.reset(target(), rule);
  for (const rule of [undefined, null, 5, 'normal', () => {}])
    throwsType(t, reset(rule), /^rule must be an object$/);
  throwsType(t, reset({}), /^rule.kind must be a string$/);
  throwsRange(t, reset({ kind: 'gauss' }), /^rule.kind must be uniform, normal/);
  throwsRange(t, reset({ kind: 'x'.repeat(1e6) }), /^rule.kind must be/);
  throwsRange(t, reset({ kind: 'normal\0' }), /^rule.kind must be/);
  throwsType(t, reset({ ...normal, mean: '0' }), /^rule.mean must be a number$/);
  throwsType(t, reset({ ...normal, std: 1n }), /^rule.std must be a number$/);
  throwsType(t, reset({ kind: 'uniform', low: 0, key }), /^rule.high must be a number$/);
  throwsType(t, reset({ kind: 'constant', value: Symbol('v') }), /^rule.value must be a number$/);
  throwsType(t, reset({ ...normal, key: 5 }), /^rule.key must be a bigint$/);
  throwsType(t, reset({ kind: 'shuffle' }), /^rule.key must be a bigint$/);
  throwsRange(t, reset({ ...normal, key: -1n }), /^rule.key must be from 0/);
  throwsRange(t, reset({ ...normal, key: 2n ** 64n }), /^rule.key must be from 0/);
  throwsRange(t, reset({ ...normal, key: 2n ** 5000n }), /^rule.key must be from 0/);
  t.doesNotThrow(reset({ ...normal, key: 2n ** 64n - 1n }));
});

t.test('numbers that are not finite, as float32 either, are a RangeError', async (t) => {
  const reset = (rule: unknown) => () => anything.reset(target(), rule);
  for (const bad of [Number.NaN, Infinity, -Infinity, 1e39]) {
    throwsRange(t, reset({ ...normal, mean: bad }), /^rule.mean must be finite/);
    throwsRange(t, reset({ ...normal, std: bad }), /^rule.std must/);
    throwsRange(t, reset({ kind: 'uniform', low: bad, high: 1, key }), /^rule.low must be finite/);
    throwsRange(t, reset({ kind: 'uniform', low: 0, high: bad, key }), /^rule.high must be finite/);
    throwsRange(t, reset({ kind: 'constant', value: bad }), /^rule.value must be finite/);
    throwsRange(t, reset({ kind: 'noise', std: bad, key }), /^rule.std must/);
    throwsRange(t, reset({ kind: 'interpolate', donor: target(), alpha: bad }), /^rule.alpha must be finite/);
    const options = { layout: { channels: 2, inner: 6 }, factor: Float32Array.of(1, bad) };
    throwsRange(t, () => anything.reset(target(), normal, options), /^options.factor must be finite$/);
  }
  throwsRange(t, reset({ ...normal, std: -1 }), /^rule.std must not be negative$/);
  throwsRange(t, reset({ kind: 'noise', std: -1e-9, key }), /^rule.std must not be negative$/);
  throwsRange(t, reset({ kind: 'uniform', low: 2, high: 1, key }), /^rule.low must not be greater/);
  throwsRange(
    t,
    reset({ kind: 'uniform', low: -3e38, high: 3e38, key }),
    /^rule.high - rule.low must be finite/,
  );
  throwsRange(
    t,
    reset({ ...normal, kind: 'trunc-normal', low: 2, high: 1 }),
    /^rule.low must not be greater/,
  );
});

t.test('layouts and factors that do not fit are refused by name', async (t) => {
  const reset = (options: unknown) => () => anything.reset(target(), normal, options);
  for (const options of [null, 5, 'x', () => {}])
    throwsType(t, reset(options), /^options must be an object$/);
  throwsType(t, reset({ layout: 5 }), /^options.layout must be an object$/);
  throwsType(t, reset({ layout: {} }), /^options.layout.channels must be a number$/);
  throwsType(t, reset({ layout: { channels: 3, inner: '4' } }), /^options.layout.inner must be a number$/);
  for (const bad of [0, -1, 1.5, Number.NaN, Infinity, 2 ** 53]) {
    throwsRange(
      t,
      reset({ layout: { channels: bad, inner: 1 } }),
      /^options.layout.channels must be a positive/,
    );
    throwsRange(
      t,
      reset({ layout: { channels: 1, inner: bad } }),
      /^options.layout.inner must be a positive/,
    );
  }
  throwsType(
    t,
    reset({ layout: { channels: 3, inner: 1, transposed: 1 } }),
    /^options.layout.transposed must be a/,
  );
  throwsRange(
    t,
    reset({ layout: { channels: 3, inner: 4, transposed: true } }),
    /^options.layout.inner must be 1/,
  );
  for (const [channels, inner] of [
    [5, 1],
    [24, 1],
    [3, 8],
    [2 ** 52, 2 ** 52],
    [2 ** 32, 2 ** 32],
  ]) {
    throwsRange(t, reset({ layout: { channels, inner } }), /^target's length must be a multiple/);
  }
  throwsType(t, reset({ factor: new Float32Array(3) }), /^options.layout must be given/);
  throwsRange(
    t,
    reset({ layout: { channels: 4, inner: 3 }, factor: new Float32Array(3) }),
    /^options.factor must have options.layout.channels elements$/,
  );
  throwsRange(
    t,
    () => addon.reset(target(), { kind: 'interpolate', donor: new Float32Array(11), alpha: 0 }),
    /^rule.donor must have the length of target$/,
  );
});

t.test('blocks, classes and labels that do not fit are refused by name', async (t) => {
  const compare =
    (...args: unknown[]) =>
    () =>
      anything.compare(...args);
  throwsRange(t, compare(target(), new Float32Array(9), 3), /^changed must have the length of original$/);
  throwsRange(t, compare(target(), target(), 5), /^original's length must be a multiple of classes$/);
  for (const bad of [0, -3, 2.5, Number.NaN, Infinity]) {
    throwsRange(t, compare(target(), target(), bad), /^classes must be a positive integer$/);
  }
  for (const bad of [undefined, '3', 3n, null]) {
    throwsType(t, compare(target(), target(), bad), /^classes must be a number$/);
  }
  throwsRange(t, compare(target(), target(), 3, new Int32Array(3)), /^labels must have one element per row$/);
  throwsRange(
    t,
    compare(target(), target(), 3, Int32Array.of(0, 3, 0, 0)),
    /^labels\[1\] must be -1 or a class below 3$/,
  );
  throwsRange(t, compare(target(), target(), 3, Int32Array.of(0, 0, -2, 0)), /^labels\[2\] must be/);
  throwsRange(
    t,
    () => addon.norms(target(), new Float32Array(3)),
    /^changed must have the length of original$/,
  );
});

t.test('what a getter throws comes through, and nothing is written', async (t) => {
  const values = target();
  const rule = {
    ...normal,
    get std(): number {
      throw new Error('from the getter');
    },
  };
  t.throws(() => anything.reset(values, rule), { message: 'from the getter' });
  t.ok(values.every((x) => x === 0));
});

t.test('a getter that detaches or replaces a buffer is caught', async (t) => {
  for (const victim of ['target', 'donor', 'factor'] as const) {
    const arrays = { target: target(), donor: target(), factor: new Float32Array(3) };
    const rule = { kind: 'interpolate', donor: arrays.donor, alpha: 0.5 };
    const options = {
      factor: arrays.factor,
      get layout() {
        structuredClone(arrays[victim].buffer, { transfer: [arrays[victim].buffer] });
        return { channels: 3, inner: 4 };
      },
    };
    throwsType(t, () => anything.reset(arrays.target, rule, options), /must not be detached/);
  }
});

t.test('a missing argument is a TypeError', async (t) => {
  for (const name of ['reset', 'compare', 'norms', 'usePath'] as const)
    throwsType(t, () => anything[name](), /must be/);
  for (const name of ['resetAsync', 'compareAsync'] as const) {
    await t.rejects(anything[name]() as Promise<unknown>, { name: 'TypeError' });
  }
});
