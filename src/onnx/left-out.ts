/** What has a trained tensor, or may have, and is no layer: each with the reason. */
import { cellParts } from './cells.js';
import { isInterleaved } from './einsum.js';
import type { OnnxFile } from './file.js';
import { attributeText, type GraphIndex, originOf } from './graph.js';
import type { Layer } from './layers.js';
import { whyNoLayer } from './not-layers.js';
import type { Graph, Node } from './onnx_pb.js';
import { dimensions, FLOAT } from './tensors.js';

export interface LeftOut {
  /** The node's. */
  name: string;
  op: string;
  why: string;
}

/** In graph order, then what does not lead to the logits. */
export function findLeftOut(file: OnnxFile, index: GraphIndex, layers: readonly Layer[]): LeftOut[] {
  const used = new Set(layers.map(({ weight }) => weight.tensor));
  const isLayer: IsLayer = (name) =>
    name !== undefined && (file.computed?.has(name) || used.has(originOf(index, name)?.tensor ?? ''));
  const aside = (file.ends?.aside ?? []).map((one) => ({
    ...one,
    why: 'what is compared does not depend on it',
  }));
  const found = index.graph.node.flatMap((node) => {
    if (node.input.some(isLayer) || cellParts(index, node)) return [];
    const why = whyOf(index, node, isLayer);
    return why === undefined ? [] : [{ name: node.name || node.output[0] || '', op: node.opType, why }];
  });
  return [...found, ...aside];
}

type IsLayer = (name: string | undefined) => boolean;

function whyOf(index: GraphIndex, node: Node, isLayer: IsLayer): string | undefined {
  const own = node.domain === '' || node.domain === 'ai.onnx';
  if (own && /^Conv(Transpose)?$/.test(node.opType)) {
    const origin = originOf(index, node.input[1] ?? '');
    if (!origin) {
      return isPartlyFolded(index, node.input[1])
        ? 'the export folded a part of what standardises its weight: export again without folding constants (docs/export.md)'
        : isOfOne(index, node.input[1] ?? '')
          ? 'its weight is computed in the graph from one tensor, in a way that no reset goes through (a bound, a rounding): store what it computes before the export'
          : 'its weight is computed from more than one tensor';
    }
    return whyNoLayer(index, node, origin.proto) ?? 'its groups have several inputs and several outputs each';
  }
  if (own && /^(If|Loop|Scan)$/.test(node.opType)) {
    const isInside = node.attribute.some(({ g, graphs }) =>
      (g ? [g, ...graphs] : graphs).some((one) => hasWeights(index, one)),
    );
    return isInside
      ? 'layers inside of it are not reset: export without control flow, as torch.jit.trace does'
      : undefined;
  }
  if (own && !/^(MatMul|Gemm|Einsum|LSTM|GRU|RNN)$/.test(node.opType)) return undefined;
  const isProduct = own && /^(MatMul|Gemm)$/.test(node.opType);
  if (isProduct && node.input.slice(0, 2).some((name) => isRowsOfOne(index, name))) {
    return 'its weight is some rows of a larger one (torch.nn.MultiheadAttention with other keys than queries): layers have weights of their own; export an attention with a Linear each for queries, keys and values';
  }
  if (isProduct && node.input.slice(0, 2).some((name) => isComputed(index, name, isLayer))) {
    return 'its weight is computed in the graph (a norm of the weight, a mask, LoRA): merge it before the export';
  }
  const matrix = node.input
    .map((name) => originOf(index, name)?.proto)
    .find((tensor) => tensor && isMatrix(tensor));
  if (!matrix) return undefined;
  if (!own) return `an operator of ${node.domain}`;
  const fixed = whyNoLayer(index, node, matrix);
  if (fixed) return fixed;
  if (node.opType === 'Einsum') return whyNoLinear(index, node);
  if (!isProduct) return 'a recurrent operator whose weights are computed';
  if (node.opType === 'Gemm') return undefined;
  return dimensions(matrix).length > 2 ? 'a stack of matrices' : 'it multiplies stored tensors only';
}

