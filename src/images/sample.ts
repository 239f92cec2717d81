/**
 * Which images of a source a run uses. Every index gets a 53-bit random key from Philox with the seed as
 * the key and the index as the counter; the `count` smallest keys are the sample (ties: lower index
 * first). So the sample depends on (seed, total, count) only, and a larger sample with the same seed
 * contains the smaller one.
 */
import { philox4x32 } from './philox.js';

/** "SAMP": keeps these numbers apart from every other use of the same seed. */
const STREAM = 0x53414d50;
/** Of the order, which must not depend on what was drawn. */
const ORDER_STREAM = STREAM + 1;
const TWO_32 = 2 ** 32;

/**
 * Draws without replacement.
 * @param total - images there are, below 2^32
 * @param count - images wanted; `total` or more takes all
 * @param seed - integer, 0 to 2^53 - 1
 * @returns ascending indices into the source, min(count, total) of them
 */
export function sampleIndices(total: number, count: number, seed: number): Uint32Array {
  if (count >= total) return Uint32Array.from({ length: total }, (_, index) => index);
  const keys = randomKeys(total, seed);
  const threshold = keys.slice().sort()[count - 1]!;
  let below = 0;
  for (const key of keys) if (key < threshold) below++;
  let ties = count - below;
  const indices = new Uint32Array(count);
  let filled = 0;
  for (let index = 0; index < total; index++) {
    const key = keys[index]!;
    if (key < threshold || (key === threshold && ties-- > 0)) indices[filled++] = index;
  }
  return indices;
}

/**
 * A random order of a sample: sources are often sorted by class, and consecutive images must be a sample of all.
 * @returns the positions 0 ... count - 1, each once
 */
export function shuffledOrder(count: number, seed: number): Uint32Array {
  const keys = randomKeys(count, seed, ORDER_STREAM);
  return Uint32Array.from({ length: count }, (_, at) => at).sort((a, b) => keys[a]! - keys[b]! || a - b);
}

function randomKeys(total: number, seed: number, stream = STREAM): Float64Array {
  const keys = new Float64Array(total);
  const words = new Uint32Array(4);
  const seedLow = seed % TWO_32;
  const seedHigh = Math.floor(seed / TWO_32);
  for (let index = 0; index < total; index++) {
    philox4x32(index, 0, stream, 0, seedLow, seedHigh, words);
    keys[index] = words[0]! * 2 ** 21 + (words[1]! >>> 11);
  }
  return keys;
}
