/**
 * Weights that the graph computes from one trained tensor: standardised ones (Qiao et al., 2019, arXiv:1903.10520;
 * scaled in NF-ResNets, Brock et al., 2021, arXiv:2101.08692) and normalised ones (Salimans & Kingma, 2016,
 * arXiv:1602.07868). A reset replaces the trained tensor and the graph standardises what it is given, as PyTorch's
 * module does; gains are the module's own and stay, but for a donor's, who brings its own.
 */
import { attributeInts, type GraphIndex } from './graph.js';
import type { Node, Tensor } from './onnx_pb.js';
import { integersAfter, integersOf, type KnownIntegers, shapeAfter } from './shapes.js';
import { dimensions, elementCount, FLOAT } from './tensors.js';

export interface ComputedWeight {
  /** The trained tensor. Its elements are the weight's, in the same order, whatever its dimensions. */
  tensor: string;
  /** The weight's, [out, in / groups, ...]. */
  dims: number[];
  /** One for each time that a tensor is read, in the order of the graph, which does not depend on values. */
  gains: Gain[];
}

/** A stored tensor with a number for each output channel that the weight is computed from too. */
export interface Gain {
  tensor: string;
  /** Something else than this weight has it too, as exporters store equal tensors once. */
  shared: boolean;
}

/** What treats elements one by one, or arranges them without moving any. */
const elementwise = new Set(
  'Identity Cast CastLike Reshape Squeeze Unsqueeze Flatten Add Sub Mul Div Pow Sqrt Reciprocal Neg Abs Clip Max Min BatchNormalization InstanceNormalization LayerNormalization LpNormalization'.split(
    ' ',
  ),
);

/**
 * The computed weights of convolutions, by the name that the convolution reads. Nothing is computed for it: what a
 * graph makes of a stored tensor may be of any size, and take any time.
 * Those whose trained tensor or shape cannot be told are left out.
 */
export function computedWeights(index: GraphIndex): Map<string, ComputedWeight> {
  const found = new Map<string, Omit<ComputedWeight, 'gains'> & Ancestry>();
  const seen = new Set<string>();
  for (const node of index.graph.node) {
    const name = node.opType === 'Conv' ? (node.input[1] ?? '') : '';
    if (!name || index.tensors.has(name) || seen.has(name)) continue;
    seen.add(name);
    const ancestry = ancestryOf(index, name);
    const weight = ancestry && computedWeight(index, ancestry, name);
    const kernel = attributeInts(node, 'kernel_shape');
    if (weight && (!kernel || kernel.join() === weight.dims.slice(2).join()))
      found.set(name, { ...weight, ...ancestry });
  }
  const leads = new Map<Node, string | null>();
  for (const { nodes, tensor } of found.values()) {
    for (const node of nodes) leads.set(node, leads.has(node) && leads.get(node) !== tensor ? null : tensor);
  }
  const isOf = (node: Node, tensor: string) => leads.get(node) === tensor;
  return new Map(
    [...found].map(([name, one]) => [
      name,
      { tensor: one.tensor, dims: one.dims, gains: gainsIn(index, one, one, isOf) },
    ]),
  );
}

function computedWeight(
  index: GraphIndex,
  { nodes, stored }: Ancestry,
  name: string,
): Omit<ComputedWeight, 'gains'> | undefined {
  const [tensor, ...rest] = [...stored].sort((a, b) => sizeOf(b) - sizeOf(a));
  const dims = tensor && shapeInOrder(index, nodes, tensor, name);
  if (!dims || dims.length < 3 || sizeOf(tensor) !== elementCount(dims)) return undefined;
  // Gains and the like have one number per output channel at most.
  if (rest.some((other) => sizeOf(other) > (dims[0] ?? 0))) return undefined;
  return { tensor: tensor.name, dims: [...dims] };
}

const sizeOf = (tensor: Tensor) => elementCount(dimensions(tensor));

