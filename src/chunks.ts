/** A sample of images cut into chunks: what an engine is given at once, and what the journal counts in. */
import type { Chunk, Engine } from './engine.js';
import type { ImageSet } from './images/index.js';

/**
 * Floats of one chunk. The reference engine finishes cell by cell and builds a session for each, so its chunks
 * are long; the fast one finishes all cells of a chunk together, so what a stop can lose is kept short.
 */
const CHUNK_FLOATS = { reference: 24 * 2 ** 20, fast: 5 * 2 ** 20 };

/** Fixed by the image size and the engine, so that the journal's sums do not depend on batch or machine. */
export function chunkSize({ shape }: Pick<ImageSet, 'shape'>, engine: Engine['name']): number {
  const floats = shape.channels * shape.height * shape.width;
  const fitting = 2 ** Math.floor(Math.log2(CHUNK_FLOATS[engine] / floats));
  return Math.max(16, Math.min(256, fitting));
}

/** Images [index x size, ...) of the sample, decoded and normalised. */
export async function readChunk(
  images: ImageSet,
  index: number,
  size: number,
  signal?: AbortSignal,
): Promise<Chunk> {
  const from = index * size;
  const to = Math.min(images.count, from + size);
  const { channels, height, width } = images.shape;
  const pixels = new Float32Array((to - from) * channels * height * width);
  await images.read(from, to, pixels, signal);
  return { index, count: to - from, images: pixels, height, width, labels: images.labels?.slice(from, to) };
}
