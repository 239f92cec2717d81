/**
 * Graphs whose input takes any number of images while a node inside fixes it: an export with one image, whose input
 * was opened later. They take as many as the node says.
 */
import { create } from '@bufbuild/protobuf';
import { type GraphIndex, readsOf } from '../graph.js';
import { type Graph, type Node, TypeSchema, ValueInfoSchema } from '../onnx_pb.js';
import { FLOAT, integers } from '../tensors.js';
import { shapeOf } from '../value-info.js';

export interface FixedBatch {
  node: Node;
  /** The first size that the node gives. */
  batch: number;
}

/** The first node that may fix the batch: what the images become gets a shape that is stored, the first size too. */
export function mayFixBatch(index: GraphIndex, images: string): FixedBatch | undefined {
  const dynamic = new Set([images]);
  for (const node of index.graph.node) {
    if (!readsOf(node).some((name) => dynamic.has(name))) continue;
    for (const name of node.output) dynamic.add(name);
    const slot = shapeSlots[node.opType];
    const stored = index.tensors.get(node.input[slot ?? -1] ?? '');
    const [batch = 0] = (stored && integers(stored)) ?? [];
    // A Reshape's 0 keeps the size, and -1 is what is left; an Expand's 1 changes nothing.
    if (batch > (node.opType === 'Expand' ? 1 : 0)) return { node, batch };
  }
  return undefined;
}

/** Which input says the shape of the output. */
const shapeSlots: Record<string, number> = { Reshape: 1, Resize: 3, Expand: 1 };

/** The graph's one input with this batch. */
export function fixBatch(graph: Graph, batch: number): void {
  const [images] = graph.input;
  const shape = images && shapeOf(images);
  if (!shape) return;
  const dim = shape.map((size, axis) =>
    axis === 0
      ? { dimValue: BigInt(batch) }
      : size === null
        ? { dimParam: `axis ${axis}` }
        : { dimValue: BigInt(size) },
  );
  const type = create(TypeSchema, { tensorType: { elemType: FLOAT, shape: { dim } } });
  graph.input = [create(ValueInfoSchema, { name: images.name, type })];
}
