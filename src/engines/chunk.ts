/** A sample of images cut into chunks: what an engine is given at once, and what the journal counts in. */

import type { ImageSet } from '../images/index.js';
import { native } from '../native/addon.js';
import type { EngineImages } from '../native/engine.js';
import type { Chunk, Engine } from './engine.js';

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

/** Of one image. */
const valuesOf = ({ channels, height, width }: ImageSet['shape']) => channels * height * width;

/** Bytes of one image in a chunk: its pixels where it has some, a quarter of its floats. */
function imageBytes({ shape, normalizeTable }: ImageSet): number {
  return valuesOf(shape) * (normalizeTable ? 1 : Float32Array.BYTES_PER_ELEMENT);
}

/**
 * Images [index x size, ...) of the sample, decoded.
 * @param space - to be used for them, at least as many bytes as they take; default new memory
 */
export async function readChunk(
  images: ImageSet,
  index: number,
  size: number,
  signal?: AbortSignal,
  space?: ArrayBuffer,
): Promise<Chunk> {
  const from = index * size;
  const to = Math.min(images.count, from + size);
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

/** Images [from, to) of a chunk, sharing its memory. */
export function imagesOf({ images, count }: Chunk, from: number, to: number): EngineImages {
  const part = <T extends Float32Array | Uint8Array>(values: T) => {
    const perImage = values.length / count;
    return values.subarray(from * perImage, to * perImage) as T;
  };
  return images instanceof Float32Array ? part(images) : { ...images, pixels: part(images.pixels) };
}

/** The same, normalised: (to - from) x C x H x W floats. */
export function floatsOf(chunk: Chunk, from: number, to: number): Float32Array {
  const images = imagesOf(chunk, from, to);
  if (images instanceof Float32Array) return images;
  const { pixels, table } = images;
  const floats = new Float32Array(pixels.length);
  const perImage = pixels.length / (to - from);
  for (let at = 0; at < pixels.length; at += perImage) {
    native().normalize(pixels.subarray(at, at + perImage), table, floats, at);
  }
  return floats;
}

/**
 * Reads chunks ahead of who computes them, into buffers that are used again: memory does not grow with the number of
 * images. Reading begins at once, and is one chunk ahead of those that are computed.
 */
export class ChunksAhead {
  /** What `next` has waited, in milliseconds. */
  waitedMs = 0;
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
      this.waitedMs += performance.now() - started;
    }
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

  /** One chunk at a time: the first is wanted first, and each read has images of its own in flight. */
  #readMore(): void {
    while (this.#spare.length > 0 && this.#started < this.wanted.length) {
      const space = this.#spare.pop()!;
      const index = this.wanted[this.#started++]!;
      const before = this.#reading.at(-1)?.chunk;
      const read = () => readChunk(this.images, index, this.size, this.#signal, space);
      const chunk = before ? before.then(read) : read();
      // A failure is met when its chunk is asked for; until then it must not count as unhandled.
      chunk.catch(() => {});
      this.#reading.push({ chunk, space });
    }
  }
}
