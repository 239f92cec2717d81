/** The size of images that a table of positions was made for. */
import { attributeInts } from '../onnx/graph.js';
import type { Graph } from '../onnx/onnx_pb.js';
import { dimensions, FLOAT } from '../onnx/tensors.js';

const table = /pos(ition)?s?_?(embed|emb|encod|table)/i;

/** Beside the patches: a class token, and one for distillation. */
const TOKENS = [0, 1, 2];

/**
 * @param input the images'
 * @returns edge length in pixels; undefined where the graph has no such table, or no patches
 */
export function likelySize(graph: Graph, input: string): number | undefined {
  const patches = graph.node.find(({ opType, input: read }) => opType === 'Conv' && read[0] === input);
  const patch = patches && (attributeInts(patches, 'strides') ?? attributeInts(patches, 'kernel_shape'))?.[0];
  if (!patch || patch < 2) return undefined;
  for (const tensor of graph.initializer) {
    if (tensor.dataType !== FLOAT || !table.test(tensor.name)) continue;
    const rows = dimensions(tensor).at(-2) ?? 0;
    const edge = TOKENS.map((tokens) => Math.sqrt(rows - tokens)).find(
      (one) => one > 1 && Number.isInteger(one),
    );
    if (edge !== undefined) return edge * patch;
  }
  return undefined;
}
