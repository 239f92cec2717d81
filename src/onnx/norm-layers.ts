/**
 * Norms as layers of their own: BatchNorm with its statistics, LayerNorm, GroupNorm, InstanceNorm and RMSNorm, as ONNX's
 * operators, as those of ONNX Runtime's optimiser, and as exporters of older opsets write them: a quotient by a root of
 * means, times a stored scale, plus a stored shift.
 */
import type { OnnxFile } from './file.js';
import { type GraphIndex, onlyConsumer, originOf, readsOf } from './graph.js';
import type { Layer, Parameter } from './layers.js';
import type { LeftOut } from './left-out.js';
import { moduleName } from './names.js';
import type { NormOp } from './norm-ops.js';
import type { Node, Tensor } from './onnx_pb.js';
import { dimensions, elementCount, FLOAT, floats } from './tensors.js';

export interface FoundNorms {
  layers: Layer[];
  /** The norm right behind a layer, by the tensor of the layer's weight. */
  behind: Map<string, Layer>;
  /** Norms whose scale is no stored tensor, or that are what they start as. */
  leftOut: LeftOut[];
}

/** Why a norm is no layer: a module without parameters of its own is written down with ones and zeros. */
const FRESH = 'it is what a norm starts as (scale 1, shift 0), or has no parameters of its own';

/**
 * The norms of a graph, in its order.
 * @param layers - its other layers, whose names and tensors are taken
 * @param keepFresh - also those that are what they start as
 */
export function findNorms(
  file: OnnxFile,
  index: GraphIndex,
  layers: readonly Layer[],
  keepFresh = false,
): FoundNorms {
  const taken = new Set(layers.map(({ name }) => name));
  const used = new Set(layers.flatMap(({ weight, bias }) => [weight.tensor, ...(bias ? [bias.tensor] : [])]));
  const byScale = new Map<string, Layer>();
  const inputs = new Map<Layer, string>();
  const leftOut: LeftOut[] = [];
  // What standardises weights is no norm of activations.
  const dynamic = new Set(file.graph.input.map(({ name }) => name));
  for (const node of file.graph.node) {
    if (!readsOf(node).some((name) => dynamic.has(name))) continue;
    for (const name of node.output) dynamic.add(name);
    const found = normAt(index, node);
    if (!found) continue;
    const skip = (why: string) =>
      leftOut.push({ name: node.name || node.output[0] || '', op: found.op, why });
    if (!found.scale) {
      skip('its scale is not stored, or it has none');
      continue;
    }
    const known = byScale.get(found.scale.tensor);
    if (known) {
      known.uses += 1;
      continue;
    }
    if (used.has(found.scale.tensor)) continue;
    if ((!keepFresh || found.inner) && isFresh(index, found)) {
      // A GroupNorm's inner norm has ones, and its scale behind it.
      if (!found.inner) skip(FRESH);
      continue;
    }
    const layer = layerOf(node, found, taken);
    taken.add(layer.name);
    byScale.set(layer.weight.tensor, layer);
    inputs.set(layer, found.input);
  }
  const norms = [...byScale.values()];
  return { layers: norms, behind: layersBefore(index, layers, norms, inputs), leftOut };
}

/** Norms by the layer whose result they alone read. */
function layersBefore(
  index: GraphIndex,
  layers: readonly Layer[],
  norms: readonly Layer[],
  inputs: ReadonlyMap<Layer, string>,
): Map<string, Layer> {
  const weights = new Set(layers.map(({ weight }) => weight.tensor));
  const biases = new Set(layers.flatMap(({ bias }) => (bias ? [bias.tensor] : [])));
  const found = new Map<string, Layer>();
  for (const norm of norms) {
    let name = norm.uses === 1 ? (inputs.get(norm) ?? '') : '';
    for (let steps = 0; name && steps < MOST; steps++) {
      // Its sizes may be asked for beside.
      const readers = (index.consumers.get(name) ?? []).filter(({ opType }) => opType !== 'Shape');
      // Of one that is written out, its means and what is divided by their root.
      if (readers.length > 1 && !readers.every(({ opType }) => /^(ReduceMean|Sub|Pow|Mul|Div)$/.test(opType)))
        break;
      const node = index.producer.get(name);
      const stored = node?.input.map((one) => originOf(index, one)?.tensor ?? '') ?? [];
      const weight = stored.find((tensor) => weights.has(tensor));
      if (weight !== undefined) found.set(weight, norm);
      const isBias = node?.opType === 'Add' && stored.some((tensor) => biases.has(tensor));
      if (weight !== undefined || !node || !(isBias || arranging.test(node.opType))) break;
      name = node.input.find((one) => originOf(index, one) === undefined) ?? '';
    }
  }
  return found;
}

