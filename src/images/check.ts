/**
 * The one pass over all of a sample before anything is computed from it: every image is read, hashed and decoded, so
 * that a bad one is known before hours are spent, and all bad ones together.
 */

import { forEachBounded } from '../concurrency.js';
import { CritmapError } from '../errors.js';
import { isTheMachines } from '../files/problems.js';
import { usableThreads } from '../machine.js';
import type { Crops } from './crops.js';
import { ImageError } from './input-error.js';

/** Enough to keep libuv's threads busy with decoding while others wait for the disk. */
export const IN_FLIGHT = Math.min(Math.max(4, usableThreads()), 16);

const MOST_NAMED = 50;

/** An image that cannot be used. */
export interface BadImage {
  /** Its index in the source. */
  readonly index: number;
  /** What errors call it. */
  readonly name: string;
  readonly problem: string;
}

/** What the pass found. */
export interface Checked {
  /** SHA-256 of every image's stored content, 32 bytes each; zeros for a bad one. */
  readonly digests: Buffer;
  /** Ascending. */
  readonly bad: readonly BadImage[];
}

/**
 * @param indices - of the sample, into the source
 * @param onProgress - is told how many of them are done
 * @throws the signal's reason; CritmapError ERR_IMAGES when reading fails for a reason that is not the image's
 */
export async function checkImages(
  crops: Crops,
  indices: Uint32Array,
  { signal, onProgress }: { signal?: AbortSignal | undefined; onProgress?: ProgressOf | undefined } = {},
): Promise<Checked> {
  const digests = Buffer.alloc(indices.length * 32);
  const bad: BadImage[] = [];
  let done = 0;
  const check = async (at: number) => {
    const index = indices[at]!;
    try {
      (await crops.check(index, signal)).copy(digests, at * 32);
    } catch (thrown) {
      if (!(thrown instanceof ImageError) || isTheMachines(thrown.cause)) throw thrown;
      bad.push({ index, name: crops.source.nameOf(index), problem: thrown.problem });
    }
    onProgress?.(++done, indices.length);
  };
  await forEachBounded(0, indices.length, IN_FLIGHT, check, signal);
  await crops.flush();
  return { digests, bad: bad.sort((a, b) => a.index - b.index) };
}

export type ProgressOf = (done: number, total: number) => void;

/** The refusal of a sample with bad images: all of them on one line, up to a bound. */
export function badImagesError(source: string, bad: readonly BadImage[], total: number): CritmapError {
  const named = bad.slice(0, MOST_NAMED).map(({ name, problem }) => `${name}: ${problem}`);
  const more = bad.length > MOST_NAMED ? `; and ${bad.length - MOST_NAMED} more` : '';
  const remedy = 'replace them, take them out or give --skip-bad-images';
  const text =
    bad.length === 1
      ? `${named[0]}; replace it, take it out or give --skip-bad-images`
      : `${source}: ${bad.length} of ${total} images cannot be used: ${named.join('; ')}${more}; ${remedy}`;
  return new CritmapError('ERR_IMAGES', text);
}
