/**
 * Graphs whose input takes any number of images while a node inside fixes it: an export with one image, whose input
 * was opened later. They take as many as the node says. Others compute over the images of a batch.
 */
import { create } from '@bufbuild/protobuf';
import { attributeInt, attributeInts, type GraphIndex, readsOf } from '../graph.js';
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
    const beside = node.opType === 'Concat' ? putBeside(index, node, dynamic) : undefined;
    if (beside !== undefined) return { node, batch: beside };
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

/** How many images' tokens, which no image makes, are put beside the images'. */
function putBeside({ tensors, producer }: GraphIndex, node: Node, dynamic: ReadonlySet<string>) {
  const fixed = node.input.find((name) => !dynamic.has(name));
  if (fixed === undefined || attributeInt(node, 'axis', 0) === 0) return undefined;
  // What an Expand gives by a shape that does not depend on the images is as many as it was exported with, nearly always 1.
  const stored = tensors.get(fixed) ?? tensors.get(producer.get(fixed)?.input[0] ?? '');
  return Number(stored?.dims[0] ?? 1n) || 1;
}

/** The first node that may compute over the images of a batch: the first axis is among those that it sums over. */
export function mayMixImages(index: GraphIndex, images: string): Node | undefined {
  const dynamic = new Set([images]);
  for (const node of index.graph.node) {
    // Sizes are the same for all images.
    if (/^(Shape|Size)$/.test(node.opType) || !readsOf(node).some((name) => dynamic.has(name))) continue;
    for (const name of node.output) dynamic.add(name);
    if (/^(Softmax|LogSoftmax)$/.test(node.opType) && attributeInt(node, 'axis', -1) === 0) return node;
    if (!/^Reduce/.test(node.opType) || !dynamic.has(node.input[0] ?? '')) continue;
    const isAll = node.input.length < 2 || !node.input[1];
    const axes = attributeInts(node, 'axes') ?? (isAll ? undefined : integersBehind(index, node.input[1]));
    if (axes ? axes.includes(0) : isAll && attributeInt(node, 'noop_with_empty_axes', 0) === 0) return node;
  }
  return undefined;
}

/** Stored integers, which exporters may arrange. */
function integersBehind({ tensors, producer }: GraphIndex, name = ''): number[] {
  let at = name;
  for (let steps = 0; steps < 4 && !tensors.has(at); steps++) at = producer.get(at)?.input[0] ?? '';
  const stored = tensors.get(at);
  const node = producer.get(at);
  return (stored && integers(stored)) ?? (node && attributeInts(node, 'value_ints')) ?? [];
}

/** What is said of such a model. @param by - the node, where it is known */
export function mixesImages(by?: { node: string; op: string }): string {
  const why = by ? `, since its node ${by.node} (${by.op}) computes over the first axis, the images'` : '';
  return `its outputs for an image depend on the other images of the batch${why}. If that is a norm in training mode, call model.eval() and export the model again; if it is meant so, sweep it with --batch 1, each image by itself`;
}

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
