/** A sample of images cut into chunks: what an engine is given at once, and what the journal counts in. */
import type { SlicePart } from '../design/slices.js';
import type { ImageSet } from '../images/index.js';
import { native } from '../native/addon.js';
import type { EngineImages } from '../native/engine.js';

/** Consecutive images of the sample, decoded. */
export interface Chunk {
  /** Position among the sample's chunks. */
  index: number;
  count: number;
  /** count x C x H x W floats, or pixels; row-major. */
  images: EngineImages;
  height: number;
  width: number;
  /** One class index per image, when there are labels. */
  labels: Int32Array | undefined;
  /** The slices that its images lie in; default one, the first. */
  slices?: readonly SlicePart[];
}

/** The parts of a chunk that have draws of their own. */
export const slicesIn = ({ slices, count }: Chunk): readonly SlicePart[] =>
  slices ?? [{ slice: 0, from: 0, to: count }];

/**
 * What of some parts, one behind the other, is computed at once: `slices` pieces of them, each of its share of `batch`
 * images; one that has fewer is the last of its batch.
 */
export function* batchesOf(
  parts: readonly SlicePart[],
  batch: number,
  slices: number,
): Generator<readonly SlicePart[]> {
  const most = batch / slices;
  let pieces: SlicePart[] = [];
  for (const { slice, from, to } of parts) {
    for (let at = from; at < to; at += most) {
      const end = Math.min(to, at + most);
      pieces.push({ slice, from: at, to: end });
      if (pieces.length < slices && end - at === most) continue;
      yield pieces;
      pieces = [];
    }
  }
  if (pieces.length > 0) yield pieces;
}

/** Of one image. */
export const valuesOf = ({ channels, height, width }: ImageSet['shape']) => channels * height * width;

/** Images [from, to) of a chunk, sharing its memory. */
export function imagesOf({ images, count }: Chunk, from: number, to: number): EngineImages {
  const part = <T extends Float32Array | Uint8Array>(values: T) => {
    const perImage = values.length / count;
    return values.subarray(from * perImage, to * perImage) as T;
  };
  return images instanceof Float32Array ? part(images) : { ...images, pixels: part(images.pixels) };
}

/** The same `count` images with some of zeros before them. */
export function behindBlank(images: EngineImages, count: number, blank: number): EngineImages {
  if (blank === 0) return images;
  const put = <T extends Float32Array | Uint8Array>(values: T, into: T) => {
    into.set(values, into.length - values.length);
    return into;
  };
  const lengthOf = ({ length }: Float32Array | Uint8Array) => (length / count) * (blank + count);
  return images instanceof Float32Array
    ? put(images, new Float32Array(lengthOf(images)))
    : { ...images, pixels: put(images.pixels, new Uint8Array(lengthOf(images.pixels))) };
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
