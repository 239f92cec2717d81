/** A sample read chunk by chunk, ahead of the engine. */
import { type Chunk, valuesOf } from '../engines/chunk.js';
import type { Engine } from '../engines/engine.js';
import type { ImageSet } from '../images/image-set.js';
import type { EngineImages } from '../native/engine.js';
import type { SweepObserver } from './observer.js';

/**
 * Values of one chunk. The reference engine finishes cell by cell and builds a session for each, so its chunks
 * are long; the fast one finishes all cells of a chunk together, so they are short: a stop loses those that are under way.
 */
const CHUNK_VALUES = { reference: 24 * 2 ** 20, fast: 5 * 2 ** 20 };

/** Fixed by the image size and the engine, so that the journal's sums do not depend on batch or machine. */
export function chunkSize({ shape }: Pick<ImageSet, 'shape'>, engine: Engine['name']): number {
  const fitting = 2 ** Math.floor(Math.log2(CHUNK_VALUES[engine] / valuesOf(shape)));
  return Math.max(16, Math.min(256, fitting));
}

/** Bytes of one image in a chunk: its pixels where it has some, a quarter of its floats. */
function imageBytes({ shape, normalizeTable }: ImageSet): number {
  return valuesOf(shape) * (normalizeTable ? 1 : Float32Array.BYTES_PER_ELEMENT);
}

/**
 * Images [index x size, ...) of the sample, decoded.
 * @param space - to be used for them, at least as many bytes as they take; default new memory
 */
export function readChunk(
  images: ImageSet,
  index: number,
  size: number,
  signal?: AbortSignal,
  space?: ArrayBuffer,
): Promise<Chunk> {
  const from = index * size;
  return readImages(images, index, from, Math.min(images.count, from + size), signal, space);
}

/** Images [from, to) of the sample as a chunk. */
export async function readImages(
  images: ImageSet,
  index: number,
  from: number,
  to: number,
  signal?: AbortSignal,
  space?: ArrayBuffer,
): Promise<Chunk> {
  const { normalizeTable: table, shape } = images;
  const { height, width } = shape;
  const memory = space ?? new ArrayBuffer((to - from) * imageBytes(images));
  const values = (to - from) * valuesOf(shape);
  let read: EngineImages;
  if (table) {
    read = { pixels: new Uint8Array(memory, 0, values), table };
    await images.readPixels(from, to, read.pixels, signal);
  } else {
    read = new Float32Array(memory, 0, values);
    await images.read(from, to, read, signal);
  }
  return { index, count: to - from, images: read, height, width, labels: images.labels?.slice(from, to) };
}

/**
 * Reads chunks ahead of who computes them, into buffers that are used again: memory does not grow with the number of
 * images. Reading begins at once, and is one chunk ahead of those that are computed.
 */
export class ChunksAhead {
  /** What reading has taken, and what `next` has waited, in milliseconds. */
  #readMs = 0;
  #waitedMs = 0;
  readonly #reading: { chunk: Promise<Chunk>; space: ArrayBuffer }[] = [];
  readonly #spare: ArrayBuffer[];
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #inUse = new Map<Chunk, ArrayBuffer>();
  #started = 0;

  constructor(
    private readonly images: ImageSet,
    private readonly size: number,
    /** Indices of the chunks wanted, in order. */
    private readonly wanted: readonly number[],
    /** Chunks that are computed at the same time. */
    atOnce: number,
    signal?: AbortSignal,
    private readonly observer: SweepObserver = {},
  ) {
    const bytes = Math.min(size, images.count) * imageBytes(images);
    this.#spare = Array.from({ length: Math.min(atOnce + 1, wanted.length) }, () => new ArrayBuffer(bytes));
    this.#signal = signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal;
    this.#readMore();
  }

  /**
   * The next of the wanted chunks, whose memory is good until it is released; null after the last. Not to be called
   * while `atOnce` chunks are in use.
   * @throws what reading it threw
   */
  async next(): Promise<Chunk | null> {
    const reading = this.#reading.shift();
    if (!reading) return null;
    const started = performance.now();
    try {
      const chunk = await reading.chunk;
      this.#inUse.set(chunk, reading.space);
      return chunk;
    } finally {
      this.#waitedMs += performance.now() - started;
    }
  }

  get seconds(): { decode: number; waiting: number } {
    return { decode: this.#readMs / 1000, waiting: this.#waitedMs / 1000 };
  }

  /** What `next` will give first, before it is called; null when there is nothing to do. */
  async first(): Promise<Chunk | null> {
    return (await this.#reading[0]?.chunk) ?? null;
  }

  /** A chunk that is not looked at any more: its memory is for another one. */
  release(chunk: Chunk): void {
    const space = this.#inUse.get(chunk);
    if (!space) return;
    this.#inUse.delete(chunk);
    this.#spare.push(space);
    this.#readMore();
  }

  /** Stops reading. Settles when the images are no longer used. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#reading.map(({ chunk }) => chunk));
  }

  async #read(index: number, space: ArrayBuffer): Promise<Chunk> {
    const started = performance.now();
    try {
      return await readChunk(this.images, index, this.size, this.#signal, space);
    } finally {
      this.#readMs += performance.now() - started;
      this.observer.span?.('decode', `chunk ${index}`, started, { chunk: index });
    }
  }

  /** One chunk at a time: the first is wanted first, and each read has images of its own in flight. */
  #readMore(): void {
    while (this.#spare.length > 0 && this.#started < this.wanted.length) {
      const space = this.#spare.pop()!;
      const index = this.wanted[this.#started++]!;
      const before = this.#reading.at(-1)?.chunk;
      const read = () => this.#read(index, space);
      const chunk = before ? before.then(read) : read();
      // A failure is met when its chunk is asked for; until then it must not count as unhandled.
      chunk.catch(() => {});
      this.#reading.push({ chunk, space });
    }
  }
}
