/**
 * The design of a sweep: which draws see which images. The sample, in its seeded random order, is cut into slices of K
 * images, and every slice has T draws of its own for every layer and random reset. What is uncertain of a layer is far
 * more the draw than the images, and a draw costs a thousandth of a pass: with a new one for every 8 images, the same
 * number of passes sees a hundred draws instead of three. K = all is the published, crossed design, where every draw
 * sees every image. K depends on nothing else: no result depends on batch, chunk, thread or device.
 */
import type { Resettable } from '../model/layer-group.js';
import { isRandom, type Reset } from '../resets/kinds.js';

export interface SliceDesign {
  /** K. */
  imagesPerDraw: number | 'all';
  /** T: draws of one slice. */
  trials: number;
}

/** Images [from, to) of a chunk, which lie in one slice. */
export interface SlicePart {
  slice: number;
  from: number;
  to: number;
}

/** Whether draws and images are crossed: all draws see all images. */
export const isCrossed = ({ imagesPerDraw }: SliceDesign) => imagesPerDraw === 'all';

/** The number of the draw that a cell's trial has in a slice. A reset without randomness has one. */
export function drawOf(
  { trials }: SliceDesign,
  { layer, reset, trial }: { layer: Resettable; reset: Reset; trial: number },
  slice: number,
): number {
  return isRandom(reset, layer) ? slice * trials + trial : 0;
}

/** The slices of images [first, first + count) of the sample, in order. */
export function slicesOf({ imagesPerDraw }: SliceDesign, first: number, count: number): SlicePart[] {
  if (imagesPerDraw === 'all') return [{ slice: 0, from: 0, to: count }];
  const parts: SlicePart[] = [];
  for (let from = 0; from < count; ) {
    const slice = Math.floor((first + from) / imagesPerDraw);
    const to = Math.min(count, (slice + 1) * imagesPerDraw - first);
    parts.push({ slice, from, to });
    from = to;
  }
  return parts;
}

/** Images of the first `slices` slices of a sample. */
export function imagesOfSlices({ imagesPerDraw }: SliceDesign, slices: number, images: number): number {
  return imagesPerDraw === 'all' ? images : Math.min(images, slices * imagesPerDraw);
}
