/** A sample of images cut into chunks: what an engine is given at once, and what the journal counts in. */
import type { Chunk } from './engine.js';
import type { ImageSet } from './images/index.js';

/** Floats of one chunk; keeps two chunks in memory below 200 MB whatever the image size. */
const CHUNK_FLOATS = 24 * 2 ** 20;

/** Fixed by the image size alone, so that the journal's sums do not depend on batch or machine. */
export function chunkSize({ shape }: ImageSet): number {
  const floats = shape.channels * shape.height * shape.width;
  const fitting = 2 ** Math.floor(Math.log2(CHUNK_FLOATS / floats));
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
