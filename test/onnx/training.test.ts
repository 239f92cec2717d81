/** Graphs that are no function of one image. */
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import t from 'tap';
import { loadModel } from '../../src/model/load.js';
import { type Node, type Tensor, TensorSchema } from '../../src/onnx/onnx_pb.js';
import { graph, node, value, weight, writeGraph } from './graphs.js';

const norm = ['c', 'scale', 'bias', 'mean', 'variance'];
const flag = (name: string, is: boolean): Tensor =>
  create(TensorSchema, { name, dataType: 9, rawData: Uint8Array.of(Number(is)) });
const ratio = (name: string, is: number): Tensor => ({
  ...weight(name, []),
  rawData: new Uint8Array(Float32Array.of(is).buffer),
});

/** A convolution that makes `c`, what makes `x` of it, and a Linear. */
function write(path: string, nodes: Node[], opset = 17): string {
  writeGraph(
    path,
    {
      node: [
        node('Conv', ['images', 'conv.weight'], 'c', { kernel_shape: [3, 3] }),
        ...nodes,
        node('GlobalAveragePool', ['x'], 'g'),
        node('Flatten', ['g'], 'f'),
        node('Gemm', ['f', 'fc.weight'], 'logits', { transB: 1 }),
      ],
      initializer: [
        weight('conv.weight', [4, 1, 3, 3]),
        ...['scale', 'bias', 'mean', 'variance'].map((name) => weight(name, [4])),
        ...[flag('yes', true), flag('no', false), ratio('half', 0.5), ratio('nothing', 0)],
        weight('fc.weight', [3, 4]),
      ],
      input: [value('images', [null, 1, 8, 8])],
      output: [value('logits', [null, 3])],
    },
    { opset },
  );
  return path;
}

const named = (one: Node, name: string, more: string[] = []): Node => ({
  ...one,
  name,
  output: [...one.output, ...more],
});

t.test('nodes in training mode are refused by name, with the remedy', async (t) => {
  const path = join(t.testdir({}), 'm.onnx');
  const inner = graph({
    node: [node('RandomUniformLike', ['c'], 'u'), node('Add', ['c', 'u'], 'y')],
    output: [value('y', [null, 4, 6, 6])],
  });
  const cases: [nodes: Node[], message: RegExp, opset?: number][] = [
    [
      [named(node('BatchNormalization', norm, 'x', { training_mode: 1 }), 'bn1', ['m', 'v'])],
      /m\.onnx: it was exported in training mode: its node bn1 \(BatchNormalization\) normalises by the batch's own statistics, .* Call model\.eval\(\)/,
    ],
    [[named(node('BatchNormalization', norm, 'x'), 'bn1', ['m', 'v', 'sm', 'sv'])], /bn1 .*batch's own/, 9],
    [
      [named(node('Dropout', ['c', 'half', 'yes'], 'x'), 'drop')],
      /drop \(Dropout\) leaves values out at random/,
    ],
    [[node('Dropout', ['c', '', 'yes'], 'x')], /x \(Dropout\)/],
    [
      [node('RandomNormalLike', ['c'], 'r'), node('Bernoulli', ['r'], 'b'), node('Mul', ['c', 'b'], 'x')],
      /r \(RandomNormalLike\) draws random numbers, and so do 1 more/,
    ],
    [[node('If', ['yes'], 'x', { then_branch: inner, else_branch: inner })], /u \(RandomUniformLike\)/],
  ];
  for (const [nodes, message, opset] of cases) {
    await t.rejects(loadModel(write(path, nodes, opset)), { code: 'ERR_MODEL', message });
  }
});

t.test('what does nothing in inference, or leads nowhere, is taken', async (t) => {
  const path = join(t.testdir({}), 'm.onnx');
  const taken: [nodes: Node[], opset?: number][] = [
    [[node('BatchNormalization', norm, 'x')]],
    [[node('Dropout', ['c', 'half', 'no'], 'x')]],
    [[node('Dropout', ['c', 'nothing', 'yes'], 'x')]],
    [[node('Dropout', ['c', 'half'], 'x')]],
    [[node('Dropout', ['c'], 'x')], 9],
    [[node('RandomNormalLike', ['c'], 'unused'), node('Relu', ['c'], 'x')]],
  ];
  for (const [nodes, opset] of taken) {
    const { layers, warnings } = await loadModel(write(path, nodes, opset));
    t.equal(layers.length, 2);
    t.strictSame(warnings, []);
  }
});
