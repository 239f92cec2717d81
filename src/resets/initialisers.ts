/**
 * From the name of an initialisation scheme to a distribution, by PyTorch's formulas (`torch.nn.init` and the
 * modules' `reset_parameters`). Fans are PyTorch's: groups are not considered.
 */

import type { Layout, ResetRule } from '../native/reset-rule.js';
import type { Layer, Parameter } from '../onnx/layers.js';

export const initSchemes = [
  'auto',
  'pytorch',
  'kaiming-normal',
  'kaiming-uniform',
  'xavier-normal',
  'xavier-uniform',
  'lecun-normal',
  'trunc-normal',
  'match',
] as const;
export type InitScheme = (typeof initSchemes)[number];

/** A distribution without a key: what to draw, or a constant. */
export type Distribution =
  | { kind: 'uniform'; low: number; high: number }
  | { kind: 'normal'; mean: number; std: number }
  | { kind: 'trunc-normal'; mean: number; std: number; low: number; high: number }
  | { kind: 'constant'; value: number };

/** Standard deviation of a standard normal cut at two: a cut normal is widened by it to keep its variance. */
const CUT_AT_TWO = 0.8796256610342398;

/**
 * What a scheme draws a layer's weight from. `auto` is what the published study's models start with: Kaiming
 * normal (fan-out, ReLU) for convolutions, as timm's and torchvision's ResNets do, PyTorch's Linear default
 * otherwise. `kaiming-*` are torch.nn.init's with their default arguments (fan-in, gain sqrt 2), `trunc-normal`
 * is timm's for transformers (std 0.02, cut at -2 and 2). `match` draws standard normals that
 * {@link matchFactor} scales.
 *
 * @throws RangeError when a fan is zero
 */
export function weightDistribution(
  scheme: InitScheme,
  layer: Pick<Layer, 'op' | 'fanIn' | 'fanOut'>,
): Distribution {
  const { fanIn, fanOut } = layer;
  if (!(fanIn > 0) || !(fanOut > 0)) {
    throw new RangeError(`fan-in and fan-out must be above 0, got ${fanIn} and ${fanOut}`);
  }
  switch (scheme) {
    case 'auto':
      return layer.op === 'Conv' ? normal(Math.sqrt(2 / fanOut)) : symmetric(1 / Math.sqrt(fanIn));
    case 'pytorch':
      // kaiming_uniform_(a = sqrt 5) comes to this bound.
      return symmetric(1 / Math.sqrt(fanIn));
    case 'kaiming-normal':
      return normal(Math.sqrt(2 / fanIn));
    case 'kaiming-uniform':
      return symmetric(Math.sqrt(6 / fanIn));
    case 'xavier-normal':
      return normal(Math.sqrt(2 / (fanIn + fanOut)));
    case 'xavier-uniform':
      return symmetric(Math.sqrt(6 / (fanIn + fanOut)));
    case 'lecun-normal': {
      const std = Math.sqrt(1 / fanIn) / CUT_AT_TWO;
      return { kind: 'trunc-normal', mean: 0, std, low: -2 * std, high: 2 * std };
    }
    case 'trunc-normal':
      return { kind: 'trunc-normal', mean: 0, std: 0.02, low: -2, high: 2 };
    case 'match':
      return normal(1);
  }
}

/**
 * What a scheme draws a layer's bias from, or undefined to leave it. PyTorch draws it with the weight's fan-in;
 * the named schemes go with a zero bias; `match` leaves it, since in a graph with folded BatchNorm the bias is
 * the norm's shift, which a reset keeps.
 */
export function biasDistribution(scheme: InitScheme, layer: Pick<Layer, 'fanIn'>): Distribution | undefined {
  if (scheme === 'match') return undefined;
  if (scheme === 'auto' || scheme === 'pytorch') return symmetric(1 / Math.sqrt(layer.fanIn));
  return { kind: 'constant', value: 0 };
}

/** Standard deviation of the trained weights of every output channel, float64 sums: what `match` scales by. */
export function matchFactor({ layout }: Parameter, values: Float32Array): Float32Array {
  const count = values.length / layout.channels;
  const sums = channelSums(layout, values);
  // One element has no spread; its size is all there is to match.
  const means = sums.map((sum) => (count > 1 ? sum / count : 0));
  return Float32Array.from(channelSums(layout, values, means), (total) => Math.sqrt(total / count));
}

/** Every channel's sum of values, or of their squared distances from the channel's mean. */
function channelSums({ channels, inner }: Layout, values: Float32Array, means?: Float64Array): Float64Array {
  const sums = new Float64Array(channels);
  for (let from = 0, channel = 0; from < values.length; from += inner, channel++) {
    if (channel === channels) channel = 0;
    const to = from + inner;
    const mean = means?.[channel];
    let sum = 0;
    if (mean === undefined) for (let i = from; i < to; i++) sum += values[i]!;
    else for (let i = from; i < to; i++) sum += (values[i]! - mean) ** 2;
    sums[channel]! += sum;
  }
  return sums;
}

/** Adds the key to a distribution. */
export function drawFrom(distribution: Distribution, key: bigint): ResetRule {
  return distribution.kind === 'constant' ? distribution : { ...distribution, key };
}

const normal = (std: number): Distribution => ({ kind: 'normal', mean: 0, std });
const symmetric = (bound: number): Distribution => ({ kind: 'uniform', low: -bound, high: bound });
