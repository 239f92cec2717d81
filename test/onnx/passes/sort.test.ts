import { join } from 'node:path';
import t from 'tap';
import { loadModel } from '../../../src/model/load.js';
import type { Node } from '../../../src/onnx/onnx_pb.js';
import { sorted } from '../../../src/onnx/passes/sort.js';
import { graph, node, value, weight, writeGraph } from '../graphs.js';

const namesOf = (nodes: readonly Node[]) => nodes.map(({ output }) => output[0]);

t.test('nodes come after those that they read from, otherwise in their order', (t) => {
  const inner = graph({ node: [node('Identity', ['c'], 'i')] });
  const inOrder = [
    node('Relu', ['x'], 'a'),
    node('Relu', ['x'], 'b'),
    node('Add', ['a', 'b'], 'c'),
    node('If', ['yes'], 'd', { then_branch: inner }),
    node('Add', ['d', 'a'], 'e'),
  ];
  t.strictSame(sorted(inOrder), inOrder);
  t.strictSame(namesOf(sorted([...inOrder].reverse())), ['a', 'b', 'c', 'd', 'e']);
  const moved = [inOrder[4], ...inOrder.slice(0, 4)] as Node[];
  t.strictSame(namesOf(sorted(moved)), ['a', 'b', 'c', 'd', 'e'], 'what a node needs is put before it');
  t.end();
});

t.test('a long graph that is all in reverse takes no time to speak of', (t) => {
  const count = 100_000;
  const nodes = Array.from({ length: count }, (_, i) => node('Relu', [`t${i}`], `t${i + 1}`)).reverse();
  t.strictSame(namesOf(sorted(nodes)).slice(0, 2), ['t1', 't2']);
  t.end();
});

t.test('a cycle and a tensor that is made twice are refused when the file is read', async (t) => {
  const dir = t.testdir({});
  const head = [node('Conv', ['x', 'w'], 'c'), node('GlobalAveragePool', ['c'], 'g')];
  const bad: [name: string, nodes: Node[], says: RegExp][] = [
    [
      'cycle',
      [...head, node('Add', ['g', 'r'], 'f'), node('Relu', ['f'], 'r'), node('Flatten', ['r'], 'logits')],
      /cycle\.onnx: the graph has a cycle at (Add|Relu)/,
    ],
    ['self', [...head, node('Add', ['g', 'logits'], 'logits')], /self\.onnx: the graph has a cycle at Add/],
    [
      'twice',
      [...head, node('Flatten', ['g'], 'logits'), node('Flatten', ['c'], 'logits')],
      /twice\.onnx: the graph makes the tensor logits twice/,
    ],
  ];
  for (const [name, nodes, message] of bad) {
    const path = join(dir, `${name}.onnx`);
    writeGraph(path, {
      node: nodes,
      initializer: [weight('w', [10, 3, 3, 3])],
      input: [value('x', [null, 3, 8, 8])],
      output: [value('logits', [null, 10])],
    });
    await t.rejects(loadModel(path), { code: 'ERR_MODEL', message });
  }
});

t.test(
  'keras2onnx: last node first, weights called W, B, W1: layers in their order, by the names of nodes',
  async (t) => {
    const named = (name: string, one: Node) => Object.assign(one, { name });
    const path = join(t.testdir({}), 'keras.onnx');
    writeGraph(path, {
      node: [
        named('Identity1', node('Identity', ['probabilities'], 'dense_2/Softmax:0')),
        node('Softmax', ['biased_tensor_name'], 'probabilities'),
        named('Add', node('Add', ['transformed_tensor', 'B'], 'biased_tensor_name')),
        named('dense_2', node('MatMul', ['flat', 'W'], 'transformed_tensor')),
        node('Flatten', ['pooled'], 'flat'),
        node('GlobalAveragePool', ['convolution_output'], 'pooled'),
        named('conv2d_1', node('Conv', ['adjusted_input', 'W1', 'B1'], 'convolution_output')),
        node('Transpose', ['images'], 'adjusted_input', { perm: [0, 3, 1, 2] }),
      ],
      initializer: [weight('W', [6, 10]), weight('B', [10]), weight('W1', [6, 1, 3, 3]), weight('B1', [6])],
      input: [value('images', [null, 8, 8, 1])],
      output: [value('dense_2/Softmax:0', [null, 10])],
    });
    const { layers, warnings } = await loadModel(path);
    t.strictSame(
      layers.map(({ name, bias }) => [name, bias?.tensor]),
      [
        ['conv2d_1', 'B1'],
        ['dense_2', 'B'],
      ],
    );
    t.match(warnings, [/is a softmax; what that is of, biased_tensor_name, is compared/]);
    t.strictSame((await loadModel(path, { output: 'biased_tensor_name' })).warnings, []);
  },
);
