import { join } from 'node:path';
import t from 'tap';
import { CritmapError } from '../../../src/errors.js';
import { loadModel } from '../../../src/model/load.js';
import type { Node } from '../../../src/onnx/onnx_pb.js';
import { chooseEnds } from '../../../src/onnx/passes/ends.js';
import { graph, longs, node, value, weight, writeGraph } from '../graphs.js';

const transpose = (from: string) => node('Transpose', [from], 't', { perm: [0, 3, 1, 2] });

t.test('few channels at the end are the channels of square images, or where they are moved', async (t) => {
  const cases: [shape: (number | null)[], nodes: Node[], channelsLast: boolean][] = [
    [[null, 3, 32, 32], [], false],
    [[null, 32, 32, 3], [], true],
    [[null, null, null, 3], [], true],
    [[null, 24, 32, 3], [transpose('x')], true],
    [[null, 24, 32, 3], [node('Sub', ['x', 'mean'], 's'), transpose('s')], true],
    [[null, 24, 32, 3], [node('Transpose', ['x'], 't', { perm: [0, 2, 1, 3] })], false],
    [[null, 12, 4, 4], [], false],
    [[null, 2, 128, 4], [], false],
    [[null, 512, 1, 1], [], false],
  ];
  for (const [shape, nodes, channelsLast] of cases) {
    const made = graph({
      node: [...nodes, node('Conv', [nodes.length > 0 ? 't' : 'x', 'w'], 'logits')],
      initializer: [weight('mean', [3])],
      input: [value('x', shape)],
      output: [value('logits', [null, 10])],
    });
    t.equal(chooseEnds('m.onnx', made).channelsLast, channelsLast, JSON.stringify([shape, nodes.length]));
  }
});

t.test('a head that does not lead to the logits is left out, what a graph inside reads stays', async (t) => {
  const inner = graph({ node: [node('Identity', ['b'], 'i')], output: [value('i', [])] });
  const made = graph({
    node: [
      node('Gemm', ['x', 'v'], 'a'),
      node('Gemm', ['a', 'w'], 'b'),
      node('If', ['yes'], 'logits', { then_branch: inner, else_branch: inner }),
      node('Gemm', ['a', 'w'], 'h'),
      node('Gemm', ['h', 'w'], 'aux'),
    ],
    initializer: [weight('v', [4, 4]), weight('w', [4, 4])],
    input: [value('x', [null, 4]), value('yes', [])],
    output: [value('logits', [null, 4]), value('aux', [null, 4])],
  });
  const { aside } = chooseEnds('m.onnx', made, { input: 'x', output: 'logits' });
  t.match(aside, [{ op: 'Gemm' }, { op: 'Gemm' }], 'and said so');
  t.strictSame(
    made.node.map(({ output }) => output[0]),
    ['a', 'b', 'logits'],
  );
});

t.test('of many outputs one has to be named, in one line', async (t) => {
  const count = 130_000;
  const path = join(t.testdir({}), 'many.onnx');
  writeGraph(path, {
    node: [
      node('Conv', ['x', 'w'], 'c'),
      node('GlobalAveragePool', ['c'], 'g'),
      node('Flatten', ['g'], 'y0'),
    ],
    initializer: [weight('w', [10, 3, 3, 3])],
    input: [value('x', [null, 3, 8, 8])],
    output: Array.from({ length: count }, (_, i) => value(`y${i}`, [null, 10])),
  });
  const error = await loadModel(path).catch((thrown: unknown) => thrown);
  t.ok(error instanceof CritmapError && error.code === 'ERR_MODEL');
  t.match((error as Error).message, /many\.onnx: any of its 130000 outputs .*y0 \? x 10.* more.*--output/);
  t.ok((error as Error).message.length < 1000);
  t.equal((await loadModel(path, { output: 'y0' })).io.output, 'y0');
});

t.test('zeros for other inputs end at a million', async (t) => {
  const of = (inputs: number) =>
    graph({
      node: [node('Conv', ['x', ...Array.from({ length: inputs }, (_, i) => `z${i}`)], 'logits')],
      input: [
        value('x', [null, 3, 8, 8]),
        ...Array.from({ length: inputs }, (_, i) => value(`z${i}`, [null, 2 ** 18])),
      ],
      output: [value('logits', [null, 10])],
    });
  t.equal(chooseEnds('m.onnx', of(4), { input: 'x' }).zeroed.length, 4);
  t.throws(
    () => chooseEnds('m.onnx', of(5), { input: 'x' }),
    /also needs the input z4.*cannot fill with zeros/,
  );
});

t.test('where no output is N x classes, what the last Linear gives is named', async (t) => {
  const path = join(t.testdir({}), 'accuracy.onnx');
  writeGraph(path, {
    node: [
      node('GlobalAveragePool', ['x'], 'g'),
      node('Flatten', ['g'], 'f'),
      node('MatMul', ['f', 'w'], 'm'),
      node('Add', ['m', 'b'], 'sum:0'),
      node('ReduceMean', ['sum:0'], 'accuracy:0', { keepdims: 0 }),
    ],
    initializer: [weight('w', [3, 4]), weight('b', [4])],
    input: [value('x', [null, 3, 8, 8])],
    output: [value('accuracy:0', [])],
  });
  await t.rejects(loadModel(path), {
    message: /no output is N x classes \(accuracy:0\);.*--output; its last Linear gives "sum:0"$/,
  });
  t.strictSame(
    (await loadModel(path, { output: 'sum:0' })).layers.map(({ op }) => op),
    ['MatMul'],
  );
});

t.test('the largest values in their order are refused, with what they are taken of', async (t) => {
  const path = join(t.testdir({}), 'best.onnx');
  writeGraph(path, {
    node: [
      node('GlobalAveragePool', ['x'], 'g'),
      node('Flatten', ['g'], 'f'),
      node('MatMul', ['f', 'w'], 'm'),
      node('TopK', ['m', 'two'], 'best'),
    ],
    initializer: [weight('w', [3, 4]), longs('two', [2])],
    input: [value('x', [null, 3, 8, 8])],
    output: [value('best', [null, 2])],
  });
  await t.rejects(loadModel(path), {
    code: 'ERR_MODEL',
    message: /its output best is the largest values in their order .*--output "m"$/,
  });
  t.equal((await loadModel(path, { output: 'm' })).layers.length, 1);
});
