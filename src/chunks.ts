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

/**
 * Images [index x size, ...) of the sample, decoded and normalised.
 * @param space - to be used for them, at least as many floats as they take; default new memory
 */
export async function readChunk(
  images: ImageSet,
  index: number,
  size: number,
  signal?: AbortSignal,
  space?: Float32Array,
): Promise<Chunk> {
  const from = index * size;
  const to = Math.min(images.count, from + size);
  const { channels, height, width } = images.shape;
  const floats = (to - from) * channels * height * width;
  const pixels = space?.subarray(0, floats) ?? new Float32Array(floats);
  await images.read(from, to, pixels, signal);
  return { index, count: to - from, images: pixels, height, width, labels: images.labels?.slice(from, to) };
}

/** One chunk is computed while the other is read. */
const BUFFERS = 2;

/**
 * Reads chunks ahead of who computes them, into a ring of buffers that are used again: memory does not grow with the
 * number of images. Reading begins at once.
 */
export class ChunksAhead {
  /** What `next` has waited, in milliseconds. */
  waitedMs = 0;
  readonly #reading: Promise<Chunk>[] = [];
  readonly #spare: Float32Array[];
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #inUse: Float32Array | null = null;
  #started = 0;

  constructor(
    private readonly images: ImageSet,
    private readonly size: number,
    /** Indices of the chunks wanted, in order. */
    private readonly wanted: readonly number[],
    signal?: AbortSignal,
  ) {
    const { channels, height, width } = images.shape;
    const floats = Math.min(size, images.count) * channels * height * width;
    this.#spare = Array.from({ length: Math.min(BUFFERS, wanted.length) }, () => new Float32Array(floats));
    this.#signal = signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal;
    this.#readMore();
  }

  /**
   * The next of the wanted chunks, whose memory is good until the next call; null after the last.
   * @throws what reading it threw
   */
  async next(): Promise<Chunk | null> {
    if (this.#inUse) this.#spare.push(this.#inUse);
    this.#inUse = null;
    this.#readMore();
    const reading = this.#reading.shift();
    if (!reading) return null;
    const started = performance.now();
    try {
      const chunk = await reading;
      this.#inUse = new Float32Array(chunk.images.buffer);
      return chunk;
    } finally {
      this.waitedMs += performance.now() - started;
    }
  }

  /** Stops reading. Settles when the images are no longer used. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#reading);
  }

  /** One chunk at a time: the first is wanted first, and each read has images of its own in flight. */
  #readMore(): void {
    while (this.#spare.length > 0 && this.#started < this.wanted.length) {
      const space = this.#spare.pop()!;
      const index = this.wanted[this.#started++]!;
      const before = this.#reading.at(-1);
      const read = () => readChunk(this.images, index, this.size, this.#signal, space);
      const reading = before ? before.then(read) : read();
      // A failure is met when its chunk is asked for; until then it must not count as unhandled.
      reading.catch(() => {});
      this.#reading.push(reading);
    }
  }
}
