/** Which parts of a graph are alike enough for one session. */
import { create } from '@bufbuild/protobuf';
import t from 'tap';
import { AttributeSchema, type Node, NodeSchema, type Tensor, TensorSchema } from '../../src/onnx/onnx_pb.js';
import { FLOAT, withFloats } from '../../src/onnx/tensors.js';
import type { Dataflow } from '../../src/plan/dataflow.js';
import { structureOf } from '../../src/plan/structure.js';

const tensor = (name: string, ...values: number[]): Tensor =>
  withFloats(
    create(TensorSchema, { name, dims: [BigInt(values.length)], dataType: FLOAT }),
    Float32Array.from(values),
  );
const eight = (first: number) => [first, 2, 3, 4, 5, 6, 7, 8];
const stored = [
  tensor('weight', ...eight(1)),
  tensor('other weight', ...eight(-1)),
  tensor('scale', 0.5),
  tensor('other scale', 0.25),
  tensor('roi', ...eight(0)),
  tensor('other roi', ...eight(9)),
];
const context = {
  flow: { steps: [], maker: new Map() } as unknown as Dataflow,
  stored: new Map(stored.map((one) => [one.name, one])),
  parameters: new Set(['other scale']),
  shapeOf: (name: string) => ({ type: FLOAT, dims: name === 'wide' ? [1, 16] : [1, 8] }),
};

const node = (opType: string, input: string[], attributes: Record<string, number> = {}): Node =>
  create(NodeSchema, {
    opType,
    input,
    output: ['out'],
    attribute: Object.entries(attributes).map(([name, i]) =>
      create(AttributeSchema, { name, i: BigInt(i), type: 2 }),
    ),
  });

function structure(one: Node, input = 'x') {
  return structureOf({ nodes: [one], inputs: [input], outputs: ['out'] }, context);
}

t.test('names and the values of weights make no difference, all else does', async (t) => {
  const plain = structure(node('Mul', ['x', 'weight']));
  t.strictSame(plain.weights, ['weight']);
  const other = structure(node('Mul', ['y', 'other weight']), 'y');
  t.equal(other.key, plain.key);
  t.strictSame(other.weights, ['other weight']);
  const different = {
    operator: structure(node('Add', ['x', 'weight'])),
    attribute: structure(node('Mul', ['x', 'weight'], { axis: 1 })),
    'the order of inputs': structure(node('Mul', ['weight', 'x'])),
    'a shape': structure(node('Mul', ['wide', 'weight']), 'wide'),
    'a small constant': structure(node('Mul', ['x', 'scale'])),
  };
  for (const [what, { key }] of Object.entries(different)) t.not(key, plain.key, what);
  t.not(
    structure(node('Mul', ['x', 'weight'], { axis: 1 })).key,
    structure(node('Mul', ['x', 'weight'], { axis: 2 })).key,
  );
});

t.test('what operators want to know stays in the graph, but for what is reset', async (t) => {
  t.strictSame(structure(node('Mul', ['x', 'scale'])).weights, []);
  t.strictSame(structure(node('Mul', ['x', 'other scale'])).weights, ['other scale'], 'a parameter');
  const resize = structure(node('Resize', ['x', 'roi', 'scale']));
  t.strictSame(resize.weights, []);
  t.not(structure(node('Resize', ['x', 'other roi', 'scale'])).key, resize.key);
});
