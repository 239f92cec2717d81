/**
 * The native addon: its whole surface as one type, and the loader. Nothing else in `src` imports the binary.
 */
import type { NativeCards } from './card.js';
import type { Comparison } from './comparison.js';
import type { NativeEngine, NativeRuntime } from './engine.js';
import { type FoundAddon, findAddon } from './load-addon.js';
import type { Blocked, Layout, ResetOptions, ResetRule } from './reset-rule.js';

export type { Comparison } from './comparison.js';

/** The names of Pillow's resampling filters. */
export const RESAMPLE_FILTERS = ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] as const;
export type ResampleFilter = (typeof RESAMPLE_FILTERS)[number];

/** How a picture of uint8 pixels, rows top to bottom, channels interleaved, is resized; sizes in pixels. */
export interface Resampling {
  channels: 1 | 3;
  /** Size of the picture; at most 2^31 - 1 a side, as all sizes here. */
  from: { height: number; width: number };
  /** Size of the whole resized picture. */
  to: { height: number; width: number };
  /** The part of the resized picture that is wanted. */
  window: { top: number; left: number; height: number; width: number };
  filter: ResampleFilter;
}

/** Height and width in pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** What is done to pictures of any size: torchvision's `Resize` and `CenterCrop`. Sides are below 2^31. */
export interface Fit {
  /** Short side in pixels; null leaves the size. */
  readonly resize: number | null;
  readonly interpolation: ResampleFilter;
  /** What is taken from the centre, surrounded by black where the picture is smaller. */
  readonly crop: Size;
}

/** Where the pixels of a crop come from. */
export interface Placement {
  /** The picture's size when it is resized. */
  readonly to: Size;
  /** What is taken of the resized picture. */
  readonly window: { readonly top: number; readonly left: number } & Size;
  /** Where that lies in the crop; it is surrounded by zeros. */
  readonly top: number;
  readonly left: number;
}

export interface NativeInfo {
  version: string;
  /** The number of the surface that it was built with; `interfaceNumber` where it fits. */
  interface: number;
  /**
   * The JPEG decoder and its version; null where the addon was built without: then `resampleJpeg` fails and `fitJpeg`
   * gives false.
   */
  jpeg: string | null;
  /** Code path chosen for this processor. */
  path: 'avx512' | 'avx2' | 'baseline';
  /** All paths that this processor can run, best first. */
  paths: string[];
}

/** The NVIDIA GPUs that CUDA finds. Versions are CUDA's (`13.0`), null where unknown. */
export interface CudaInventory {
  /** Whether this build has CUDA code. */
  compiled: boolean;
  /** The newest version that the installed driver supports. */
  driver: string | null;
  /** The version that the addon was built with. */
  runtime: string | null;
  /** By CUDA's device number. */
  devices: {
    name: string;
    memoryBytes: number;
    computeCapability: string;
    /** That nobody uses now; only of cards that were asked for, null where CUDA does not say. */
    freeBytes?: number | null;
  }[];
  /** Why there are none. */
  reason?: string;
}

/**
 * Everything JavaScript can call in the addon. A value of a wrong type, a detached or a shared buffer is a TypeError,
 * a wrong value a RangeError, both naming the argument; functions that return a promise reject with them. The inputs
 * of those are copied at the call. Results have the same bits on every path and processor.
 */
