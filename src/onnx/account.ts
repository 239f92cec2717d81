/**
 * Where every trained number of a model is: in a layer, in a norm, or elsewhere, with what takes it there. Stored floats
 * count as trained but for statistics of norms and single numbers without a parameter's name, which exporters write down.
 */
import { cellParts } from './cells.js';
import type { OnnxFile } from './file.js';
import { type GraphIndex, readsOf } from './graph.js';
import type { Layer } from './layers.js';
import type { LeftOut } from './left-out.js';
import { madeUp } from './names.js';
import type { Graph, Node, Tensor } from './onnx_pb.js';
import { dimensions, elementCount, FLOAT, floats } from './tensors.js';

export interface Account {
  /** Trained numbers in all: layers, norms and elsewhere together. */
  total: number;
  layers: number;
  /** Scales and shifts of normalisations. */
  norms: number;
  elsewhere: Elsewhere[];
}

export interface Elsewhere {
  tensor: string;
  elements: number;
  why: string;
}

export function accountOf(
  { file, index, inputs }: { file: OnnxFile; index: GraphIndex; inputs: readonly string[] },
  layers: readonly Layer[],
  leftOut: readonly LeftOut[],
): Account {
  const ofLayers = new Map(
    layers.flatMap(({ weight, bias }) => (bias ? [weight, bias] : [weight]).map((one) => [one.tensor, one])),
  );
  const gains = new Map(
    layers.flatMap(({ name, gains = [] }) => gains.map(({ tensor }) => [tensor, name] as const)),
  );
  const uses = usesOf(file.graph, inputs);
  const account: Account = { total: 0, layers: 0, norms: 0, elsewhere: [] };
  const reasons = new Map(leftOut.map(({ name, why }) => [name, why]));
  for (const tensor of storedFloats(file.graph)) {
    const elements = elementCount(dimensions(tensor));
    const use = uses.get(tensor.name);
    if (ofLayers.has(tensor.name)) account.layers += elements;
    else if (
      elements === 0 ||
      !isTrained(tensor, elements) ||
      isStatistic(use) ||
      isBuffer(file.graph, tensor)
    )
      continue;
    else if ((isOfNorm(use) || gains.has(tensor.name)) && isNeutral(tensor)) continue;
    else if (isOfNorm(use) || isBehindNorm(index, use)) account.norms += elements;
    else {
      const layer = gains.get(tensor.name);
      const why =
        layer === undefined
          ? whyElsewhere(index, use, reasons)
          : `a gain of ${layer}, which only donors replace`;
      account.elsewhere.push({ tensor: tensor.name, elements, why });
    }
    account.total += elements;
  }
  return account;
}

/** Those of graphs inside of nodes too. */
function storedFloats(graph: Graph): Tensor[] {
  const own = graph.initializer.filter(({ dataType }) => dataType === FLOAT);
  const inner = graph.node.flatMap(({ opType, attribute }) =>
    attribute.flatMap(({ name, t, g, graphs }) => {
      const constant = opType === 'Constant' && name === 'value' && t?.dataType === FLOAT ? [t] : [];
      return [...constant, ...(g ? [g, ...graphs] : graphs).flatMap(storedFloats)];
    }),
  );
  return [...own, ...inner];
}

const isTrained = ({ name }: Tensor, elements: number) =>
  elements > 1 || (!madeUp.test(name) && /\.|(_scale|gain|temperature)$/.test(name));

/** What torch.nn.utils keeps beside `weight_orig`: the mask of pruning, the vectors of spectral norm's iteration. */
const besideOriginal = /^(.*[./])?(weight|bias)_(mask|u|v)$/;
/** The same of torch.nn.utils.parametrizations. */
const ofParametrization = /\.parametrizations\.\w+\.\d+\._[uv]$/;

function isBuffer({ initializer }: Graph, { name }: Tensor): boolean {
  if (ofParametrization.test(name)) return true;
  const [, module = '', parameter] = besideOriginal.exec(name) ?? [];
  // Weight norm's `weight_v` is trained, and has no `weight_orig` beside it.
  return parameter !== undefined && initializer.some((one) => one.name === `${module}${parameter}_orig`);
}

/** How a stored tensor comes to the image's numbers. */
interface Use {
  node: Node;
  slot: number;
  /** The graph computes something of it first. */
  computed: boolean;
}

