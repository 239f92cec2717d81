import { create } from '@bufbuild/protobuf';
import t from 'tap';
import {
  type Attribute,
  AttributeSchema,
  type Graph,
  GraphSchema,
  NodeSchema,
  type Tensor,
  TensorSchema,
  ValueInfoSchema,
} from '../../../src/onnx/onnx_pb.js';
import { storeAsUsed } from '../../../src/onnx/passes/store-as-used.js';
import { dimensions, floats } from '../../../src/onnx/tensors.js';

type Values = Record<string, number[]>;

function attributes(values: Record<string, number | number[]>): Attribute[] {
  return Object.entries(values).map(([name, value]) =>
    create(
      AttributeSchema,
      typeof value === 'number' ? { name, i: BigInt(value) } : { name, ints: value.map(BigInt) },
    ),
  );
}

const node = (
  opType: string,
  input: string[],
  output: string,
  values: Record<string, number | number[]> = {},
) => create(NodeSchema, { opType, input, output: [output], attribute: attributes(values) });

/** Weights count up from 0 in storage order; shapes and axes are int64. */
function graphOf(weights: Values, shapes: Values, nodes: ReturnType<typeof node>[]): Graph {
  const stored = (name: string, dims: number[], rest: Partial<Omit<Tensor, '$typeName' | '$unknown'>>) =>
    create(TensorSchema, { name, dims: dims.map(BigInt), ...rest });
  return create(GraphSchema, {
    node: nodes,
    initializer: [
      ...Object.entries(weights).map(([name, dims]) => {
        const count = dims.reduce((product, d) => product * d, 1);
        return stored(name, dims, { dataType: 1, floatData: Array.from({ length: count }, (_, i) => i) });
      }),
      ...Object.entries(shapes).map(([name, values]) =>
        stored(name, [values.length], { dataType: 7, int64Data: values.map(BigInt) }),
      ),
    ],
    output: [create(ValueInfoSchema, { name: 'logits' })],
  });
}

const opsOf = (graph: Graph) => graph.node.map(({ opType }) => opType);
const tensor = (graph: Graph, name: string) => graph.initializer.find((one) => one.name === name) as Tensor;

const views: [title: string, dims: number[], nodes: ReturnType<typeof node>[], after: number[]][] = [
  ['Reshape', [2, 3, 4], [node('Reshape', ['w', 's'], 'v')], [2, 12]],
  ['Unsqueeze by attribute', [5, 3], [node('Unsqueeze', ['w'], 'v', { axes: [2, -1] })], [5, 3, 1, 1]],
  ['Unsqueeze by input', [5, 3], [node('Unsqueeze', ['w', 'axes'], 'v')], [5, 3, 1, 1]],
  ['Squeeze by input', [5, 3, 1, 1], [node('Squeeze', ['w', 'axes'], 'v')], [5, 3]],
  ['Squeeze of all ones', [5, 3, 1, 1], [node('Squeeze', ['w'], 'v')], [5, 3]],
  ['Flatten', [2, 3, 4], [node('Flatten', ['w'], 'v')], [2, 12]],
  ['a Cast to float32', [2, 3], [node('Cast', ['w'], 'v', { to: 1 })], [2, 3]],
  [
    'a chain of Unsqueeze, Identity and Squeeze',
    [5, 3],
    [
      node('Unsqueeze', ['w', 'axes'], 'a'),
      node('Identity', ['a'], 'b'),
      node('Squeeze', ['b', 'axes'], 'v'),
    ],
    [5, 3],
  ],
];
for (const [title, dims, nodes, after] of views) {
  t.test(`${title} before a layer is carried out on its weight`, async (t) => {
    const graph = graphOf({ w: dims }, { s: [0, -1], axes: [2, 3] }, [
      ...nodes,
      node('Conv', ['x', 'v'], 'logits'),
    ]);
    await storeAsUsed(graph);
    t.strictSame(opsOf(graph), ['Conv']);
    const name = graph.node[0]?.input[1] ?? '';
    t.strictSame(dimensions(tensor(graph, name)), after);
    const count = after.reduce((product, d) => product * d, 1);
    t.strictSame(
      [...floats(tensor(graph, name))],
      Array.from({ length: count }, (_, i) => i),
    );
  });
}

