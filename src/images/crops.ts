/**
 * Images of a source as uint8 crops of the model's size, ready for normalisation, from the cache where they are
 * there. Owns the source and the cache.
 */
import { createHash } from 'node:crypto';
import { CritmapError } from '../errors.js';
import type { ImageCache } from './cache/index.js';
import { decodingError, imageError } from './input-error.js';
import type { Fit } from './pixels/fit.js';
import type { InputShape, Pixels } from './pixels/pixels.js';
import { readPlainJpeg } from './pixels/read-image.js';
import type { ImageSource } from './sources/source.js';

export class Crops {
  /** Memory for crops, used again and again: new one costs as much as filling it. */
  readonly #spare: Uint8Array[] = [];

  constructor(
    readonly source: ImageSource,
    private readonly shape: InputShape,
    private readonly fit: Fit,
    private readonly cache: ImageCache | null = null,
  ) {}

  /**
   * The SHA-256 of what is stored. An encoded image is decoded too, unless its stamp tells that the cache has its pixels;
   * they are there afterwards.
   * @throws CritmapError ERR_IMAGES when it cannot be read or decoded
   */
  async check(index: number, signal?: AbortSignal): Promise<Buffer> {
    const { source, cache } = this;
    const stamp = (cache && (await this.#named(index, () => source.stamp?.(index)))) ?? null;
    const remembered = stamp === null ? null : cache!.stamps.get(stamp);
    if (remembered && cache!.pixels.has(remembered)) return remembered;
    const digest = Buffer.alloc(32);
    await this.#withRoom(async (room) => {
      const raw = await this.#load(index, room, digest, signal);
      if (source.content !== 'files' || cache?.pixels.has(digest)) return;
      const data = raw ? await this.#decode(raw, index) : room;
      await cache?.pixels.write(digest, data);
    });
    if (stamp !== null) cache!.stamps.set(stamp, digest);
    return digest;
  }

  /**
   * Hands one crop to `use`, whose memory is somebody else's when `use` is done.
   * @param digest - what {@link check} gave; null when the image has not been checked
   * @throws CritmapError ERR_IMAGES when it cannot be read or decoded, or is another than was checked
   */
  async with(
    index: number,
    digest: Buffer | null,
    use: (crop: Pixels) => void | Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    const { channels, height, width } = this.shape;
    await this.#withRoom(async (room) => {
      const data = await this.#read(index, digest, room, signal);
      await use({ data, height, width, channels });
    });
  }

  async close(): Promise<void> {
    await this.cache?.stamps.save();
    await this.cache?.pixels.close();
    await this.source.close();
  }

  /** Makes what was cached so far readable for others. */
  async flush(): Promise<void> {
    await this.cache?.stamps.save();
    await this.cache?.pixels.flush();
  }

  /** The crop, in `room` or in memory of its own. */
  async #read(
    index: number,
    checked: Buffer | null,
    room: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const { source, cache } = this;
    if (cache && checked && (await cache.pixels.read(checked, room))) return room;
    const digest = cache || checked ? Buffer.alloc(32) : null;
    const raw = await this.#load(index, room, digest, signal);
    if (checked && digest && !digest.equals(checked)) {
      throw imageError(
        source.nameOf(index),
        'has changed since the images were checked',
        'leave the images alone while they are in use, and start again',
      );
    }
    if (raw && cache && digest && !checked && (await cache.pixels.read(digest, room))) return room;
    const data = raw ? await this.#decode(raw, index) : room;
    if (cache && digest) await cache.pixels.write(digest, data);
    return data;
  }

  /**
   * Reads what is stored and puts its SHA-256 into `digest`. What can be decoded on the way is.
   * @returns what is stored, or null when `room` has the crop
   */
  async #load(
    index: number,
    room: Uint8Array,
    digest: Buffer | null,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | null> {
    const { source } = this;
    const path = source.pathOf?.(index);
    if (path !== undefined && (await this.#decodeAtOnce(path, index, room, digest))) return null;
    const raw = await this.#named(index, () => source.raw(index, signal));
    if (path === undefined && (await this.#decodeAtOnce(raw, index, room, digest))) return null;
    if (digest) createHash('sha256').update(raw).digest().copy(digest);
    return raw;
  }

  async #decodeAtOnce(file: string | Uint8Array, index: number, room: Uint8Array, digest: Buffer | null) {
    const { source, shape, fit } = this;
    if (source.content !== 'files') return false;
    // The source has refused models of other channels.
    const channels = shape.channels as 1 | 3;
    return this.#named(index, () => readPlainJpeg(file, channels, fit, room, digest));
  }

  async #withRoom<T>(work: (room: Uint8Array) => Promise<T>): Promise<T> {
    const { channels, height, width } = this.shape;
    const room = this.#spare.pop() ?? new Uint8Array(channels * height * width);
    try {
      return await work(room);
    } finally {
      this.#spare.push(room);
    }
  }

  async #decode(raw: Uint8Array, index: number): Promise<Uint8Array> {
    const { data } = await this.#named(index, () => this.source.decode(raw, index, this.fit));
    return data;
  }

  /** Whatever goes wrong with an image says which one. */
  async #named<T>(index: number, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      if (thrown instanceof CritmapError) throw thrown;
      throw decodingError(this.source.nameOf(index), (reason) => reason, thrown);
    }
  }
}