export interface Native {
  info(): NativeInfo;
  /** Chooses a code path by name (tests compare them bit by bit). RangeError for one this processor lacks. */
  usePath(path: string): void;
  /**
   * Asks CUDA, for the first time in the process: takes up to a second where there is a GPU.
   * @param cards - whose free memory is asked for: this process then holds some hundred megabytes on each, to its end
   */
  cuda(cards?: readonly number[]): CudaInventory;
  /** Changes `target` in place, at once. */
  reset(target: Float32Array, rule: ResetRule, options?: ResetOptions): void;
  /**
   * The same off the main thread; `target` is read at the call and written when the promise resolves. TypeError if
   * it was detached or resized meanwhile.
   */
  resetAsync(target: Float32Array, rule: ResetRule, options?: ResetOptions): Promise<void>;
  /**
   * How far each of several draws of a random rule would move `values`: the Euclidean norms of the differences, for
   * `keys` in place of the rule's own. Nothing is written.
   */
  drawDistances(
    values: Float32Array,
    rule: ResetRule,
    options: ResetOptions | undefined,
    keys: BigUint64Array,
  ): Promise<Float64Array>;
  /**
   * Which `count` elements are the smallest in size, as the rule `prune` takes it; of equal ones those that come first
   * in PyTorch's order.
   */
  smallest(values: Float32Array, layout: Layout, count: number): Promise<{ threshold: number; ties: number }>;
  /**
   * The singular vectors of the shorter side of a parameter unfolded as output channels x rest, one after the other,
   * by falling singular value. In float64; takes some n^3 operations for n of them.
   */
  singularVectors(values: Float32Array, layout: Layout): Promise<Float64Array>;
  /** What of the values lies along the first `rank` of their singular vectors; with all of them, the values. */
  keepRank(values: Float32Array, layout: Layout, vectors: Float64Array, rank: number): Promise<Float32Array>;
  /** Writes `from`, stored row by row, to `to` in another order; `to` has the padding besides. */
  toBlocked(from: Float32Array, to: Float32Array, order: Blocked): void;
  /** Compares two row-major N x `classes` blocks; labels: one class index per row, or -1 for unlabelled. */
  compare(original: Float32Array, changed: Float32Array, classes: number, labels?: Int32Array): Comparison;
  compareAsync(
    original: Float32Array,
    changed: Float32Array,
    classes: number,
    labels?: Int32Array,
  ): Promise<Comparison>;
  /** Euclidean norms of `original` and of `changed - original`, float64 sums. */
  norms(original: Float32Array, changed: Float32Array): { original: number; difference: number };
  /** The window of the resized picture, height x width x channels, with the bits of Pillow's `resize`. */
  resample(pixels: Uint8Array, resize: Resampling): Promise<Uint8Array>;
  /**
   * The same of a whole JPEG file, decoded as Pillow does: grey (`channels` 1) or RGB. Rejects with an Error, whose
   * message is the reason, for a file that is damaged, cut off or not of the size `resize.from`.
   */
  resampleJpeg(file: Uint8Array, resize: Resampling): Promise<Uint8Array>;
  /** Throws a RangeError with a sentence when a picture of that size is too elongated to be resized. */
  placement(from: Size, fit: Fit): Placement;
  /**
   * Reads a JPEG file, given by its path or its content, decodes it and fits it in one go: `out`, crop height x crop
   * width x `channels`, and `digest`, the SHA-256 of the file in 32 bytes, are written when the promise resolves.
   * TypeError if one was detached or resized meanwhile. False, with both as they were, for what needs more than that
   * or someone to say what is wrong with it: a file that cannot be read, is refused by `resampleJpeg`, comes in several
   * scans or has more than `mostPixels`.
   */
  fitJpeg(
    file: string | Uint8Array,
    channels: 1 | 3,
    fit: Fit,
    mostPixels: number,
    out: Uint8Array,
    digest: Uint8Array | null,
  ): Promise<boolean>;
  /**
   * Interleaved pixels as planes in `out` from `start` on: out[start + c * count + i] is
   * table[256 * c + pixels[channels * i + c]], with as many channels as `table` has 256 values.
   */
  normalize(pixels: Uint8Array, table: Float32Array, out: Float32Array, start: number): void;
  /**
   * Tries, without waiting, to hold the regular file `path`, which is made where it is missing, by a lock of the
   * operating system: no other process and no other hold of this one has it until it is released, by the function that
   * this gives, or its environment (process, worker thread) ends. `in use` when another has it, `unsupported` where the
   * file system knows no locks. Throws an Error with the system's `errno`.
   */
  lockFile(path: string): (() => void) | 'in use' | 'unsupported';
  /** Memory of cards without an engine; see card.ts. */
  card: NativeCards;
  /** Programs of ONNX Runtime sessions on worker threads; see engine.ts. */
  engine: NativeEngine;
  /** What ONNX Runtime knows of a model; see engine.ts. */
  runtime: NativeRuntime;
  /** For tests against published values only. */
  internal?: {
    /** One Philox4x32-10 block: counter of 4 words, key of 2, lowest first; gives 4 words. */
    philox(counter: Uint32Array, key: Uint32Array): Uint32Array;
    /** The standard normal that each random word (at most 2^20) gives. */
    normal(words: Uint32Array): Float32Array;
    /**
     * Whether a card may be opened for a precision, and whether TF32 must be forbidden before: by the precision that
     * the process has opened one for, and by NVIDIA_TF32_OVERRIDE.
     */
    decideTf32(
      precision: string,
      fixed: string | null,
      variable: string | null,
    ): { forbid: boolean; refusal: string };
  };
}

let found: FoundAddon | undefined;

/**
 * The addon, loaded on first use: as {@link findAddon} finds it.
 *
 * @throws CritmapError `ERR_NATIVE` that lists what was tried and what to do
 */
export function native(): Native {
  return foundAddon().addon as Native;
}

/** The same with where it was. @throws as {@link native} */
export function foundAddon(): FoundAddon {
  found ??= findAddon();
  return found;
}
