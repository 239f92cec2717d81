/**
 * A reset convolution with its BatchNorm folded in: the norm's scale goes into the weights as one factor per
 * output channel when they are reset, its shift becomes the convolution's constant bias. The runtime then fuses
 * what follows as it does in the untouched model.
 */
import { create } from '@bufbuild/protobuf';
import { attributeInt } from '../onnx/graph.js';
import type { Layer } from '../onnx/layers.js';
import { type Node, type Tensor, TensorSchema } from '../onnx/onnx_pb.js';
import { FLOAT, withFloats } from '../onnx/tensors.js';

export interface Fold {
  conv: Node;
  norm: Node;
  /** Stands for both. */
  fused: Node;
  /** The fused node's bias. */
  shift: Tensor;
  /** One factor per output channel of the weight. */
  factor: Float32Array;
}

/** ONNX's default. */
const EPSILON = 1e-5;

/**
 * The fold of a layer, or undefined where there is none: no norm, a bias of the layer's own between the two, a
 * weight used elsewhere, or a norm in training mode, which looks at the batch.
 *
 * @param nodes where the layer's convolution and its norm are
 * @param values of the norm's tensors: trained, or as reset
 */
export function foldNorm(
  layer: Layer,
  nodes: readonly Node[],
  values: (tensor: string) => Float32Array,
): Fold | undefined {
  if (!layer.norm || layer.bias || layer.uses > 1) return undefined;
  const conv = nodes.find((node) => node.opType === 'Conv' && node.input[1] === layer.weight.tensor);
  const output = conv?.output[0];
  const norm = nodes.find((node) => node.opType === 'BatchNormalization' && node.input[0] === output);
  if (!conv || !norm || norm.output.slice(1).some((name) => name !== '')) return undefined;
  if (attributeInt(norm, 'training_mode', 0) !== 0) return undefined;
  const epsilon = norm.attribute.find(({ name }) => name === 'epsilon')?.f ?? EPSILON;
  const [scale, bias, mean, variance] = [
    values(layer.norm.scale),
    values(layer.norm.bias),
    values(layer.norm.mean),
    values(layer.norm.variance),
  ];
  const factor = scale.map((gamma, c) => gamma / Math.sqrt((variance[c] ?? 0) + epsilon));
  const shifts = bias.map((beta, c) => beta - (mean[c] ?? 0) * (factor[c] ?? 0));
  const name = `${layer.weight.tensor} critmap shift`;
  const empty = create(TensorSchema, { name, dims: [BigInt(shifts.length)], dataType: FLOAT });
  return {
    conv,
    norm,
    fused: {
      ...conv,
      input: [conv.input[0] ?? '', layer.weight.tensor, name],
      output: [norm.output[0] ?? ''],
    },
    shift: withFloats(empty, shifts),
    factor,
  };
}
