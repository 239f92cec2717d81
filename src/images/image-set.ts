/**
 * The sampled images of a source, ready for a model: decoded, fitted to its size, normalised. What is
 * read depends on the source and the options only, never on the order or size of the reads.
 */
import { createHash } from 'node:crypto';
import { forEachBounded } from '../concurrency.js';
import { type BadImage, badImagesError, checkImages, IN_FLIGHT, type ProgressOf } from './check.js';
import type { Crops } from './crops.js';
import { type NormalizeTable, normalize, normalizeTable } from './pixels/normalize.js';
import type { InputShape, Pixels } from './pixels/pixels.js';
import type { ImageTransform } from './transform.js';

/** An image that was left out of the sample, because it cannot be read or decoded. */
export interface SkippedImage {
  /** Its relative path, for sources whose images have one; else its index. */
  readonly image: string | number;
  readonly problem: string;
}

/** A sample of images, opened for reading. */
export interface ImageSet {
  /** As the user wrote it. */
  readonly source: string;
  /** Images in the source. */
  readonly total: number;
  /** Images in the sample. */
  readonly count: number;
  /** The sample's relative paths with `/`; null for arrays, whose images have indices only. */
  readonly names: readonly string[] | null;
  /** The sample's indices into the source, ascending unless it was shuffled. */
  readonly indices: Uint32Array;
  /** The sample's class indices, from 0; null when there are none. */
  readonly labels: Int32Array | null;
  /** The largest of `labels`, to be compared with the model's classes; null when there are none. */
  readonly maxLabel: number | null;
  /** Names of all classes by index, where the source has some. */
  readonly classNames: readonly string[] | null;
  /** What the file of labels was taken for, one line; null without one. */
  readonly labelsUnderstood: string | null;
  /** Whether there are none because none were wanted. */
  readonly labelsAreOff: boolean;
  /** Which sample this is of the source's. */
  readonly dataSeed: number;
  /** What was drawn and left out, with `skipBadImages`. */
  readonly skipped: readonly SkippedImage[];
  /** What a person should know about these images, each one line; the cache may add to them later. */
  readonly warnings: readonly string[];
  /** What each image is read as. */
  readonly shape: InputShape;
  /** What is done to the pixels; plain JSON. */
  readonly transform: ImageTransform;
  /**
   * SHA-256, in hex, over the sample's stored content and labels; not over paths, names or the transform.
   * Reads and decodes all of the sample the first time, and fills the cache if there is one.
   * @param signal - stops before the next image
   * @throws CritmapError ERR_IMAGES that names all images that cannot be read or decoded
   */
  fingerprint(signal?: AbortSignal): Promise<string>;
  /** SHA-256 of each image's stored content, in hex; as `fingerprint`, which also comes first. */
  hashes(signal?: AbortSignal): Promise<string[]>;
  /**
   * Writes images [from, to) of the sample into `out` as float32 N x C x H x W, normalised.
   * @param out - (to - from) x C x H x W values; what it holds after a failure is undefined
   * @param signal - stops before the next image; `out` is not touched after the promise has settled
   * @throws CritmapError ERR_IMAGES when an image cannot be read or decoded, RangeError on misuse
   */
  read(from: number, to: number, out: Float32Array, signal?: AbortSignal): Promise<void>;
  /**
   * What `read` makes of pixels: 256 values per channel, channel after channel, by a pixel's value. Null for tensors,
   * which are no pixels. Not to be written to.
   */
  readonly normalizeTable: Float32Array | null;
  /**
   * Writes images [from, to) of the sample into `out` as uint8 N x H x W x C, before normalisation: a quarter of the
   * memory, for who normalises them later, by `normalizeTable`.
   * @param out - (to - from) x H x W x C values; as in `read`
   * @throws as `read`; TypeError for tensors
   */
  readPixels(from: number, to: number, out: Uint8Array, signal?: AbortSignal): Promise<void>;
  /**
   * One image as the model will see it, before normalisation: uint8 H x W x C.
   * @param at - position in the sample
   * @throws CritmapError ERR_IMAGES as `read`; TypeError for tensors, which are no pixels
   */
  crop(at: number): Promise<Pixels>;
  /**
   * One image's file as it is stored; null when images are stored as pixels.
   * @param at - position in the sample
   * @throws CritmapError ERR_IMAGES when it cannot be read
   */
  encoded(at: number): Promise<Uint8Array | null>;
  /** Releases the source; reading after it fails. */
  close(): Promise<void>;
}

