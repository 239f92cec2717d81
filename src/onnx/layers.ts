/**
 * Finds the layers of a model: every Conv, Gemm and MatMul whose weight is a trained tensor, with its bias, its
 * BatchNorm and its PyTorch name. A weight that several nodes share is one layer, as it is one parameter.
 */
import { CritmapError } from '../errors.js';
import type { Layout } from '../native.js';
import { attributeInt, type GraphIndex, type Origin, onlyConsumer, originOf } from './graph.js';
import type { OnnxFile } from './model.js';
import { moduleName } from './names.js';
import type { Node } from './onnx_pb.js';
import { dimensions, elementCount, FLOAT, typeName } from './tensors.js';

/** A trained tensor of a layer. */
export interface Parameter {
  /** Name of the stored tensor. */
  tensor: string;
  /** Dimensions as stored. */
  stored: number[];
  /** PyTorch's shape: output channels first. */
  shape: number[];
  /** Storage against logical order. */
  layout: Layout;
}

/** Tensor names of the BatchNormalization that follows a convolution. */
export interface Norm {
  scale: string;
  bias: string;
  mean: string;
  variance: string;
}

export interface Layer {
  /** The weight's module in PyTorch's words, `layer1.0.conv1`. */
  name: string;
  op: 'Conv' | 'Gemm' | 'MatMul';
  weight: Parameter;
  bias: Parameter | null;
  norm: Norm | null;
  /** torch.nn.init's fan of the weight. */
  fanIn: number;
  fanOut: number;
  groups: number;
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
  for (const node of file.graph.node) {
    const found = weightOf(index, node);
    if (!found) continue;
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
    const layer = describe(index, node, found, taken);
    taken.add(layer.name);
    byWeight.set(found.origin.tensor, layer);
  }
  if (byWeight.size === 0) throw noLayers(file);
  return [...byWeight.values()];
}

interface Weight {
  origin: Origin;
  /** The stored matrix is [in, out]. */
  transposed: boolean;
}

/** The node's weight, if it is one of a layer. */
function weightOf(index: GraphIndex, node: Node): Weight | undefined {
  if (node.domain !== '' && node.domain !== 'ai.onnx') return undefined;
  const at = (i: number) => (node.input[i] ? originOf(index, node.input[i]) : undefined);
  const rank = (origin: Origin) => origin.proto.dims.length;
  switch (node.opType) {
    case 'Conv': {
      const origin = at(1);
      return origin && !origin.transposed && rank(origin) >= 3 ? { origin, transposed: false } : undefined;
    }
    case 'Gemm': {
      const origin = at(1);
      if (!origin || rank(origin) !== 2) return undefined;
      // transB = 1 takes PyTorch's [out, in].
      return { origin, transposed: (attributeInt(node, 'transB', 0) === 0) !== origin.transposed };
    }
    case 'MatMul': {
      const right = at(1);
      const left = at(0);
      if (right && left) return undefined;
      if (right && rank(right) === 2) return { origin: right, transposed: !right.transposed };
      // W x: rows are output channels already.
      if (left && rank(left) === 2) return { origin: left, transposed: left.transposed };
      return undefined;
    }
    default:
      return undefined;
  }
}

function describe(index: GraphIndex, node: Node, { origin, transposed }: Weight, taken: Set<string>): Layer {
  const stored = dimensions(origin.proto);
  const shape = transposed ? [...stored].reverse() : stored;
  const channels = shape[0] ?? 1;
  const layout: Layout = transposed
    ? { channels, inner: 1, transposed: true }
    : { channels, inner: elementCount(stored) / channels };
  const biasTensor = biasOf(index, node, channels);
  const bias = biasTensor ? vector(biasTensor, channels) : null;
  const weight = { tensor: origin.tensor, stored, shape, layout };
  // A shared weight may carry the name of any of its modules; the bias tells which one this node is.
  const shared = (index.consumers.get(origin.tensor)?.length ?? 0) > 1;
  const tensors = biasTensor ? [origin.tensor, biasTensor] : [origin.tensor];
  if (shared) tensors.reverse();
  // torch.nn.init: size(1) x receptive field and size(0) x receptive field, groups not considered.
  const receptive = elementCount(shape.slice(2));
  return {
    name: moduleName(node, tensors, taken),
    op: node.opType as Layer['op'],
    weight,
    bias,
    norm: normOf(index, node),
    fanIn: (shape[1] ?? 1) * receptive,
    fanOut: channels * receptive,
    groups: node.opType === 'Conv' ? attributeInt(node, 'group', 1) : 1,
    parameters: elementCount(stored) + (bias ? channels : 0),
    uses: 1,
  };
}

function vector(tensor: string, channels: number): Parameter {
  return { tensor, stored: [channels], shape: [channels], layout: { channels, inner: 1 } };
}

/** Name of the bias tensor: an input of Conv and Gemm, the Add that follows a MatMul. */
function biasOf(index: GraphIndex, node: Node, channels: number): string | undefined {
  const fits = (name: string | undefined) => {
    const origin = name ? originOf(index, name) : undefined;
    if (origin?.proto.dataType !== FLOAT) return undefined;
    const dims = dimensions(origin.proto);
    return dims.at(-1) === channels && elementCount(dims) === channels ? origin.tensor : undefined;
  };
  if (node.opType !== 'MatMul') return fits(node.input[2]);
  const add = onlyConsumer(index, node.output[0]);
  if (add?.opType !== 'Add') return undefined;
  return fits(add.input.find((name) => name !== node.output[0]));
}

function normOf(index: GraphIndex, node: Node): Norm | null {
  if (node.opType !== 'Conv') return null;
  const norm = onlyConsumer(index, node.output[0]);
  if (norm?.opType !== 'BatchNormalization' || norm.input[0] !== node.output[0]) return null;
  const [scale, bias, mean, variance] = norm.input
    .slice(1, 5)
    .map((name) => (name ? originOf(index, name)?.tensor : undefined));
  return scale && bias && mean && variance ? { scale, bias, mean, variance } : null;
}

function noLayers(file: OnnxFile): CritmapError {
  const ops = new Set(file.graph.node.map((node) => node.opType));
  const quantised = [...ops].find((op) =>
    /^(QLinear|Quantize|Dequantize|ConvInteger|MatMulInteger)/.test(op),
  );
  const why = quantised
    ? `it is quantised (${quantised}); export the float32 model`
    : `no Conv, Gemm or MatMul in it has a stored weight (operators: ${[...ops].slice(0, 8).join(', ')})`;
  return new CritmapError('ERR_MODEL', `${file.path} has no layers to reset: ${why}`);
}
