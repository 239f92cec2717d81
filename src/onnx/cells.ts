/**
 * Layers of recurrent operators (LSTM, GRU, RNN): in each direction the weights of what comes in, and those of the
 * state, each with its biases. An export puts gates in ONNX's order by slices of PyTorch's tensor, or has done so
 * before it stored them; a layer has the tensor that is stored.
 */
import { type GraphIndex, isRecurrent } from './graph.js';
import { modulePath } from './names.js';
import type { Node, Tensor } from './onnx_pb.js';
import { dimensions, elementCount, FLOAT } from './tensors.js';

const GATES: Readonly<Record<string, number>> = { LSTM: 4, GRU: 3, RNN: 1 };

/** The weights of one direction, of what comes in or of the state. */
export interface CellPart {
  weight: Tensor;
  bias: Tensor | undefined;
  /** PyTorch's, [gates x hidden, inputs]. */
  shape: number[];
  /** `gru.ih_l0`, as in PyTorch's `gru.weight_ih_l0`. */
  name: string;
  hidden: number;
}

/** What arranges numbers and computes none. */
const arranging = /^(Identity|Cast|Reshape|Squeeze|Unsqueeze|Flatten|Slice|Concat|Split|Transpose)$/;

/** Nodes that are followed at most; a damaged file may have a cycle. */
const MOST = 200;

/** @returns the stored floats that a tensor is put together of, in order; undefined where they are computed */
function partsOf(index: GraphIndex, name: string): Tensor[] | undefined {
  const found = new Set<Tensor>();
  let seen = 0;
  const visit = (current: string): boolean => {
    const tensor = index.tensors.get(current);
    if (tensor) {
      if (tensor.dataType === FLOAT) found.add(tensor);
      return tensor.dataType === FLOAT;
    }
    const node = index.producer.get(current);
    if (!node || !arranging.test(node.opType) || ++seen > MOST) return false;
    return (node.opType === 'Concat' ? node.input : node.input.slice(0, 1)).every(visit);
  };
  return visit(name) ? [...found] : undefined;
}

/** Of one operator, forwards before backwards; undefined where its weights are no stored tensors of their own. */
export function cellParts(index: GraphIndex, node: Node): CellPart[] | undefined {
  const gates = isRecurrent(node) ? GATES[node.opType] : undefined;
  if (gates === undefined) return undefined;
  const [weights, states, biases = []] = [1, 2, 3].map((i) =>
    node.input[i] ? partsOf(index, node.input[i]) : undefined,
  );
  if (!weights || !states || weights.length !== states.length) return undefined;
  const hasBiases = biases.length === 2 * weights.length;
  const base = baseOf(node);
  const found = weights.flatMap((weight, direction) =>
    [weight, states[direction]!].map((tensor, i): CellPart | undefined => {
      const shape = dimensions(tensor).slice(-2);
      const [rows = 0, columns = 0] = shape;
      const bias = hasBiases ? biases[2 * direction + i] : undefined;
      const fits = bias === undefined || elementCount(dimensions(bias)) === rows;
      if (rows % gates !== 0 || elementCount(dimensions(tensor)) !== rows * columns || !fits)
        return undefined;
      const own = ofPyTorch.exec(tensor.name);
      const name = own
        ? `${own[1]}.${own[2]}`
        : `${base}${i === 0 ? 'ih' : 'hh'}_l${layerOf(index, node)}${direction > 0 ? '_reverse' : ''}`;
      return { weight: tensor, bias, shape, name, hidden: rows / gates };
    }),
  );
  return found.every((part) => part !== undefined) ? found : undefined;
}

const ofPyTorch = /^(.+)[./]weight_([ih]h_l\d+(?:_reverse)?)$/;

const baseOf = (node: Node) => {
  const path = modulePath(node) ?? (node.name || node.output.find((name) => name !== '') || node.opType);
  return `${path}.`;
};

/** A module of several layers is as many operators. */
function layerOf(index: GraphIndex, node: Node): number {
  const known = layers.get(index) ?? new Map<Node, number>();
  if (!layers.has(index)) {
    layers.set(index, known);
    const seen = new Map<string, number>();
    for (const one of index.graph.node) {
      const path = isRecurrent(one) ? modulePath(one) : undefined;
      if (path === undefined) continue;
      known.set(one, seen.get(path) ?? 0);
      seen.set(path, (seen.get(path) ?? 0) + 1);
    }
  }
  return known.get(node) ?? 0;
}

const layers = new WeakMap<GraphIndex, Map<Node, number>>();
