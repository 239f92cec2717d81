import ndarray from 'ndarray';
import t from 'tap';
import { compareLogits, type ResetWeightsOptions, resetWeights } from '../../src/resets/arrays.js';
import { resetKey } from '../../src/resets/parameter-resets.js';

const spread = (values: Float32Array) => {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
};

t.test('resetWeights fills in place with the scheme that it is told', async (t) => {
  const weights = new Float32Array(64 * 32 * 9);
  const same = await resetWeights(weights, { shape: [64, 32, 3, 3], init: 'kaiming-normal', layer: 'conv1' });
  t.equal(same, weights);
  const ratio = spread(weights) / Math.sqrt(2 / (32 * 9));
  t.ok(ratio > 0.97 && ratio < 1.03, `${ratio}`);
});

t.test('the values depend on seed, layer, parameter and trial alone', async (t) => {
  const draw = (over: Partial<ResetWeightsOptions>) =>
    resetWeights(new Float32Array(600), { shape: [20, 30], seed: 1, layer: 'fc', trial: 2, ...over });
  const expected = await draw({});
  t.strictSame(await draw({}), expected);
  for (const over of [{ seed: 2 }, { layer: 'head' }, { trial: 3 }, { parameter: 'bias' }]) {
    t.notSame(await draw(over), expected, JSON.stringify(over));
  }
});

t.test('a large array, filled off the main thread, has the same values as a small one has', async (t) => {
  const rule = { kind: 'normal', mean: 0, std: 1, key: resetKey(0, 'a', 'weight', 0) } as const;
  const large = await resetWeights(new Float32Array(1 << 19), { shape: [1 << 19], rule });
  const small = await resetWeights(new Float32Array(1000), { shape: [1000], rule });
  t.strictSame(large.subarray(0, 1000), small);
});

t.test('a factor scales every output channel', async (t) => {
  const options: ResetWeightsOptions = { shape: [2, 3], init: 'xavier-uniform' };
  const plain = await resetWeights(new Float32Array(6), options);
  const scaled = await resetWeights(new Float32Array(6), { ...options, factor: Float32Array.of(2, 0) });
  t.strictSame(
    scaled,
    Float32Array.of(...Array.from(plain.subarray(0, 3), (v) => 2 * v), 0, 0, 0).map((v) => v + 0),
  );
});

t.test('shapes and fans that do not fit are refused', async (t) => {
  await t.rejects(resetWeights(new Float32Array(5), { shape: [2, 3] }), RangeError);
  await t.rejects(resetWeights(new Float32Array(0), { shape: [0, 3] }), RangeError);
  await t.rejects(resetWeights(new Float32Array(6), { shape: [2.5, 3] }), RangeError);
  await t.rejects(
    resetWeights(new Float32Array(6), { shape: [2, 3], factor: new Float32Array(3) }),
    RangeError,
  );
  await t.rejects(resetWeights([1, 2] as unknown as Float32Array, { shape: [2] }), TypeError);
});

t.test('compareLogits takes ndarrays, strided or transposed, and flat blocks alike', async (t) => {
  const a = Float32Array.of(1, 2, 3, 4, 5, 6);
  const b = Float32Array.of(3, 2, 1, 4, 5, 6);
  const expected = await compareLogits({ data: a, shape: [2, 3] }, { data: b, shape: [2, 3] });
  t.equal(expected.images, 2);
  t.equal(expected.agreement, 1);
  t.strictSame(await compareLogits(ndarray(a, [2, 3]), ndarray(b, [2, 3])), expected);
  const columns = ndarray(Float32Array.of(1, 4, 2, 5, 3, 6), [3, 2]).transpose(1, 0);
  t.strictSame(await compareLogits(columns, ndarray(b, [2, 3])), expected);
  const wide = ndarray(Float32Array.of(9, 1, 2, 3, 9, 4, 5, 6), [2, 4]).lo(0, 1);
  t.strictSame(await compareLogits(wide, ndarray(b, [2, 3])), expected);
});

t.test('compareLogits with labels gives accuracy and cross-entropy of the changed logits', async (t) => {
  const block = { data: Float32Array.of(0, 1, 2, 2, 1, 0), shape: [2, 3] } as const;
  const { top1, loss } = await compareLogits(block, block, Int32Array.of(2, 2));
  t.strictSame(top1, Uint8Array.of(1, 0));
  const expected = Math.log(Math.exp(0) + Math.exp(1) + Math.exp(2));
  t.ok(Math.abs((loss?.[0] ?? 0) - (expected - 2)) < 1e-6);
  t.ok(Math.abs((loss?.[1] ?? 0) - expected) < 1e-6);
});

t.test('blocks of different shapes and labels out of range are refused', async (t) => {
  const block = (rows: number, columns: number) => ndarray(new Float32Array(rows * columns), [rows, columns]);
  await t.rejects(compareLogits(block(2, 3), block(3, 2)), RangeError);
  await t.rejects(compareLogits({ data: new Float32Array(5), shape: [2, 3] }, block(2, 3)), RangeError);
  await t.rejects(compareLogits(ndarray(new Float32Array(6), [6]), block(2, 3)), RangeError);
  await t.rejects(compareLogits(block(2, 3), block(2, 3), Int32Array.of(0, 3)), RangeError);
});
