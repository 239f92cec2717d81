/** How many directions a weight really uses: its stable rank. */
import { native } from '../native/addon.js';
import type { Layout } from '../native/reset-rule.js';
import type { Parameter } from '../onnx/layers.js';

/**
 * |W|_F^2 / |W|_2^2 of the weight unfolded as output channels x the rest: from 1 to its rank.
 * @returns null of a weight that is all zeros
 * @throws RangeError for weights that are not finite
 */
export async function stableRank({ layout }: Parameter, values: Float32Array): Promise<number | null> {
  const { original: frobenius } = native().norms(values, values);
  if (frobenius === 0) return null;
  const rest = values.length / layout.channels;
  // One row or column is its own singular vector.
  if (Math.min(layout.channels, rest) === 1) return 1;
  const vectors = await native().singularVectors(values, layout);
  return (frobenius / along(vectors.subarray(0, Math.min(layout.channels, rest)), layout, values)) ** 2;
}

/** |W v| of a singular vector of the shorter side: its singular value. */
function along(vector: Float64Array, { channels, inner }: Layout, values: Float32Array): number {
  const rest = values.length / channels;
  const turned = channels > rest;
  const image = new Float64Array(turned ? channels : rest);
  let at = 0;
  for (let block = 0; block < rest; block += inner) {
    for (let channel = 0; channel < channels; channel++) {
      for (let i = block; i < block + inner; i++, at++) {
        if (turned) image[channel]! += values[at]! * vector[i]!;
        else image[i]! += values[at]! * vector[channel]!;
      }
    }
  }
  return Math.sqrt(image.reduce((sum, value) => sum + value * value, 0));
}