t.test('a Transpose moves the elements, a kernel from HWIO to OIHW', async (t) => {
  const graph = graphOf({ w: [1, 2, 3, 2] }, {}, [
    node('Transpose', ['w'], 'v', { perm: [3, 2, 0, 1] }),
    node('Conv', ['x', 'v'], 'logits'),
  ]);
  await storeAsUsed(graph);
  t.strictSame(dimensions(tensor(graph, 'w')), [2, 3, 1, 2]);
  // Element [o, i, 0, w] was [0, w, i, o]: 6 w + 2 i + o.
  t.strictSame([...floats(tensor(graph, 'w'))], [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11]);
});

t.test('a matrix that a MatMul or Gemm takes transposed stays as it is stored', async (t) => {
  const graph = graphOf({ w: [2, 3] }, {}, [
    node('Transpose', ['w'], 'v', { perm: [1, 0] }),
    node('MatMul', ['x', 'v'], 'logits'),
  ]);
  await storeAsUsed(graph);
  t.strictSame(opsOf(graph), ['Transpose', 'MatMul']);
});

t.test('a weight that is used in two ways stays tied, one that is used twice in one way too', async (t) => {
  const two = graphOf({ w: [2, 3] }, { axes: [2, 3] }, [
    node('Unsqueeze', ['w', 'axes'], 'v'),
    node('Conv', ['x', 'v'], 'y'),
    node('Gemm', ['y', 'w'], 'logits'),
  ]);
  await storeAsUsed(two);
  t.strictSame(opsOf(two), ['Unsqueeze', 'Conv', 'Gemm']);
  const one = graphOf({ w: [2, 3] }, { axes: [2, 3] }, [
    node('Unsqueeze', ['w', 'axes'], 'a'),
    node('Conv', ['x', 'a'], 'y'),
    node('Unsqueeze', ['w', 'axes'], 'b'),
    node('Conv', ['y', 'b'], 'logits'),
  ]);
  await storeAsUsed(one);
  t.strictSame(
    one.node.map(({ opType, input }) => [opType, input[1]]),
    [
      ['Conv', 'w'],
      ['Conv', 'w'],
    ],
  );
});

t.test('what a graph computes with, or gives, is left alone', async (t) => {
  const kept: ReturnType<typeof node>[][] = [
    [node('Reshape', ['w', 's'], 'v'), node('BatchNormalization', ['v', 'a', 'b', 'm', 'n'], 'logits')],
    [node('Reshape', ['w', 's'], 'logits')],
    [node('Reshape', ['w', 'computed'], 'v'), node('Conv', ['x', 'v'], 'logits')],
    [node('Reshape', ['w', 'wrong'], 'v'), node('Conv', ['x', 'v'], 'logits')],
    [node('Squeeze', ['w', 's'], 'v'), node('Conv', ['x', 'v'], 'logits')],
    [node('Transpose', ['w'], 'v', { perm: [0, 0, 1] }), node('Conv', ['x', 'v'], 'logits')],
    [node('Cast', ['w'], 'v', { to: 7 }), node('Conv', ['x', 'v'], 'logits')],
    // A cycle, as only a damaged file has.
    [node('Reshape', ['w', 's'], 'v'), node('Reshape', ['v', 's'], 'u'), node('Reshape', ['u', 's'], 'v')],
  ];
  for (const nodes of kept) {
    const graph = graphOf({ w: [2, 3, 4] }, { s: [0, -1], wrong: [5, -1] }, nodes);
    await storeAsUsed(graph);
    t.strictSame(graph.node, nodes, nodes.map(({ opType }) => opType).join());
  }
});

t.test('what a graph inside of a node reads as well keeps its shape', async (t) => {
  for (const captured of ['w', 'v']) {
    const inner = create(GraphSchema, { node: [node('Identity', [captured], 'i')] });
    const branch = node('If', ['yes'], 'other');
    branch.attribute = [create(AttributeSchema, { name: 'then_branch', g: inner })];
    const graph = graphOf({ w: [2, 3, 4] }, { s: [0, -1] }, [
      node('Reshape', ['w', 's'], 'v'),
      node('Conv', ['x', 'v'], 'logits'),
      branch,
    ]);
    await storeAsUsed(graph);
    t.strictSame(opsOf(graph), ['Reshape', 'Conv', 'If'], captured);
    t.strictSame(dimensions(tensor(graph, 'w')), [2, 3, 4]);
  }
});
