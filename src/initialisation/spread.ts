/** How far a layer's trained weights spread, channel by channel: what the scheme `match` draws with. */
import type { Layout } from '../native/reset-rule.js';
import type { Parameter } from '../onnx/layers.js';

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