const arranging = /^(Identity|Cast|Reshape|Squeeze|Unsqueeze|Flatten|Transpose|Expand)$/;

/** The first node that reads a tensor, or what is computed of it without the images, together with the images. */
function usesOf(graph: Graph, inputs: readonly string[]): Map<string, Use> {
  const dynamic = new Set(inputs);
  for (const node of graph.node) {
    if (readsOf(node).some((name) => dynamic.has(name))) for (const name of node.output) dynamic.add(name);
  }
  const uses = new Map<string, Use>();
  const put = (name: string, use: Use) => {
    if (name && !uses.has(name)) uses.set(name, use);
  };
  // What a node makes is used already when the node is met from behind.
  for (const node of [...graph.node].reverse()) {
    const isDynamic = node.output.some((name) => dynamic.has(name));
    const use = isDynamic ? undefined : node.output.map((name) => uses.get(name)).find(Boolean);
    const inner = readsOf(node).filter((name) => !node.input.includes(name));
    for (const [slot, name] of [...node.input, ...inner].entries()) {
      if (dynamic.has(name)) continue;
      if (isDynamic) uses.set(name, { node, slot, computed: false });
      else if (use) put(name, { ...use, computed: use.computed || !arranging.test(node.opType) });
    }
  }
  return uses;
}

const isStatistic = (use: Use | undefined) =>
  use !== undefined && use.node.opType === 'BatchNormalization' && use.slot > 2;

const isOfNorm = (use: Use | undefined) =>
  use !== undefined &&
  /(Normalization|GroupNorm)$/.test(use.node.opType) &&
  (use.slot === 1 || use.slot === 2 || (/^Skip/.test(use.node.opType) && use.slot === 3));

/** Ones or zeros that an exporter gives a norm which has none: of groups, or of a weight. */
function isNeutral(tensor: Tensor): boolean {
  if (!madeUp.test(tensor.name)) return false;
  const values = floats(tensor);
  return (values[0] === 0 || values[0] === 1) && values.every((value) => value === values[0]);
}

/** A norm of groups is exported as one of instances, its own scale and shift behind that. */
function isBehindNorm(index: GraphIndex, use: Use | undefined): boolean {
  const leads = (name: string, steps: number): boolean => {
    const node = index.producer.get(name);
    if (node?.opType === 'InstanceNormalization')
      return node.input.slice(1).every((one) => index.tensors.has(one) && isNeutral(index.tensors.get(one)!));
    return (
      steps > 0 &&
      /^(Reshape|Mul)$/.test(node?.opType ?? '') &&
      node!.input.some((one) => leads(one, steps - 1))
    );
  };
  return (
    use !== undefined && /^(Mul|Add)$/.test(use.node.opType) && use.node.input.some((one) => leads(one, 2))
  );
}

const taken: readonly [op: RegExp, why: string][] = [
  [/^(Add|Sub|Sum)$/, 'added to activations, as embeddings of positions and biases of no layer are'],
  [/^(Mul|Div|Pow)$/, 'multiplied with activations, as scales and gates are'],
  [/^PRelu$/, 'slopes of an activation'],
  [/^(Gather|GatherElements|GatherND)$/, 'a table that rows are taken of'],
  [/^(Concat|Expand|Where|Tile|ScatterND|ScatterElements)$/, 'put beside activations, as tokens are'],
  [/^(Slice|Split)$/, 'some of it is a weight or bias of an operation that is no layer'],
  [/^(If|Loop|Scan)$/, 'read in the graph inside of a node'],
];

function whyElsewhere(index: GraphIndex, use: Use | undefined, reasons: ReadonlyMap<string, string>): string {
  if (!use) return 'no node that leads to the logits reads it, or one inside of another graph';
  const { node, computed } = use;
  const at = `${node.name || node.output[0]} (${node.opType})`;
  const known = reasons.get(node.name || node.output[0] || '');
  if (known !== undefined) return `${at}: ${known}`;
  if (cellParts(index, node)) return `${at}: an initial state or a peephole`;
  if (computed && /^(Conv|ConvTranspose|Gemm|MatMul|Einsum)$/.test(node.opType))
    return `${at}: its weight is computed from this and is no layer, or has it as a gain`;
  const found = taken.find(([op]) => op.test(node.opType))?.[1];
  return found ? `${at}: ${found}` : `read by ${at}`;
}
