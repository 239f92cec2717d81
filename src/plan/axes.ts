/**
 * Which axis of a tensor holds channels: a layer says it of what it gives, and it is followed from there through everything
 * that leaves channels what they are. Pure.
 */
import { attributeInts } from '../onnx/graph.js';
import type { Layer } from '../onnx/layers.js';
import type { Node } from '../onnx/onnx_pb.js';
import type { TensorShape } from '../onnx/value-info.js';
import type { Dataflow } from './dataflow.js';

type Shapes = ReadonlyMap<string, TensorShape>;

/**
 * @param layersAt - the layers that a step computes, by its position
 * @returns by tensor; without those of which it is not to be told
 */
export function channelAxes(
  { steps }: Dataflow,
  shapes: Shapes,
  layersAt: ReadonlyMap<number, readonly Layer[]>,
): Map<string, number> {
  const axes = new Map<string, number>();
  for (const [position, { node, dynamic }] of steps.entries()) {
    if (!dynamic) continue;
    const [layer] = layersAt.get(position) ?? [];
    for (const output of node.output) {
      const dims = shapes.get(output)?.dims ?? [];
      const axis = layer ? axisOfLayer(node, layer, dims, shapes) : axisBehind(node, dims, shapes, axes);
      if (axis !== undefined) axes.set(output, axis);
    }
  }
  return axes;
}

function axisOfLayer(
  node: Node,
  { weight, op }: Layer,
  dims: readonly number[],
  shapes: Shapes,
): number | undefined {
  const last = dims.length - 1;
  switch (op) {
    case 'Conv':
    case 'ConvTranspose':
      return 1;
    case 'Gemm':
      return last;
    case 'MatMul':
      // Of W x the rows are channels: what depends on the image is behind the weight.
      return shapes.has(node.input[0] ?? '') ? last : last - 1;
    case 'Einsum':
      return dims.at(-1) === weight.layout.channels ? last : undefined;
    default:
      return undefined;
  }
}

function axisBehind(
  node: Node,
  dims: readonly number[],
  shapes: Shapes,
  axes: ReadonlyMap<string, number>,
): number | undefined {
  for (const input of node.input) {
    const axis = axes.get(input);
    const before = shapes.get(input)?.dims;
    if (axis === undefined || !before) continue;
    if (node.opType === 'Transpose') {
      const perm = attributeInts(node, 'perm') ?? before.map((_, i) => before.length - 1 - i);
      return perm.indexOf(axis);
    }
    if (node.opType === 'Concat' && dims.length === before.length) return axis;
    const channels = before[axis];
    if (axis === before.length - 1 && dims.at(-1) === channels) return dims.length - 1;
    if (dims[axis] === channels && (axis === 1 || dims.length === before.length)) return axis;
  }
  return undefined;
}