/** The end of a sentence: why there are no labels, and what to do. */
export const whyUnlabelled = ({ source, labelsAreOff }: Pick<ImageSet, 'source' | 'labelsAreOff'>): string =>
  labelsAreOff ? `which --labels none leaves out; do without that` : `and ${source} has none; give --labels`;

/** What `openImages` has settled on. */
export interface ImageSetParts {
  readonly name: string;
  readonly crops: Crops;
  readonly indices: Uint32Array;
  readonly labels: Int32Array | null;
  readonly classNames: readonly string[] | null;
  readonly understood: string | null;
  readonly labelsAreOff: boolean;
  readonly shape: InputShape;
  readonly transform: ImageTransform;
  readonly dataSeed: number;
  readonly bad: readonly BadImage[];
  /** Of the sample, 32 bytes each, when it has been checked. */
  readonly digests: Buffer | null;
  readonly warnings: readonly string[];
  readonly onProgress: ProgressOf | undefined;
}

/** The one implementation of `ImageSet`, over any source. Owns the crops. */
export class SampledImages implements ImageSet {
  readonly source: string;
  readonly total: number;
  readonly count: number;
  readonly names: readonly string[] | null;
  readonly indices: Uint32Array;
  readonly labels: Int32Array | null;
  readonly maxLabel: number | null;
  readonly classNames: readonly string[] | null;
  readonly labelsUnderstood: string | null;
  readonly labelsAreOff: boolean;
  readonly shape: InputShape;
  readonly transform: ImageTransform;
  readonly dataSeed: number;
  readonly skipped: readonly SkippedImage[];
  readonly warnings: readonly string[];
  readonly normalizeTable: NormalizeTable | null;
  readonly #crops: Crops;
  readonly #onProgress: ProgressOf | undefined;
  #digests: Buffer | null;
  #closed = false;

  constructor(parts: ImageSetParts) {
    const { crops, indices, labels } = parts;
    const { names } = crops.source;
    this.source = parts.name;
    this.total = crops.source.total;
    this.count = indices.length;
    this.names = names && Array.from(indices, (index) => names[index]!);
    this.indices = indices;
    this.labels = labels;
    this.maxLabel = labels?.reduce((largest, label) => Math.max(largest, label), 0) ?? null;
    this.classNames = parts.classNames;
    this.labelsUnderstood = parts.understood;
    this.labelsAreOff = parts.labelsAreOff;
    this.shape = { ...parts.shape };
    this.transform = parts.transform;
    this.dataSeed = parts.dataSeed;
    this.skipped = parts.bad.map(({ index, problem }) => ({ image: names?.[index] ?? index, problem }));
    this.warnings = parts.warnings;
    this.#crops = crops;
    this.#digests = parts.digests;
    this.#onProgress = parts.onProgress;
    this.normalizeTable =
      parts.transform.kind === 'tensors' ? null : normalizeTable(parts.transform.mean, parts.transform.std);
  }

  async read(from: number, to: number, out: Float32Array, signal?: AbortSignal): Promise<void> {
    const { channels, height, width } = this.shape;
    this.#checkRange(from, to, out, Float32Array, `${channels}x${height}x${width}`);
    const table = this.normalizeTable;
    const write = table
      ? (at: number, start: number) =>
          this.#withCrop(at, (crop) => normalize(crop, table, out, start), signal)
      : (at: number, start: number) => this.#copyTensor(at, out, start);
    await this.#forEach(from, to, write, signal);
  }

