/** What has a trained tensor, or may have, and is no layer: each with the reason. */
import type { OnnxFile } from './file.js';
import { type GraphIndex, originOf } from './graph.js';
import type { Layer } from './layers.js';
import { whyNoLayer } from './not-layers.js';
import type { Node } from './onnx_pb.js';
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
  const isLayer = (name: string | undefined) =>
    name !== undefined && (file.computed?.has(name) || used.has(originOf(index, name)?.tensor ?? ''));
  const aside = (file.ends?.aside ?? []).map((one) => ({
    ...one,
    why: 'what is compared does not depend on it',
  }));
  const found = index.graph.node.flatMap((node) => {
    if (node.input.some(isLayer)) return [];
    const why = whyOf(index, node);
    return why === undefined ? [] : [{ name: node.name || node.output[0] || '', op: node.opType, why }];
  });
  return [...found, ...aside];
}

function whyOf(index: GraphIndex, node: Node): string | undefined {
  const own = node.domain === '' || node.domain === 'ai.onnx';
  if (own && /^Conv(Transpose)?$/.test(node.opType)) {
    const origin = originOf(index, node.input[1] ?? '');
    if (!origin) {
      return isPartlyFolded(index, node.input[1])
        ? 'the export folded a part of what standardises its weight: export again without folding constants (docs/export.md)'
        : 'its weight is computed from more than one tensor';
    }
    return whyNoLayer(index, node, origin.proto) ?? 'its groups have several inputs and several outputs each';
  }
  if (own && !/^(MatMul|Einsum|LSTM|GRU|RNN)$/.test(node.opType)) return undefined;
  const matrix = node.input
    .map((name) => originOf(index, name)?.proto)
    .find((tensor) => tensor && isMatrix(tensor));
  if (!matrix) return undefined;
  if (!own) return `an operator of ${node.domain}`;
  const fixed = whyNoLayer(index, node, matrix);
  if (fixed) return fixed;
  if (node.opType === 'Einsum') return 'it sums in another way than a Linear';
  if (node.opType !== 'MatMul') return 'a recurrent operator';
  return dimensions(matrix).length > 2 ? 'a stack of matrices' : 'it multiplies stored tensors only';
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
