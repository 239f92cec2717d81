import t from 'tap';
import { native } from '../../src/native/addon.js';
import type { ResetRule } from '../../src/native/reset-rule.js';

const addon = native();
const key = 42n;
const large = 1 << 22;
const normal = { kind: 'normal', mean: 0, std: 1, key } as const;

t.test('resetAsync resolves with nothing and does what reset does', async (t) => {
  const start = Float32Array.from({ length: 6000 }, (_, i) => i);
  const rules: ResetRule[] = [
    normal,
    { kind: 'uniform', low: 0, high: 1, key },
    { kind: 'trunc-normal', mean: 0, std: 1, low: -1, high: 1, key },
    { kind: 'noise', std: 1, key },
    { kind: 'shuffle', key },
    { kind: 'constant', value: 2 },
    { kind: 'interpolate', donor: start.slice().reverse(), alpha: 0.25 },
  ];
  const layout = { channels: 6, inner: 1, transposed: true };
  for (const options of [undefined, { layout }, { layout, factor: Float32Array.of(1, 2, 3, 4, 5, 6) }]) {
    for (const rule of rules) {
      const [now, later] = [start.slice(), start.slice()];
      addon.reset(now, rule, options);
      t.equal(await addon.resetAsync(later, rule, options), undefined);
      t.strictSame(later, now, rule.kind);
    }
  }
});

t.test('resetAsync reads the target at the call and writes it when it resolves', async (t) => {
  const values = Float32Array.of(1, 2, 3, 4);
  const done = addon.resetAsync(values, {
    kind: 'interpolate',
    donor: Float32Array.of(0, 0, 0, 0),
    alpha: 0.5,
  });
  values.fill(100);
  t.strictSame(values[0], 100);
  await done;
  t.strictSame(values, Float32Array.of(0.5, 1, 1.5, 2));
});

t.test('compareAsync gives what compare gives', async (t) => {
  const [original, changed] = [new Float32Array(20_000), new Float32Array(20_000)];
  addon.reset(original, normal);
  addon.reset(changed, { ...normal, key: 7n });
  const labels = Int32Array.from({ length: 20 }, (_, row) => row - 1);
  const unlabelled = await addon.compareAsync(original, changed, 1000);
  t.strictSame(unlabelled, addon.compare(original, changed, 1000));
  const labelled = addon.compareAsync(original, changed, 1000, labels);
  // The inputs were copied at the call.
  const expected = addon.compare(original, changed, 1000, labels);
  original.fill(Number.NaN);
  labels.fill(99);
  t.strictSame(await labelled, expected);
});

t.test('misuse rejects with the error that the synchronous call throws', async (t) => {
  await t.rejects(addon.resetAsync(new Float64Array(4) as never, normal), {
    name: 'TypeError',
    message: 'target must be a Float32Array',
  });
  await t.rejects(addon.resetAsync(new Float32Array(4), { ...normal, std: -1 }), { name: 'RangeError' });
  await t.rejects(addon.compareAsync(new Float32Array(4), new Float32Array(4), 3), { name: 'RangeError' });
});

t.test('errors carry the stack of the caller, early and late ones', async (t) => {
  async function theCaller(values: Float32Array) {
    const done = addon.resetAsync(values, normal);
    if (values) structuredClone(values.buffer, { transfer: [values.buffer as ArrayBuffer] });
    await done;
  }
  const late = await theCaller(new Float32Array(1000)).catch((error: Error) => error);
  t.match(late, { name: 'TypeError', message: /^target was detached or resized/ });
  t.match((late as Error).stack, /^TypeError: target was detached.*\n[\s\S]*theCaller/);
  const early = await theCaller(null as never).catch((error: Error) => error);
  t.match((early as Error).stack, /theCaller/);
});

t.test('inputs that are detached while a comparison runs do not matter', async (t) => {
  const [original, changed] = [new Float32Array(1 << 18).fill(1), new Float32Array(1 << 18)];
  const done = addon.compareAsync(original, changed, 64);
  structuredClone(original.buffer, { transfer: [original.buffer] });
  structuredClone(changed.buffer, { transfer: [changed.buffer] });
  const found = await done;
  t.equal(found.agreement, 4096);
});

t.test('a target that shrinks while its reset runs rejects', async (t) => {
  const Resizable = ArrayBuffer as unknown as new (
    length: number,
    options: object,
  ) => ArrayBuffer & { resize(length: number): void };
  const buffer = new Resizable(4000, { maxByteLength: 8000 });
  const tracking = addon.resetAsync(new Float32Array(buffer), normal);
  const fixed = addon.resetAsync(new Float32Array(buffer, 400, 100), normal);
  buffer.resize(500);
  await Promise.all([tracking, fixed].map((done) => t.rejects(done, { name: 'TypeError' })));
});

t.test('the event loop goes on while work runs', async (t) => {
  const values = new Float32Array(large);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const started = performance.now();
  await Promise.all([1, 2, 3, 4].map(() => addon.resetAsync(values, { kind: 'shuffle', key })));
  const elapsedMs = performance.now() - started;
  clearInterval(timer);
  // Copies in and out block for a moment; a blocked loop would not tick at all.
  t.ok(ticks >= 5, `${ticks} ticks in ${elapsedMs} ms`);
});

t.test('many calls at once all settle', async (t) => {
  const expected = new Float32Array(500);
  addon.reset(expected, normal);
  const all = Array.from({ length: 200 }, async () => {
    const values = new Float32Array(500);
    await addon.resetAsync(values, normal);
    return values;
  });
  for (const values of await Promise.all(all))
    t.ok(Buffer.from(values.buffer).equals(Buffer.from(expected.buffer)));
});