/** @param isOf - whether a node leads to this weight and to no other */
function gainsIn(
  { tensors, consumers }: GraphIndex,
  { nodes }: Ancestry,
  { tensor: weight, dims }: Omit<ComputedWeight, 'gains'>,
  isOf: (node: Node, tensor: string) => boolean,
): Gain[] {
  return [...nodes].flatMap((node) =>
    node.input.flatMap((name, slot) => {
      const tensor = tensors.get(name);
      // The statistics of a norm are no gains.
      if (!tensor || (node.opType === 'BatchNormalization' && slot > 2)) return [];
      if (tensor.dataType !== FLOAT || name === weight || sizeOf(tensor) !== dims[0]) return [];
      return [{ tensor: name, shared: consumers.get(name)?.some((reader) => !isOf(reader, weight)) ?? true }];
    }),
  );
}

/** What a tensor is computed from, when that is not the image. */
interface Ancestry {
  /** Producers before consumers. */
  nodes: Set<Node>;
  /** Floats. */
  stored: Set<Tensor>;
}

/** Nodes that lead to a weight; a damaged file's endless ones must not hold us up. */
const MOST = 200;

function ancestryOf(index: GraphIndex, name: string): Ancestry | undefined {
  const found: Ancestry = { nodes: new Set(), stored: new Set() };
  const visiting = new Set<Node>();
  const visit = (current: string): boolean => {
    const tensor = index.tensors.get(current);
    const node = index.producer.get(current);
    if (tensor && node?.opType !== 'Constant') {
      if (tensor.dataType === FLOAT) found.stored.add(tensor);
      return true;
    }
    if (!node || visiting.has(node) || visiting.size + found.nodes.size > MOST) return false;
    if (found.nodes.has(node)) return true;
    // What makes something of nothing is random; what holds a graph may read, and do, anything.
    const known = node.opType === 'Constant' || node.input.length > 0;
    if (!known || node.attribute.some(({ g, graphs }) => g || graphs.length > 0)) return false;
    visiting.add(node);
    if (!node.input.every((input) => input === '' || visit(input))) return false;
    visiting.delete(node);
    found.nodes.add(node);
    return true;
  };
  return visit(name) && found.nodes.size > 0 ? found : undefined;
}

/** A tensor on the way to the weight. */
interface Stage {
  /** Has the trained tensor's elements in their places, or has moved them, or tells something of them only. */
  state: 'own' | 'moved' | 'measured';
  /** Dimensions of a tensor that is `own` or `moved`, where the graph tells them. */
  shape?: readonly number[] | undefined;
}

/**
 * The weight's shape if it has the tensor's elements in their places: apart from means and the like of them, which
 * may be taken in any order, they are treated one by one.
 */
function shapeInOrder(
  index: GraphIndex,
  nodes: Iterable<Node>,
  tensor: Tensor,
  weight: string,
): readonly number[] | undefined {
  const stages = new Map<string, Stage>([[tensor.name, { state: 'own', shape: dimensions(tensor) }]]);
  const known: KnownIntegers = new Map();
  const shapeOf = (name: string) => {
    const stored = index.tensors.get(name);
    return stages.get(name)?.shape ?? (stored && dimensions(stored));
  };
  for (const node of nodes) {
    const values = integersAfter(index, node, known, shapeOf);
    if (values) known.set(node.output[0] ?? '', values);
    // CastLike looks at its second input's type only.
    const inputs = node.opType === 'CastLike' ? node.input.slice(0, 1) : node.input;
    const found = inputs.flatMap((name) => stages.get(name) ?? []);
    if (found.length === 0) continue;
    const stage = stageAfter(node, found, integersOf(index, known, node.input[1]));
    if (!stage) return undefined;
    for (const name of node.output) stages.set(name, stage);
  }
  const last = stages.get(weight);
  return last?.state === 'own' ? last.shape : undefined;
}

/** @param given the node's second input where it is known */
function stageAfter(
  node: Node,
  found: readonly Stage[],
  given: readonly number[] | undefined,
): Stage | undefined {
  const own = found.find(({ state }) => state === 'own');
  const moved = found.find(({ state }) => state === 'moved');
  if (/^(Reduce|Shape$|Size$)/.test(node.opType) || !(own || moved)) return { state: 'measured' };
  if (node.opType === 'Transpose') return { state: 'moved' };
  if (!elementwise.has(node.opType) || (own && moved)) return undefined;
  if (!own) return { state: 'moved' };
  // What is measured, and a gain, is at most as large.
  const arranges = /^(Reshape|Squeeze|Unsqueeze|Flatten)$/.test(node.opType);
  return { state: 'own', shape: arranges ? own.shape && shapeAfter(node, own.shape, given) : own.shape };
}
