/**
 * The sampled images of a source, ready for a model: decoded, fitted to its size, normalised. What is
 * read depends on the source and the options only, never on the order or size of the reads.
 */
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { CritmapError, messageOf } from '../errors.js';
import { forEachBounded } from './bounded.js';
import type { Fit } from './fit.js';
import { imageError } from './input-error.js';
import { normalize, normalizeTable } from './normalize.js';
import type { ImageSource, InputShape } from './source.js';
import type { ImageTransform } from './transform.js';

/** A sample of images, opened for reading. */
export interface ImageSet {
  /** As the user wrote it. */
  readonly source: string;
  /** Images in the source. */
  readonly total: number;
  /** Images in the sample. */
  readonly count: number;
  /** The sample's relative paths with `/`, for folders; null for arrays, whose images have indices only. */
  readonly names: readonly string[] | null;
  /** The sample's indices into the source, ascending. */
  readonly indices: Uint32Array;
  /** The sample's class indices, from 0; null when there are none. */
  readonly labels: Int32Array | null;
  /** The largest of `labels`, to be compared with the model's classes; null when there are none. */
  readonly maxLabel: number | null;
  /** Names of all classes by index, for folders with class subfolders. */
  readonly classNames: readonly string[] | null;
  /** What each image is read as. */
  readonly shape: InputShape;
  /** What is done to the pixels; plain JSON. */
  readonly transform: ImageTransform;
  /**
   * SHA-256, in hex, over the sample's stored content and labels; not over paths, names or the transform.
   * Reads all of the sample the first time.
   * @param signal - stops before the next image
   * @throws CritmapError ERR_IMAGES when an image cannot be read
   */
  fingerprint(signal?: AbortSignal): Promise<string>;
  /**
   * Writes images [from, to) of the sample into `out` as float32 N x C x H x W, normalised.
   * @param out - (to - from) x C x H x W values; what it holds after a failure is undefined
   * @param signal - stops before the next image; `out` is not touched after the promise has settled
   * @throws CritmapError ERR_IMAGES when an image cannot be read or decoded, RangeError on misuse
   */
  read(from: number, to: number, out: Float32Array, signal?: AbortSignal): Promise<void>;
  /** Releases the source; reading after it fails. */
  close(): Promise<void>;
}

/** Enough to keep libuv's threads busy with decoding while others wait for the disk. */
const IN_FLIGHT = Math.min(Math.max(4, availableParallelism()), 16);

/** What `openImages` has settled on. */
export interface ImageSetParts {
  readonly name: string;
  readonly source: ImageSource;
  readonly indices: Uint32Array;
  readonly labels: Int32Array | null;
  readonly shape: InputShape;
  readonly transform: ImageTransform;
}

/** The one implementation of `ImageSet`, over any source. Owns the source. */
export class SampledImages implements ImageSet {
  readonly source: string;
  readonly total: number;
  readonly count: number;
  readonly names: readonly string[] | null;
  readonly indices: Uint32Array;
  readonly labels: Int32Array | null;
  readonly maxLabel: number | null;
  readonly classNames: readonly string[] | null;
  readonly shape: InputShape;
  readonly transform: ImageTransform;
  readonly #images: ImageSource;
  readonly #write: (raw: Uint8Array, index: number, out: Float32Array, start: number) => Promise<void>;
  #fingerprint: string | null = null;
  #closed = false;

  constructor({ name, source, indices, labels, shape, transform }: ImageSetParts) {
    this.source = name;
    this.total = source.total;
    this.count = indices.length;
    this.names = source.names && Array.from(indices, (index) => source.names![index]!);
    this.indices = indices;
    this.labels = labels;
    this.maxLabel = labels?.reduce((largest, label) => Math.max(largest, label), 0) ?? null;
    this.classNames = source.classNames;
    this.shape = { ...shape };
    this.transform = transform;
    this.#images = source;
    this.#write = transform.kind === 'tensors' ? copyTensor : pixelWriter(source, shape, transform);
  }

  async read(from: number, to: number, out: Float32Array, signal?: AbortSignal): Promise<void> {
    const { channels, height, width } = this.shape;
    const perImage = channels * height * width;
    if (!(Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from <= to && to <= this.count)) {
      throw new RangeError(`images [${from}, ${to}) are not within the sample of ${this.count}`);
    }
    if (!(out instanceof Float32Array) || out.length !== (to - from) * perImage) {
      throw new RangeError(
        `out must be a Float32Array of ${to - from} x ${channels}x${height}x${width} values`,
      );
    }
    this.#checkOpen();
    await forEachBounded(from, to, IN_FLIGHT, (at) => this.#readOne(at, out, (at - from) * perImage), signal);
  }

  async fingerprint(signal?: AbortSignal): Promise<string> {
    this.#checkOpen();
    this.#fingerprint ??= await this.#digest(signal);
    return this.#fingerprint;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#images.close();
  }

  async #readOne(at: number, out: Float32Array, start: number): Promise<void> {
    const index = this.indices[at]!;
    try {
      await this.#write(await this.#images.raw(index), index, out, start);
    } catch (thrown) {
      if (thrown instanceof CritmapError) throw thrown;
      throw imageError(this.#images.nameOf(index), messageOf(thrown), 'take it out', thrown);
    }
  }

  async #digest(signal?: AbortSignal): Promise<string> {
    // A digest per image, so that images may be read at the same time and still be hashed in order.
    const digests = Buffer.alloc(this.count * 32);
    const digest = async (at: number) => {
      const raw = await this.#images.raw(this.indices[at]!);
      createHash('sha256')
        .update(raw)
        .digest()
        .copy(digests, at * 32);
    };
    await forEachBounded(0, this.count, IN_FLIGHT, digest, signal);
    const labels = this.labels ? this.labels.join(',') : 'none';
    const head = `critmap images 1\n${this.#images.layout}\n${this.count}\nlabels ${labels}\n`;
    return createHash('sha256').update(head).update(digests).digest('hex');
  }

  #checkOpen(): void {
    if (this.#closed) throw new TypeError(`the images of ${this.source} are closed`);
  }
}

async function copyTensor(raw: Uint8Array, _index: number, out: Float32Array, start: number): Promise<void> {
  new Uint8Array(out.buffer, out.byteOffset + start * 4, raw.length).set(raw);
}

function pixelWriter(
  source: ImageSource,
  shape: InputShape,
  { mean, std, resize, interpolation }: Extract<ImageTransform, { kind: 'pixels' }>,
) {
  const fit: Fit = { resize, interpolation: interpolation ?? 'bilinear', crop: shape };
  const table = normalizeTable(mean, std);
  return async (raw: Uint8Array, index: number, out: Float32Array, start: number): Promise<void> => {
    normalize(await source.decode(raw, index, fit), table, out, start);
  };
}
