/**
 * Finds the layers of a model: every Conv, ConvTranspose, Gemm and MatMul whose weight is a trained tensor, and every
 * Einsum that is a Linear, with its bias, its BatchNorm and its PyTorch name; of recurrent operators the weights of what
 * comes in and those of the state. A weight that several nodes share is one layer, as it is one parameter; a standardised
 * weight's layer has the tensor that is standardised.
 */
import { CritmapError } from '../errors.js';
import type { Layout } from '../native/reset-rule.js';
import { type CellPart, cellParts } from './cells.js';
import { type EinsumWeight, einsumWeight } from './einsum.js';
import type { OnnxFile } from './file.js';
import {
  attributeInt,
  attributeText,
  type GraphIndex,
  type Origin,
  onlyConsumer,
  originOf,
} from './graph.js';
import { holdersOf, madeUp, moduleName, unlike } from './names.js';
import type { NormOp } from './norm-ops.js';
import { whyNoLayer } from './not-layers.js';
import type { Node, Tensor } from './onnx_pb.js';
import { dimensions, elementCount, FLOAT, typeName } from './tensors.js';

/** A trained tensor of a layer. */
export interface Parameter {
  /** Name of the stored tensor. */
  tensor: string;
  /** Dimensions as stored. */
  stored: number[];
  /** PyTorch's shape: output channels first, but `[in, out / groups, ...]` of a transposed convolution. */
  shape: number[];
  /** Storage against logical order. */
  layout: Layout;
  /** Of a part of a larger parameter: that, and the first of its output channels. `tensor` is then a name of critmap's. */
  within?: { parameter: Parameter; from: number };
}

/** Tensor names of the BatchNormalization that follows a convolution or transposed convolution. */
export interface Norm {
  scale: string;
  bias: string;
  mean: string;
  variance: string;
}

/** One that other weights may have too. */
export interface GainParameter extends Parameter {
  shared: boolean;
}

/** A layer: an operator with a trained weight, which can be reset. */
export interface Layer {
  /** The weight's module in PyTorch's words, `layer1.0.conv1`. */
  name: string;
  op: 'Conv' | 'ConvTranspose' | 'Gemm' | 'MatMul' | 'Einsum' | 'LSTM' | 'GRU' | 'RNN' | NormOp;
  weight: Parameter;
  bias: Parameter | null;
  norm: Norm | null;
  /** Of a BatchNormalization that is a layer of its own. */
  statistics?: { mean: Parameter; variance: Parameter };
  /** Of a norm that is reset with the layer before it: it may be what it is after a reset, too. */
  accompanies?: true;
  /** The layer that this is a part of, as q is of a fused qkv. */
  whole?: Layer;
  /** What the weight is multiplied with in the graph, a number for each output channel: only a donor brings others. */
  gains?: readonly GainParameter[];
  /** torch.nn.init's fan of the weight. */
  fanIn: number;
  fanOut: number;
  groups: number;
  /** Of a recurrent cell: how many numbers its state has. */
  hidden?: number;
  /** Trained elements: weight and bias. */
  parameters: number;
  /** Graph nodes that use the weight; more than one when it is tied. */
  uses: number;
}

/**
 * The layers in graph order.
 * @throws CritmapError (ERR_MODEL) when there is none, or a layer's weight is not float32.
 */
export function findLayers(file: OnnxFile, index: GraphIndex): Layer[] {
  const byWeight = new Map<string, Layer>();
  const taken = new Set<string>();
  const holders = holdersOf(file.graph.node);
  for (const node of file.graph.node) {
    for (const part of cellParts(index, node) ?? []) {
      const known = byWeight.get(part.weight.name);
      if (known) known.uses += 1;
      else byWeight.set(part.weight.name, ofCell(node, part, taken));
    }
    const found = weightOf(index, node, file.computed);
    if (!found || whyNoLayer(index, node, found.origin.proto)) continue;
    const known = byWeight.get(found.origin.tensor);
    if (known) {
      known.uses += 1;
      continue;
    }
    const { proto } = found.origin;
    if (proto.dataType !== FLOAT) {
      throw new CritmapError(
        'ERR_MODEL',
        `${file.path}: the weight ${proto.name} is ${typeName(proto.dataType)}; critmap takes float32 models, export it again in float32`,
      );
    }
    if (elementCount(dimensions(proto)) === 0) {
      throw new CritmapError(
        'ERR_MODEL',
        `${file.path}: the weight ${proto.name} is empty, [${proto.dims.join(', ')}]`,
      );
    }
    const layer = {
      ...describe(index, node, found, taken, holders),
      ...gainsOf(index, file, found.origin.tensor),
    };
    taken.add(layer.name);
    byWeight.set(found.origin.tensor, layer);
  }
  if (byWeight.size === 0) throw noLayers(file);
  return [...byWeight.values()];
}

