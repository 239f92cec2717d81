/**
 * Images of a source as uint8 crops of the model's size, ready for normalisation, from the cache where they are
 * there. Owns the source and the cache.
 */
import { createHash } from 'node:crypto';
import { CritmapError } from '../errors.js';
import type { ImageCache } from './cache/index.js';
import type { Fit } from './fit.js';
import { decodingError, imageError } from './input-error.js';
import type { ImageSource, InputShape, Pixels } from './source.js';

export class Crops {
  /** Memory for what comes from the cache, used again and again. */
  readonly #spare: Uint8Array[] = [];

  constructor(
    readonly source: ImageSource,
    private readonly shape: InputShape,
    private readonly fit: Fit,
    private readonly cache: ImageCache | null = null,
  ) {}

  /**
   * The SHA-256 of what is stored. An encoded image is decoded too, unless the cache has its pixels; they are there
   * afterwards.
   * @throws CritmapError ERR_IMAGES when it cannot be read or decoded
   */
  async check(index: number): Promise<Buffer> {
    const { source, cache } = this;
    const stamp = (cache && (await this.#named(index, () => source.stamp?.(index)))) ?? null;
    const remembered = stamp === null ? null : cache!.stamps.get(stamp);
    if (remembered && cache!.pixels.has(remembered)) return remembered;
    const raw = await this.#named(index, () => source.raw(index));
    const digest = sha256(raw);
    if (source.content === 'files' && !cache?.pixels.has(digest)) {
      const { data } = await this.#decode(raw, index);
      await cache?.pixels.write(digest, data);
    }
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
  ): Promise<void> {
    const { channels, height, width } = this.shape;
    const kept = this.#spare.pop() ?? new Uint8Array(this.cache ? channels * height * width : 0);
    try {
      const data = await this.#read(index, digest, kept);
      await use({ data, height, width, channels });
    } finally {
      this.#spare.push(kept);
    }
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

  async #read(index: number, checked: Buffer | null, kept: Uint8Array): Promise<Uint8Array> {
    const { source, cache } = this;
    if (cache && checked && (await cache.pixels.read(checked, kept))) return kept;
    const raw = await this.#named(index, () => source.raw(index));
    const digest = cache || checked ? sha256(raw) : null;
    if (checked && digest && !digest.equals(checked)) {
      throw imageError(
        source.nameOf(index),
        'has changed since the images were checked',
        'leave the images alone while they are in use, and start again',
      );
    }
    if (cache && digest && !checked && (await cache.pixels.read(digest, kept))) return kept;
    const { data } = await this.#decode(raw, index);
    if (cache && digest) await cache.pixels.write(digest, data);
    return data;
  }

  #decode(raw: Uint8Array, index: number): Promise<Pixels> {
    return this.#named(index, () => this.source.decode(raw, index, this.fit));
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

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