interface Found {
  op: NormOp;
  /** What is normalised. */
  input: string;
  scale: Parameter | undefined;
  shift: Parameter | undefined;
  statistics?: { mean: Parameter; variance: Parameter };
  /** Its result is scaled by a stored tensor once more. */
  inner?: boolean;
}

/** Where operators have their scale and shift. */
const slots: Readonly<Record<string, readonly [op: NormOp, scale: number, shift: number | null]>> = {
  BatchNormalization: ['BatchNormalization', 1, 2],
  LayerNormalization: ['LayerNormalization', 1, 2],
  GroupNormalization: ['GroupNormalization', 1, 2],
  InstanceNormalization: ['InstanceNormalization', 1, 2],
  RMSNormalization: ['RMSNormalization', 1, null],
  // ONNX Runtime's own.
  SimplifiedLayerNormalization: ['RMSNormalization', 1, null],
  SkipLayerNormalization: ['LayerNormalization', 2, 3],
  SkipSimplifiedLayerNormalization: ['RMSNormalization', 2, null],
  GroupNorm: ['GroupNormalization', 1, 2],
};

function normAt(index: GraphIndex, node: Node): Found | undefined {
  const found = slots[node.opType];
  if (!found) return node.opType === 'Mul' ? normByHand(index, node) : undefined;
  const [op, scaleAt, shiftAt] = found;
  const input = node.input[0] ?? '';
  const at = (slot: number) => vectorOf(index, node.input[slot]);
  const [scale, shift] = [at(scaleAt), shiftAt === null ? undefined : at(shiftAt)];
  if (op !== 'BatchNormalization') {
    return { op, input, scale, shift, inner: op === 'InstanceNormalization' && isInner(index, node) };
  }
  const [mean, variance] = [at(3), at(4)];
  return mean && variance ? { op, input, scale, shift, statistics: { mean, variance } } : undefined;
}

/** A stored vector that is scaled by: (x - mean) / sqrt(mean of squares + epsilon) x scale + shift, with or without means. */
function normByHand(index: GraphIndex, node: Node): Found | undefined {
  for (const [slot, name] of node.input.entries()) {
    const normalised = normalisedBy(index, node.input[1 - slot]);
    const scale = normalised && vectorOf(index, name);
    if (!scale) continue;
    const output = node.output[0];
    const add = onlyConsumer(index, output);
    const shift =
      add?.opType === 'Add'
        ? vectorOf(
            index,
            add.input.find((one) => one !== output),
          )
        : undefined;
    return { ...normalised, scale, shift: shift?.shape.join() === scale.shape.join() ? shift : undefined };
  }
  return undefined;
}

/** What arranges numbers, of stored vectors and of activations. */
const arranging = /^(Identity|Cast|Reshape|Squeeze|Unsqueeze|Transpose)$/;
/** Of such nodes as are followed; a damaged file may have a cycle. */
const MOST = 6;

/** The node that makes a tensor, behind those that arrange. */
function makerOf(index: GraphIndex, name: string | undefined): Node | undefined {
  let node = index.producer.get(name ?? '');
  for (let steps = 0; node && arranging.test(node.opType); steps++) {
    if (steps === MOST) return undefined;
    node = index.producer.get(node.input[0] ?? '');
  }
  return node;
}

