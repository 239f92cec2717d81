/**
 * A reset convolution with its BatchNorm folded in: the norm's scale goes into the weights as one factor per
 * output channel when they are reset, its shift becomes the convolution's constant bias. The runtime then fuses
 * what follows as it does in the untouched model.
 */
import { create } from '@bufbuild/protobuf';
import { attributeInt, type GraphIndex, onlyConsumer } from '../onnx/graph.js';
import type { Layer } from '../onnx/layers.js';
import { type Node, type Tensor, TensorSchema } from '../onnx/onnx_pb.js';
import { dimensions, elementCount, FLOAT, withFloats } from '../onnx/tensors.js';

/** What is folded into a convolution, per output channel: its result times factor, plus shift. */
export interface Affine {
  factor: Float32Array;
  shift: Float32Array;
}

/** What a BatchNorm does to the convolution before it. */
export interface FoldedNorm extends Affine {
  conv: Node;
  norm: Node;
}

export interface Fold extends Pick<FoldedNorm, 'conv' | 'norm' | 'factor'> {
  /** Stands for both. */
  fused: Node;
  /** The fused node's bias. */
  shift: Tensor;
}

/** ONNX's default. */
const EPSILON = 1e-5;

/**
 * A layer's norm as factor and shift, or undefined where it is not one: no norm right behind the convolution, or
 * one in training mode, which looks at the batch.
 *
 * @param values of the norm's tensors: trained, or as reset
 */
export function foldedNorm(
  layer: Layer,
  nodes: readonly Node[],
  values: (tensor: string) => Float32Array,
): FoldedNorm | undefined {
  if (!layer.norm) return undefined;
  const conv = nodes.find((node) => node.opType === 'Conv' && node.input[1] === layer.weight.tensor);
  const output = conv?.output[0];
  const norm = nodes.find((node) => node.opType === 'BatchNormalization' && node.input[0] === output);
  if (!conv || !norm || norm.output.slice(1).some((name) => name !== '')) return undefined;
  if (attributeInt(norm, 'training_mode', 0) !== 0) return undefined;
  const epsilon = norm.attribute.find(({ name }) => name === 'epsilon')?.f ?? EPSILON;
  const { scale, bias, mean, variance } = layer.norm;
  const [means, variances] = [values(mean), values(variance)];
  const factor = values(scale).map((gamma, c) => gamma / Math.sqrt((variances[c] ?? 0) + epsilon));
  const shift = values(bias).map((beta, c) => beta - (means[c] ?? 0) * (factor[c] ?? 0));
  return { conv, norm, factor, shift };
}

/**
 * A trained factor per channel right behind a convolution, such as ConvNeXt's layer scale; the runtime folds it in.
 *
 * @param values of the stored tensor that has the factors
 */
export function layerScale(
  layer: Layer,
  index: GraphIndex,
  values: (tensor: string) => Float32Array,
): Affine | undefined {
  if (layer.op !== 'Conv' || layer.uses > 1) return undefined;
  const conv = index.consumers.get(layer.weight.tensor)?.find(({ opType }) => opType === 'Conv');
  const output = conv?.output[0];
  const mul = onlyConsumer(index, output);
  if (mul?.opType !== 'Mul') return undefined;
  let name = mul.input.find((input) => input !== output) ?? '';
  // Shaped to N x channels x height x width on the way, which leaves the order of the values.
  for (let node = index.producer.get(name); node && /^(Unsqueeze|Reshape)$/.test(node.opType); ) {
    name = node.input[0] ?? '';
    node = index.producer.get(name);
  }
  const stored = index.tensors.get(name);
  const [channels = 0] = layer.weight.shape;
  if (stored?.dataType !== FLOAT || elementCount(dimensions(stored)) !== channels) return undefined;
  return { factor: values(name), shift: new Float32Array(channels) };
}

/** The fold of a layer as one node, or undefined with a bias of its own or a weight that is used elsewhere. */
export function foldNorm(
  layer: Layer,
  nodes: readonly Node[],
  values: (tensor: string) => Float32Array,
): Fold | undefined {
  if (layer.bias || layer.uses > 1) return undefined;
  const found = foldedNorm(layer, nodes, values);
  if (!found) return undefined;
  const { conv, norm, factor, shift } = found;
  const name = `${layer.weight.tensor} critmap shift`;
  const empty = create(TensorSchema, { name, dims: [BigInt(shift.length)], dataType: FLOAT });
  return {
    conv,
    norm,
    factor,
    fused: {
      ...conv,
      input: [conv.input[0] ?? '', layer.weight.tensor, name],
      output: [norm.output[0] ?? ''],
    },
    shift: withFloats(empty, shift),
  };
}