function gainsOf(index: GraphIndex, { computed }: OnnxFile, weight: string): Pick<Layer, 'gains'> {
  const own = [...(computed?.values() ?? [])].filter(({ tensor }) => tensor === weight);
  const gains = own.flatMap((one) =>
    one.gains.map(({ tensor, shared }) => {
      const stored = dimensions(index.tensors.get(tensor) as Tensor);
      const channels = elementCount(stored);
      return { tensor, shared, stored, shape: [channels], layout: { channels, inner: 1 } };
    }),
  );
  return gains.length > 0 ? { gains } : {};
}

function ofCell(node: Node, { weight, bias, shape, name, hidden }: CellPart, taken: Set<string>): Layer {
  const [channels = 1, inner = 1] = shape;
  const own = unlike(name, taken);
  taken.add(own);
  return {
    name: own,
    op: node.opType as Layer['op'],
    weight: { tensor: weight.name, stored: dimensions(weight), shape, layout: { channels, inner } },
    bias: bias
      ? { tensor: bias.name, stored: dimensions(bias), shape: [channels], layout: { channels, inner: 1 } }
      : null,
    norm: null,
    fanIn: inner,
    fanOut: channels,
    groups: 1,
    hidden,
    parameters: elementCount(shape) + (bias ? channels : 0),
    uses: 1,
  };
}

interface Weight {
  origin: Origin;
  /** PyTorch's. */
  shape: number[];
  layout: Layout;
  /** Of an Einsum, which the shape does not tell. */
  fans?: EinsumWeight;
}

/** The node's weight, if it is one of a layer. */
function weightOf(index: GraphIndex, node: Node, computed: OnnxFile['computed']): Weight | undefined {
  if (node.domain !== '' && node.domain !== 'ai.onnx') return undefined;
  const at = (i: number) => (node.input[i] ? originOf(index, node.input[i]) : undefined);
  const rank = (origin: Origin) => origin.proto.dims.length;
  switch (node.opType) {
    case 'Conv': {
      const standardised = computed?.get(node.input[1] ?? '');
      const proto = index.tensors.get(standardised?.tensor ?? '');
      if (standardised && proto) {
        const origin = { tensor: standardised.tensor, proto, transposed: false };
        return { origin, shape: standardised.dims, layout: rows(standardised.dims) };
      }
      const origin = at(1);
      if (!origin || origin.transposed || rank(origin) < 3) return undefined;
      const shape = dimensions(origin.proto);
      return { origin, shape, layout: rows(shape) };
    }
    case 'ConvTranspose': {
      const origin = at(1);
      if (!origin || origin.transposed || rank(origin) < 3) return undefined;
      const shape = dimensions(origin.proto);
      const layout = transposedConvolution(shape, attributeInt(node, 'group', 1));
      return layout && { origin, shape, layout };
    }
    case 'Gemm': {
      const origin = at(1);
      if (!origin || rank(origin) !== 2) return undefined;
      // transB = 1 takes PyTorch's [out, in].
      return matrix(origin, (attributeInt(node, 'transB', 0) === 0) !== origin.transposed);
    }
    case 'MatMul': {
      const right = at(1);
      const left = at(0);
      if (right && left) return isLinear(index, node, right) ? matrix(right, !right.transposed) : undefined;
      if (right && rank(right) === 2) return matrix(right, !right.transposed);
      // W x: rows are output channels already.
      if (left && rank(left) === 2) return matrix(left, left.transposed);
      return undefined;
    }
    case 'Einsum': {
      const operands = [at(0), at(1)];
      const slot = operands[0] ? 0 : 1;
      const origin = operands[slot];
      if (!origin || operands[1 - slot] || node.input.length !== 2) return undefined;
      const equation = attributeText(node, 'equation');
      const fans = einsumWeight(equation, slot, dimensions(origin.proto), origin.transposed);
      if (!fans) return undefined;
      // Queries by rows of a position table, computed by the export, look like groups.
      const isParameter = !madeUp.test(origin.tensor) && /[./]/.test(origin.tensor);
      if (fans.layout.channels !== fans.fanOut && !isParameter) return undefined;
      return { origin, fans, shape: fans.shape, layout: fans.layout };
    }
    default:
      return undefined;
  }
}

const rows = (shape: readonly number[]): Layout => ({
  channels: shape[0] ?? 1,
  inner: elementCount(shape.slice(1)),
});

/** Of two stored tensors, the right one is a weight where it is called one, or has a bias, as a Linear has. */
function isLinear(index: GraphIndex, node: Node, { tensor, proto, transposed }: Origin): boolean {
  const [inputs, outputs] = dimensions(proto);
  if (proto.dims.length !== 2) return false;
  const channels = (transposed ? inputs : outputs) ?? 0;
  return /[./](weight|kernel)$/.test(tensor) || biasOf(index, node, channels, 0) !== null;
}

/** @param transposed the stored matrix is [in, out] */
function matrix(origin: Origin, transposed: boolean): Weight {
  const stored = dimensions(origin.proto);
  if (!transposed) return { origin, shape: stored, layout: rows(stored) };
  const shape = [...stored].reverse();
  return { origin, shape, layout: { channels: shape[0] ?? 1, inner: 1, transposed: true } };
}

