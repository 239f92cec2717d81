/**
 * Weights that the graph computes from one trained tensor: standardised ones (Qiao et al., 2019, arXiv:1903.10520;
 * scaled in NF-ResNets, Brock et al., 2021, arXiv:2101.08692) and normalised ones (Salimans & Kingma, 2016,
 * arXiv:1602.07868). A reset replaces the trained tensor and the graph standardises what it is given, as PyTorch's
 * module does; gains are the module's own and stay.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { InferenceSession } from 'onnxruntime-node';
import type { GraphIndex } from './graph.js';
import {
  GraphSchema,
  ModelSchema,
  type Node,
  type Model as Proto,
  type Tensor,
  ValueInfoSchema,
} from './onnx_pb.js';
import { dimensions, elementCount, FLOAT } from './tensors.js';

export interface ComputedWeight {
  /** The trained tensor. Its elements are the weight's, in the same order, whatever its dimensions. */
  tensor: string;
  /** The weight's, [out, in / groups, ...]. */
  dims: number[];
}

/** What treats elements one by one, or arranges them without moving any. */
const elementwise = new Set(
  'Identity Cast CastLike Reshape Squeeze Unsqueeze Flatten Add Sub Mul Div Pow Sqrt Reciprocal Neg Abs Clip Max Min BatchNormalization InstanceNormalization LayerNormalization LpNormalization'.split(
    ' ',
  ),
);

/**
 * The computed weights of convolutions, by the name that the convolution reads.
 * Those whose trained tensor cannot be told are left out.
 */
export async function computedWeights(proto: Proto, index: GraphIndex): Promise<Map<string, ComputedWeight>> {
  const found = new Map<string, ComputedWeight>();
  const candidates = new Map<string, Ancestry>();
  for (const node of index.graph.node) {
    const name = node.opType === 'Conv' ? (node.input[1] ?? '') : '';
    if (!name || index.tensors.has(name) || candidates.has(name)) continue;
    const ancestry = ancestryOf(index, name);
    if (ancestry) candidates.set(name, ancestry);
  }
  if (candidates.size === 0) return found;
  const shapes = await shapesOf(proto, candidates).catch(() => new Map<string, readonly number[]>());
  for (const [name, { stored, nodes }] of candidates) {
    const dims = shapes.get(name);
    if (!dims || dims.length < 3) continue;
    const [tensor, ...rest] = [...stored].sort((a, b) => sizeOf(b) - sizeOf(a));
    // Gains and the like have one number per output channel at most.
    if (!tensor || sizeOf(tensor) !== elementCount(dims)) continue;
    if (rest.some((other) => sizeOf(other) > (dims[0] ?? 0))) continue;
    if (leavesOrder(nodes, tensor.name, name)) found.set(name, { tensor: tensor.name, dims: [...dims] });
  }
  return found;
}

const sizeOf = (tensor: Tensor) => elementCount(dimensions(tensor));

/** What a tensor is computed from, when that is not the image. */
interface Ancestry {
  /** Producers before consumers. */
  nodes: Node[];
  /** Floats. */
  stored: Set<Tensor>;
  /** Of other types: shapes, axes. */
  others: Set<Tensor>;
}

/** Nodes that lead to a weight; a damaged file's endless ones must not hold us up. */
const MOST = 200;

function ancestryOf(index: GraphIndex, name: string): Ancestry | undefined {
  const found: Ancestry = { nodes: [], stored: new Set(), others: new Set() };
  const visit = (current: string, visiting: readonly Node[]): boolean => {
    const tensor = index.tensors.get(current);
    const node = index.producer.get(current);
    if (tensor && node?.opType !== 'Constant') {
      (tensor.dataType === FLOAT ? found.stored : found.others).add(tensor);
      return true;
    }
    if (!node || visiting.includes(node) || visiting.length + found.nodes.length > MOST) return false;
    if (found.nodes.includes(node)) return true;
    if (!node.input.every((input) => input === '' || visit(input, [...visiting, node]))) return false;
    found.nodes.push(node);
    return true;
  };
  return visit(name, []) && found.nodes.length > 0 ? found : undefined;
}

/**
 * Whether the weight has the tensor's elements in their places: apart from means and the like of them, which may be
 * taken in any order, they are treated one by one.
 */
function leavesOrder(nodes: readonly Node[], tensor: string, weight: string): boolean {
  const states = new Map<string, 'own' | 'moved' | 'measured'>([[tensor, 'own']]);
  for (const node of nodes) {
    // CastLike looks at its second input's type only.
    const inputs = node.opType === 'CastLike' ? node.input.slice(0, 1) : node.input;
    const found = new Set(inputs.flatMap((name) => states.get(name) ?? []));
    if (found.size === 0) continue;
    let state: 'own' | 'moved' | 'measured';
    if (/^(Reduce|Shape$|Size$)/.test(node.opType) || (found.size === 1 && found.has('measured'))) {
      state = 'measured';
    } else if (node.opType === 'Transpose') {
      state = 'moved';
    } else if (elementwise.has(node.opType) && !(found.has('own') && found.has('moved'))) {
      state = found.has('own') ? 'own' : 'moved';
    } else {
      return false;
    }
    for (const name of node.output) states.set(name, state);
  }
  return states.get(weight) === 'own';
}

/** Shapes of the candidates, by computing them: shapes may be computed too. */
async function shapesOf(
  proto: Proto,
  candidates: ReadonlyMap<string, Ancestry>,
): Promise<Map<string, readonly number[]>> {
  const all = [...candidates.values()];
  const graph = create(GraphSchema, {
    name: 'weights',
    node: [...new Set(all.flatMap(({ nodes }) => nodes))],
    initializer: [...new Set(all.flatMap(({ stored, others }) => [...stored, ...others]))],
    output: [...candidates.keys()].map((name) => create(ValueInfoSchema, { name })),
  });
  const bytes = toBinary(ModelSchema, { ...proto, metadataProps: [], graph });
  const session = await InferenceSession.create(bytes, {
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 3,
  });
  const made = await session.run({});
  await session.release();
  return new Map(Object.entries(made).map(([name, { dims }]) => [name, dims]));
}