/** Whether a graph inside of a node has a product with a stored matrix of its own, or of the graph around it. */
function hasWeights(index: GraphIndex, { node, initializer }: Graph): boolean {
  const own = new Map(initializer.map((tensor) => [tensor.name, tensor]));
  const stored = (name: string) => own.get(name) ?? index.tensors.get(name);
  return node.some(
    ({ opType, input }) =>
      /^(Conv|ConvTranspose|Gemm|MatMul)$/.test(opType) &&
      input.slice(0, 2).some((name) => {
        const tensor = stored(name);
        return tensor !== undefined && isMatrix(tensor);
      }),
  );
}

/** Nodes that are followed at most; a damaged file may have a cycle. */
const MOST = 100;

/** Whether a tensor is computed from stored matrices alone, by more than moving them, and no layer is among that. */
function isComputed(index: GraphIndex, name: string, isLayer: IsLayer): boolean {
  if (index.tensors.has(name)) return false;
  const seen = new Set<Node>();
  let matrices = 0;
  let isPlain = true;
  const visit = (current: string): boolean => {
    const tensor = index.tensors.get(current);
    if (tensor) {
      if (isMatrix(tensor)) matrices++;
      return true;
    }
    const node = index.producer.get(current);
    if (node?.opType === 'Constant') return true;
    if (!node || node.input.length === 0 || seen.size > MOST || node.input.some(isLayer)) return false;
    if (seen.has(node)) return true;
    seen.add(node);
    if (!/^(Transpose|Identity|Cast|Reshape|Squeeze|Unsqueeze)$/.test(node.opType)) isPlain = false;
    return node.input.every((input) => input === '' || visit(input));
  };
  return visit(name) && matrices > 0 && !isPlain;
}

function whyNoLinear(index: GraphIndex, node: Node): string {
  const equation = attributeText(node, 'equation');
  const isOther = node.input.slice(0, 2).some((name, slot) => {
    const origin = originOf(index, name);
    const rank = origin?.proto.dims.length ?? 0;
    return origin && isInterleaved(equation, slot === 0 ? 0 : 1, rank, origin.transposed);
  });
  return isOther
    ? `its input channels lie between its output channels (${equation}), and a layer has them before or behind: store the tensor with its axes in that order`
    : 'it sums in another way than a Linear';
}

/** Whether one stored tensor of more than a number is all that a tensor is computed from. */
function isOfOne(index: GraphIndex, name: string): boolean {
  const found = new Set<string>();
  const seen = new Set<string>();
  const visit = (current: string): boolean => {
    if (current === '' || seen.has(current)) return true;
    seen.add(current);
    const tensor = index.tensors.get(current);
    if (tensor) {
      if (tensor.dataType === FLOAT && dimensions(tensor).some((size) => size > 1)) found.add(current);
      return true;
    }
    const node = index.producer.get(current);
    return node !== undefined && seen.size <= MOST && node.input.every(visit);
  };
  return visit(name) && found.size === 1;
}

/** Whether a product takes a slice of one stored matrix, also where the bounds are put together from shapes. */
function isRowsOfOne({ producer, tensors }: GraphIndex, name: string): boolean {
  let node = producer.get(name);
  let isPart = false;
  for (let steps = 0; node && steps < 8; steps++) {
    if (/^(Slice|Split)$/.test(node.opType)) isPart = true;
    else if (!/^(Transpose|Identity|Cast|Reshape|Squeeze|Unsqueeze)$/.test(node.opType)) return false;
    const tensor = tensors.get(node.input[0] ?? '');
    if (tensor) return isPart && isMatrix(tensor);
    node = producer.get(node.input[0] ?? '');
  }
  return false;
}

function isMatrix(tensor: Parameters<typeof dimensions>[0]): boolean {
  return tensor.dataType === FLOAT && dimensions(tensor).filter((size) => size > 1).length > 1;
}

/** A weight that comes from a norm whose statistics come from elsewhere than its own values. */
function isPartlyFolded(index: GraphIndex, name: string | undefined): boolean {
  let node = index.producer.get(name ?? '');
  for (let steps = 0; steps < 8 && node; steps++) {
    if (/Normalization$/.test(node.opType)) return true;
    node = index.producer.get(node.input[0] ?? '');
  }
  return false;
}