  async readPixels(from: number, to: number, out: Uint8Array, signal?: AbortSignal): Promise<void> {
    const { channels, height, width } = this.shape;
    if (!this.normalizeTable) throw new TypeError('tensors are not pixels');
    this.#checkRange(from, to, out, Uint8Array, `${height}x${width}x${channels}`);
    const write = (at: number, start: number) =>
      this.#withCrop(at, ({ data }) => out.set(data, start), signal);
    await this.#forEach(from, to, write, signal);
  }

  async crop(at: number): Promise<Pixels> {
    if (this.transform.kind === 'tensors') throw new TypeError('tensors are not pixels');
    this.#checkPosition(at);
    let copy: Pixels | undefined;
    await this.#withCrop(at, (crop) => {
      copy = { ...crop, data: crop.data.slice() };
    });
    return copy!;
  }

  async encoded(at: number): Promise<Uint8Array | null> {
    this.#checkPosition(at);
    const { source } = this.#crops;
    return source.content === 'files' ? source.raw(this.indices[at]!) : null;
  }

  async fingerprint(signal?: AbortSignal): Promise<string> {
    const digests = await this.#check(signal);
    const labels = this.labels ? this.labels.join(',') : 'none';
    const head = `critmap images 1\n${this.#crops.source.layout}\n${this.count}\nlabels ${labels}\n`;
    return createHash('sha256').update(head).update(digests).digest('hex');
  }

  async hashes(signal?: AbortSignal): Promise<string[]> {
    const digests = await this.#check(signal);
    return Array.from({ length: this.count }, (_, at) => digests.toString('hex', at * 32, at * 32 + 32));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#crops.close();
  }

  async #check(signal?: AbortSignal): Promise<Buffer> {
    this.#checkOpen();
    if (this.#digests) return this.#digests;
    const { digests, bad } = await checkImages(this.#crops, this.indices, {
      signal,
      onProgress: this.#onProgress,
    });
    if (bad.length > 0) throw badImagesError(this.source, bad, this.count);
    this.#digests = digests;
    return digests;
  }

  #digestOf(at: number): Buffer | null {
    return this.#digests?.subarray(at * 32, at * 32 + 32) ?? null;
  }

  async #copyTensor(at: number, out: Float32Array, start: number): Promise<void> {
    const raw = await this.#crops.source.raw(this.indices[at]!);
    new Uint8Array(out.buffer, out.byteOffset + start * 4, raw.length).set(raw);
  }

  #withCrop(at: number, use: (crop: Pixels) => void, signal?: AbortSignal): Promise<void> {
    return this.#crops.with(this.indices[at]!, this.#digestOf(at), use, signal);
  }

  /** Images [from, to), some at a time; `start` is where an image's values begin in what takes them all. */
  #forEach(
    from: number,
    to: number,
    write: (at: number, start: number) => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { channels, height, width } = this.shape;
    const perImage = channels * height * width;
    return forEachBounded(from, to, IN_FLIGHT, (at) => write(at, (at - from) * perImage), signal);
  }

  #checkRange(
    from: number,
    to: number,
    out: Float32Array | Uint8Array,
    kind: typeof Float32Array | typeof Uint8Array,
    layout: string,
  ): void {
    const { channels, height, width } = this.shape;
    if (!(Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from <= to && to <= this.count)) {
      throw new RangeError(`images [${from}, ${to}) are not within the sample of ${this.count}`);
    }
    if (!(out instanceof kind) || out.length !== (to - from) * channels * height * width) {
      throw new RangeError(`out must be a ${kind.name} of ${to - from} x ${layout} values`);
    }
    this.#checkOpen();
  }

  #checkPosition(at: number): void {
    if (!(Number.isInteger(at) && at >= 0 && at < this.count)) {
      throw new RangeError(`image ${at} is not within the sample of ${this.count}`);
    }
    this.#checkOpen();
  }

  #checkOpen(): void {
    if (this.#closed) throw new TypeError(`the images of ${this.source} are closed`);
  }
}