/** Output channels of [in, out / groups, ...]; none that a layout can tell when groups have several of both. */
function transposedConvolution(shape: readonly number[], groups: number): Layout | undefined {
  const [inputs = 0, outputs = 0, ...kernel] = shape;
  const receptive = elementCount(kernel);
  const perGroup = inputs / groups;
  if (!Number.isInteger(perGroup)) return undefined;
  if (outputs === 1) return { channels: groups, inner: perGroup * receptive };
  return groups === 1 || perGroup === 1 ? { channels: groups * outputs, inner: receptive } : undefined;
}

function describe(
  index: GraphIndex,
  node: Node,
  { origin, shape, layout, fans }: Weight,
  taken: Set<string>,
  holders: ReadonlySet<string>,
): Layer {
  const stored = dimensions(origin.proto);
  const { channels } = layout;
  const bias = biasOf(index, node, channels, fans ? 0 : shape.length - 2, fans?.outputs);
  const weight = { tensor: origin.tensor, stored, shape, layout };
  // A shared weight may carry the name of any of its modules; the bias tells which one this node is.
  const shared = (index.consumers.get(origin.tensor)?.length ?? 0) > 1;
  const tensors = bias ? [origin.tensor, bias.tensor] : [origin.tensor];
  if (shared) tensors.reverse();
  // torch.nn.init: size(1) x receptive field and size(0) x receptive field, groups not considered.
  const receptive = elementCount(shape.slice(2));
  return {
    name: moduleName(node, tensors, taken, shape, holders),
    op: node.opType as Layer['op'],
    weight,
    bias,
    norm: normOf(index, node),
    fanIn: fans?.fanIn ?? (shape[1] ?? 1) * receptive,
    fanOut: fans?.fanOut ?? (shape[0] ?? 1) * receptive,
    groups: /^Conv/.test(node.opType) ? attributeInt(node, 'group', 1) : 1,
    parameters: elementCount(stored) + (bias ? channels : 0),
    uses: 1,
  };
}

/**
 * The bias: an input of Conv, ConvTranspose and Gemm, or the Add that follows.
 * @param spatial axes behind the channels' in what the Add adds to
 * @param outputs the channels' own axes, where they are several
 */
function biasOf(
  index: GraphIndex,
  node: Node,
  channels: number,
  spatial: number,
  outputs: readonly number[] = [channels],
): Parameter | null {
  const vector = (name: string | undefined, behind: number) => {
    const origin = name ? originOf(index, name) : undefined;
    if (origin?.proto.dataType !== FLOAT || origin.transposed) return null;
    const stored = dimensions(origin.proto);
    const last = stored.slice(0, stored.length - behind).slice(-outputs.length);
    if (last.join() !== outputs.join() || elementCount(stored) !== channels) return null;
    return { tensor: origin.tensor, stored, shape: [channels], layout: { channels, inner: 1 } };
  };
  if (node.opType === 'Gemm') return vector(node.input[2], 0);
  if (/^Conv/.test(node.opType) && node.input[2]) return vector(node.input[2], 0);
  const add = onlyConsumer(index, node.output[0]);
  if (add?.domain === 'com.microsoft') return vector(fusedBias(index, add, node.output[0] ?? ''), 0);
  if (add?.opType !== 'Add') return null;
  return vector(
    add.input.find((name) => name !== node.output[0]),
    spatial,
  );
}

/** The bias that ONNX Runtime's optimiser put into the node that follows. */
function fusedBias(index: GraphIndex, { opType, input }: Node, output: string): string | undefined {
  if (/^(BiasGelu|FastGelu|BiasSplitGelu|BiasAdd)$/.test(opType))
    return input[0] === output ? input[1] : undefined;
  if (opType !== 'SkipLayerNormalization') return undefined;
  // Of the two that it adds, one had the bias.
  const other = input.slice(0, 2).find((name) => name !== output) ?? '';
  return /^(MatMul|Gemm)$/.test(index.producer.get(other)?.opType ?? '') ? undefined : input[4];
}

function normOf(index: GraphIndex, node: Node): Norm | null {
  if (!/^Conv/.test(node.opType)) return null;
  const norm = onlyConsumer(index, node.output[0]);
  if (norm?.opType !== 'BatchNormalization' || norm.input[0] !== node.output[0]) return null;
  const [scale, bias, mean, variance] = norm.input
    .slice(1, 5)
    .map((name) => (name ? originOf(index, name)?.tensor : undefined));
  return scale && bias && mean && variance ? { scale, bias, mean, variance } : null;
}

function noLayers(file: OnnxFile): CritmapError {
  const ops = [...new Set(file.graph.node.map((node) => node.opType))].slice(0, 8).join(', ');
  return new CritmapError(
    'ERR_MODEL',
    `${file.path} has no layers to reset: no Conv, Gemm, MatMul or Einsum in it has a stored weight (operators: ${ops})`,
  );
}
