/** Weights that the runtime's graph has twice, or in the place of others: values alone do not tell them. */
import { join } from 'node:path';
import t from 'tap';
import { loadModel } from '../../src/model/load.js';
import type { Node, Tensor } from '../../src/onnx/onnx_pb.js';
import { optimisedGraph } from '../../src/plan/optimised.js';
import { enginesAgree } from '../onnx/engines-agree.js';
import { node, value, weight, writeGraph } from '../onnx/graphs.js';

const images = Float32Array.from({ length: 3 * 2 * 64 }, (_, i) => Math.sin(i * i));
const size = { channels: 2, height: 8, width: 8 };

const filled = (name: string, dims: number[], values: Float32Array): Tensor => ({
  ...weight(name, dims),
  rawData: new Uint8Array(values.buffer),
});
const noise = (count: number, from: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin((i + from) ** 2) / 8);
const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, one) => sum + one * one, 0));

function write(path: string, nodes: Node[], stored: Tensor[]): string {
  writeGraph(path, {
    node: [
      node('Conv', ['images', 'stem.weight'], 'c', { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      ...nodes,
      node('GlobalMaxPool', ['x'], 'g'),
      node('Flatten', ['g'], 'f'),
      node('Gemm', ['f', 'fc.weight'], 'logits', { transB: 1 }),
    ],
    initializer: [
      filled('stem.weight', [16, 2, 3, 3], noise(288, 0.3)),
      filled('fc.weight', [5, 16], noise(80, 0.7)),
      ...stored,
    ],
    input: [value('images', [null, 2, 8, 8])],
    output: [value('logits', [null, 5])],
  });
  return path;
}

t.test('a weight that already equals what its norm makes of it is reset before the norm', async (t) => {
  // Rows of unit norm, as weight_norm leaves them with gains of 1.
  const direction = noise(16 * 16 * 9, 0.1);
  for (let row = 0; row < 16; row++) {
    const values = direction.subarray(144 * row, 144 * (row + 1));
    const by = norm(values);
    for (const [i, one] of values.entries()) values[i] = one / by;
  }
  const gains = filled('conv.weight_g', [16, 1, 1, 1], new Float32Array(16).fill(1));
  const model = await loadModel(
    write(
      join(t.testdir({}), 'm.onnx'),
      [
        node('ReduceL2', ['conv.weight_v'], 'norm', { axes: [1, 2, 3], keepdims: 1 }),
        node('Div', ['conv.weight_v', 'norm'], 'unit'),
        node('Mul', ['unit', 'conv.weight_g'], 'weight'),
        node('Conv', ['c', 'weight'], 'x', { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      ],
      [filled('conv.weight_v', [16, 16, 3, 3], direction), gains],
    ),
  );
  t.match(model.layers[1], { name: 'conv', weight: { tensor: 'conv.weight_v' } });
  // A constant of 3 is one of 1 / 12 behind the norm.
  await enginesAgree(t, model, images, undefined, ['random', 'constant=3']);
});

t.test('kernels of other sizes, as large in all, are told apart', async (t) => {
  const [three, one] = [noise(16 * 16 * 9, 0.2), noise(16 * 16, 0.4)];
  const by = norm(three) / norm(one);
  for (const [i, value] of one.entries()) one[i] = value * by;
  const path = join(t.testdir({}), 'm.onnx');
  for (const [a, b] of [
    [three, one],
    [new Float32Array(16 * 16 * 9), new Float32Array(16 * 16)],
  ] as const) {
    const model = await loadModel(
      write(
        path,
        [
          node('Conv', ['c', 'three.weight'], 'a', { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
          node('Conv', ['c', 'one.weight'], 'b', { kernel_shape: [1, 1] }),
          node('Add', ['a', 'b'], 's'),
          node('Add', ['s', 'c'], 'x'),
        ],
        [filled('three.weight', [16, 16, 3, 3], a), filled('one.weight', [16, 16, 1, 1], b)],
      ),
    );
    const source = await optimisedGraph(model, size, 2, 'keep');
    if (a === three) t.equal(typeof source === 'string' ? source : source.places.size, 4);
    // Zeros change by what is drawn only.
    await enginesAgree(t, model, images, undefined, a === three ? ['random', 'zero'] : ['constant=0.1']);
  }
});