/** Which norm gives a tensor that only has to be scaled. */
function normalisedBy(index: GraphIndex, name: string | undefined): Pick<Found, 'op' | 'input'> | undefined {
  const node = makerOf(index, name);
  if (node?.opType === 'InstanceNormalization') {
    return { op: 'GroupNormalization', input: node.input[0] ?? '' };
  }
  if (node?.opType !== 'Div' && node?.opType !== 'Mul') return undefined;
  for (const [slot, factor] of node.input.entries()) {
    if (node.opType === 'Div' && slot === 0) continue;
    if (!isRoot(index, factor, node.opType === 'Mul')) continue;
    const from = node.input[1 - slot] ?? '';
    const centred = makerOf(index, from);
    return centred?.opType === 'Sub'
      ? { op: 'LayerNormalization', input: centred.input[0] ?? '' }
      : { op: 'RMSNormalization', input: from };
  }
  return undefined;
}

/** sqrt(mean + epsilon), or one over it. */
function isRoot(index: GraphIndex, name: string | undefined, inverse: boolean): boolean {
  const node = makerOf(index, name);
  if (inverse) {
    if (node?.opType === 'Reciprocal') return isRoot(index, node.input[0], false);
    if (node?.opType === 'Div') return isRoot(index, node.input[1], false);
    return node?.opType === 'Pow' && isMean(index, node.input[0]);
  }
  return (node?.opType === 'Sqrt' || node?.opType === 'Pow') && isMean(index, node.input[0]);
}

function isMean(index: GraphIndex, name: string | undefined): boolean {
  const node = makerOf(index, name);
  if (node?.opType === 'ReduceMean') return true;
  return (
    /^(Add|Max|Clip)$/.test(node?.opType ?? '') &&
    node!.input.some((one) => makerOf(index, one)?.opType === 'ReduceMean')
  );
}

/** Whether a norm of groups is scaled behind, channel by channel. */
function isInner(index: GraphIndex, node: Node): boolean {
  let next = onlyConsumer(index, node.output[0]);
  for (let steps = 0; next && arranging.test(next.opType) && steps < MOST; steps++) {
    next = onlyConsumer(index, next.output[0]);
  }
  return next?.opType === 'Mul' && normByHand(index, next) !== undefined;
}

/** A stored tensor of floats along one axis, which may be arranged on its way. */
function vectorOf(index: GraphIndex, name: string | undefined): Parameter | undefined {
  let at = name ?? '';
  for (let steps = 0; steps < MOST && !index.tensors.has(at); steps++) {
    const node = index.producer.get(at);
    if (!node || !arranging.test(node.opType)) return undefined;
    at = node.input[0] ?? '';
  }
  const origin = originOf(index, at);
  if (origin?.proto.dataType !== FLOAT) return undefined;
  const stored = dimensions(origin.proto);
  const channels = elementCount(stored);
  if (channels < 2 || !stored.includes(channels)) return undefined;
  return { tensor: origin.tensor, stored, shape: [channels], layout: { channels, inner: 1 } };
}

function isFresh(index: GraphIndex, { scale, shift, statistics }: Found): boolean {
  const all = (one: Parameter | undefined, value: number) =>
    one === undefined || floats(index.tensors.get(one.tensor) as Tensor).every((found) => found === value);
  return all(scale, 1) && all(shift, 0) && all(statistics?.mean, 0) && all(statistics?.variance, 1);
}

function layerOf(node: Node, { op, scale, shift, statistics }: Found, taken: ReadonlySet<string>): Layer {
  const weight = scale!;
  const tensors = [weight.tensor, ...(shift ? [shift.tensor] : [])];
  const { channels } = weight.layout;
  return {
    name: moduleName(node, tensors, taken),
    op,
    weight,
    bias: shift ?? null,
    norm: null,
    ...(statistics && { statistics }),
    // Nothing is multiplied with many inputs.
    fanIn: 1,
    fanOut: 1,
    groups: 1,
    parameters: channels * tensors.length,
    uses: 1,
  };
}
