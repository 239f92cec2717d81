/**
 * What every kind of image source offers to the image set above it: raw content per image, and how to
 * turn it into pixels. Sources know nothing of samples, resizing or normalisation.
 */
import type { Fit } from '../pixels/fit.js';
import type { Pixels } from '../pixels/pixels.js';

/** Images of one kind, indexed from 0 to `total - 1`. */
export interface ImageSource {
  readonly kind: 'folder' | 'tar' | 'parquet' | 'array' | 'synthetic';
  /**
   * `files`: encoded images, any of which may be damaged. `pixels`: uint8, to be resized and normalised. `tensors`:
   * float32 CHW, taken as they are.
   */
  readonly content: 'files' | 'pixels' | 'tensors';
  readonly total: number;
  /** Height and width when all images share them; null when each image has its own. */
  readonly size: { readonly height: number; readonly width: number } | null;
  /** Paths relative to the folder, with `/`, or in a shard; null when images have no names. */
  readonly names: readonly string[] | null;
  /** The source's own labels, one per image; null when it has none. */
  readonly labels: Int32Array | null;
  readonly classNames: readonly string[] | null;
  /** One line on how raw content is laid out; part of the fingerprint. */
  readonly layout: string;
  /** What a person should know of it, each one line. */
  readonly warnings?: readonly string[];
  /** What errors call image `index`. */
  nameOf(index: number): string;
  /** What `raw` gives stays the same as long as this does; null, or left out, where that cannot be told. */
  stamp?(index: number): Promise<string | null>;
  /** The file that holds this image and nothing else; left out where there is none. */
  pathOf?(index: number): string;
  /**
   * The content as stored: file bytes, or the elements. Not to be written to.
   * @param signal - ends what may take long at once, with its reason
   */
  raw(index: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** Turns raw content into pixels of the size `fit.crop`; not called for tensors. */
  decode(raw: Uint8Array, index: number, fit: Fit): Promise<Pixels>;
  close(): Promise<void>;
}
