import { join } from 'node:path';
import t from 'tap';
import { readOnnx } from '../../src/onnx/file.js';
import { indexGraph } from '../../src/onnx/graph.js';
import type { Node, Tensor } from '../../src/onnx/onnx_pb.js';
import { computedWeights } from '../../src/onnx/standardised.js';
import { graph, longs, node, value, weight, writeGraph } from './graphs.js';

/** A convolution whose weight `v` is what the nodes make of the stored tensors. */
const convolution = (nodes: Node[], tensors: Tensor[]) => ({
  node: [...nodes, node('Conv', ['x', 'v'], 'y', { kernel_shape: [3, 3] })],
  initializer: tensors,
  input: [value('x', [null, 3, 8, 8])],
  output: [value('y', [null, 4, 6, 6])],
});
const own = weight('w', [4, 3, 3, 3]);
const computed = (nodes: Node[], tensors: Tensor[] = [own]) =>
  computedWeights(indexGraph(graph(convolution(nodes, tensors)))).get('v');

t.test('shapes that exporters put together of shapes and integers are followed', async (t) => {
  const known = { tensor: 'w', dims: [4, 3, 3, 3], gains: [] };
  const there = node('Reshape', ['w', 'flat'], 'rows');
  const flat = longs('flat', [1, 4, -1]);
  const back: [title: string, nodes: Node[]][] = [
    ['the shape of the weight', [node('Shape', ['w'], 's')]],
    [
      'parts of it',
      [
        node('Shape', ['w'], 'a', { end: 2 }),
        node('Shape', ['w'], 'b', { start: -2 }),
        node('Concat', ['a', 'b'], 's'),
      ],
    ],
    [
      'one of its sizes and constants',
      [
        node('Shape', ['w'], 'a'),
        node('Gather', ['a', 'zero'], 'b'),
        node('Constant', [], 'c', { value_ints: [3, -1, 3] }),
        node('Concat', ['b', 'c'], 's', { axis: 0 }),
      ],
    ],
  ];
  for (const [title, nodes] of back) {
    const all = [there, node('Neg', ['rows'], 'n'), ...nodes, node('Reshape', ['n', 's'], 'v')];
    t.strictSame(computed(all, [own, flat, longs('zero', [0])]), known, title);
  }
  t.strictSame(
    computed([
      node('ReduceMean', ['w'], 'm', { axes: [1, 2, 3] }),
      node('Sub', ['w', 'm'], 'c'),
      node('Mul', ['c', 'c'], 'q'),
      node('ReduceMean', ['q'], 'd', { axes: [1, 2, 3] }),
      node('Div', ['c', 'd'], 'v'),
    ]),
    known,
    'standardised without any reshaping',
  );
});

t.test('what is made of nothing, moved, or of a shape that is not told, is no trained weight', async (t) => {
  const none: [title: string, nodes: Node[]][] = [
    ['noise', [node('RandomNormal', [], 'r', { shape: [4, 3, 3, 3] }), node('Mul', ['w', 'r'], 'v')]],
    ['transposed', [node('Transpose', ['w'], 'v', { perm: [0, 1, 3, 2] })]],
    ['of another kernel', [node('Reshape', ['w', 's'], 'v')]],
    ['a size out of the shape', [node('Gather', ['s', 'far'], 'a'), node('Reshape', ['w', 'a'], 'v')]],
    ['an unknown shape', [node('NonZero', ['w'], 'a'), node('Reshape', ['w', 'a'], 'v')]],
    ['its own ancestor', [node('Add', ['w', 'v'], 'v')]],
  ];
  for (const [title, nodes] of none) {
    t.equal(computed(nodes, [own, longs('s', [4, 3, 9, 1]), longs('far', [9])]), undefined, title);
  }
});

t.test('reading a file computes nothing that it asks for', async (t) => {
  const forever = graph({
    node: [node('Identity', ['going'], 'on'), node('Identity', ['before'], 'after')],
    input: [value('i', []), value('going', []), value('before', [4, 3, 3, 3])],
    output: [value('on', []), value('after', [4, 3, 3, 3])],
  });
  const endless: [title: string, nodes: Node[], tensors: Tensor[]][] = [
    ['Loop', [node('Loop', ['trips', '', 'w'], 'v', { body: forever })], [longs('trips', [2 ** 53 - 1])]],
    [
      'Expand',
      [node('Expand', ['w', 'huge'], 'e'), node('ReduceMean', ['e'], 'm'), node('Mul', ['w', 'm'], 'v')],
      [longs('huge', [1e5, 1e6, 4, 3, 3, 3])],
    ],
    [
      'ConstantOfShape',
      [node('ConstantOfShape', ['huge'], 'c'), node('ReduceMean', ['c'], 'm'), node('Mul', ['w', 'm'], 'v')],
      [longs('huge', [1e5, 1e6])],
    ],
  ];
  for (const [title, nodes, tensors] of endless) {
    const path = join(t.testdir({}), `${title}.onnx`);
    writeGraph(path, convolution(nodes, [own, ...tensors]));
    await t.resolves(readOnnx(path, { output: 'y' }), title);
  }
});
