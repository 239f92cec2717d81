import t from 'tap';
import { native } from '../../../src/native/addon.js';
import type { Blocked } from '../../../src/native/reset-rule.js';
import { noise } from '../engine/models.js';

/** The definition, element by element. */
function plainly(from: Float32Array, order: Blocked): Float32Array {
  const { outputs, inputs, kernel, block, inputBlock } = order;
  const padded = (count: number, by: number) => Math.ceil(count / by) * by;
  const [rows, columns] = [padded(outputs, block), padded(inputs, inputBlock)];
  const to = new Float32Array(rows * columns * kernel);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let k = 0; k < kernel; k++) {
        const outer = Math.floor(o / block) * (columns / inputBlock) + Math.floor(i / inputBlock);
        const inner = (k * inputBlock + (i % inputBlock)) * block + (o % block);
        to[outer * kernel * inputBlock * block + inner] = from[(o * inputs + i) * kernel + k] ?? 0;
      }
    }
  }
  return to;
}

t.test('every element goes where the order says, the padding is zero', async (t) => {
  for (const [outputs, inputs, kernel, block, inputBlock] of [
    [64, 64, 9, 16, 16],
    [64, 3, 49, 16, 1],
    [24, 20, 9, 16, 16],
    [20, 1, 9, 8, 1],
    [10, 7, 1, 10, 1],
    [5, 1, 1, 16, 1],
    [1, 1, 1, 1, 1],
    [33, 17, 4, 8, 8],
  ] as const) {
    const order = { outputs, inputs, kernel, block, inputBlock };
    const from = noise(outputs * inputs * kernel, 3n);
    const expected = plainly(from, order);
    const to = new Float32Array(expected.length).fill(Number.NaN);
    native().toBlocked(from, to, order);
    t.strictSame(to, expected, JSON.stringify(order));
  }
});

t.test('a block as high as the matrix transposes it', async (t) => {
  const from = Float32Array.of(1, 2, 3, 4, 5, 6);
  const to = new Float32Array(6);
  native().toBlocked(from, to, { outputs: 2, inputs: 3, kernel: 1, block: 2, inputBlock: 1 });
  t.strictSame(to, Float32Array.of(1, 4, 2, 5, 3, 6));
});

t.test('sizes that do not fit and values of another kind are refused', async (t) => {
  const { toBlocked } = native();
  const order = { outputs: 4, inputs: 4, kernel: 1, block: 4, inputBlock: 4 };
  const sixteen = () => new Float32Array(16);
  t.throws(() => toBlocked(new Float32Array(15), sixteen(), order), { name: 'RangeError', message: /from/ });
  t.throws(() => toBlocked(sixteen(), new Float32Array(17), order), { name: 'RangeError', message: /to / });
  for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 53, 'x', undefined]) {
    for (const key of Object.keys(order)) {
      t.throws(() => toBlocked(sixteen(), sixteen(), { ...order, [key]: bad } as Blocked), {
        message: /order/,
      });
    }
  }
  t.throws(() => toBlocked(sixteen(), sixteen(), null as unknown as Blocked), TypeError);
  const same = noise(16, 1n);
  const expected = plainly(same, { ...order, inputBlock: 1 });
  toBlocked(same, same, { ...order, inputBlock: 1 });
  t.strictSame(same, expected, 'in place too');
});
