/**
 * Recurrent operators take one tensor of weights for both directions, and one of biases for what comes in and for the
 * state. Stored so, each becomes the tensors of its parts, which the graph joins: every layer has parameters of its own.
 */
import { create } from '@bufbuild/protobuf';
import { indexGraph, isRecurrent } from '../graph.js';
import { AttributeSchema, type Graph, type Node, NodeSchema, type Tensor } from '../onnx_pb.js';
import { changed, dimensions, FLOAT, floats, withFloats } from '../tensors.js';

const INT = 2;

/** Changes the graph in place; what it computes stays the same. */
export function splitCells(graph: Graph): void {
  const cells = graph.node.filter(isRecurrent);
  if (cells.length === 0) return;
  const { consumers } = indexGraph(graph);
  const outputs = new Set(graph.output.map(({ name }) => name));
  const parts = new Map<string, { tensors: Tensor[]; nodes: Node[] }>();
  graph.initializer = graph.initializer.flatMap((tensor) => {
    const readers = consumers.get(tensor.name) ?? [];
    const slots = new Set(
      readers.flatMap((node) => (isRecurrent(node) ? node.input.indexOf(tensor.name) : -1)),
    );
    const [slot = -1] = slots;
    if (slots.size !== 1 || slot < 1 || slot > 3 || outputs.has(tensor.name) || tensor.dataType !== FLOAT)
      return [tensor];
    const found = slot === 3 ? splitBiases(tensor) : splitDirections(tensor);
    if (!found) return [tensor];
    parts.set(tensor.name, found);
    return found.tensors;
  });
  if (parts.size > 0) graph.node = [...[...parts.values()].flatMap(({ nodes }) => nodes), ...graph.node];
}

const named = ({ name }: Tensor) => name;

/** directions x rows x columns. */
function splitDirections(tensor: Tensor) {
  const [directions = 0, rows = 0, columns = 0, ...more] = dimensions(tensor);
  if (directions !== 2 || more.length > 0) return undefined;
  const values = floats(tensor);
  const length = rows * columns;
  const tensors = ['forward', 'reverse'].map((which, i) =>
    part(tensor, which, [1, rows, columns], values.slice(i * length, (i + 1) * length)),
  );
  return { tensors, nodes: [joined(tensors.map(named), tensor.name, 0)] };
}

/** directions x (biases of what comes in, biases of the state). */
function splitBiases(tensor: Tensor) {
  const [directions = 0, both = 0, ...more] = dimensions(tensor);
  if (directions < 1 || directions > 2 || both % 2 !== 0 || more.length > 0) return undefined;
  const values = floats(tensor);
  const length = both / 2;
  const tensors = Array.from({ length: 2 * directions }, (_, i) => {
    const which = `${i % 2 === 0 ? 'input' : 'state'}${i < 2 ? '' : ' reverse'}`;
    return part(tensor, which, [1, length], values.slice(i * length, (i + 1) * length));
  });
  const names = tensors.map(named);
  if (directions === 1) return { tensors, nodes: [joined(names, tensor.name, 1)] };
  const halves = ['forward', 'reverse'].map((which) => `${tensor.name} ${which}`);
  const nodes = halves.map((half, i) => joined(names.slice(2 * i, 2 * i + 2), half, 1));
  return { tensors, nodes: [...nodes, joined(halves, tensor.name, 0)] };
}

function part(tensor: Tensor, which: string, dims: number[], values: Float32Array): Tensor {
  return withFloats(changed(tensor, { name: `${tensor.name} ${which}`, dims: dims.map(BigInt) }), values);
}

const joined = (input: string[], output: string, axis: number): Node =>
  create(NodeSchema, {
    ...{ opType: 'Concat', input, output: [output] },
    attribute: [create(AttributeSchema, { name: 'axis', i: BigInt(axis), type: INT })],
  });
