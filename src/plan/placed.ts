/** Where the parameters of a layer are in the graph that is cut. */
import type { Blocked } from '../native/reset-rule.js';
import type { Parameter } from '../onnx/layers.js';
import type { Tensor } from '../onnx/onnx_pb.js';
import type { Fold } from './fold.js';

/** Where a parameter is: its values times the factor, plus the shift, in another order. */
export interface Place {
  parameter: Parameter;
  /** The graph's stored tensor. */
  tensor: string;
  dims: readonly number[];
  /** Order of elements, where it is not the model's. */
  blocked?: Blocked;
  /** One per output channel: of the BatchNorm that is folded in, as a reset leaves it. */
  factor?: Float32Array;
  /** One per element. */
  shift?: Float32Array;
}

export interface PlacedLayer {
  weight: Place;
  /** null when the layer has none of its own. */
  bias: Place | null;
  /** Running mean and variance of a norm that is a layer of its own. */
  statistics?: readonly Place[];
  /** What its weight is multiplied with. */
  gains?: readonly Place[];
  /** Stored tensors that the reset layer's part has instead of the graph's, or besides. */
  extra: readonly Tensor[];
  /** A convolution and its norm that are one node in the reset layer's part. */
  fold?: Fold;
}

/** Of all parameters that a layer has. */
export const placesOf = ({ weight, bias, statistics = [], gains = [] }: PlacedLayer): Place[] => [
  ...(bias ? [weight, bias] : [weight]),
  ...statistics,
  ...gains,
];
