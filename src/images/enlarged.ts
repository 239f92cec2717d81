/**
 * Whether files are smaller than what they are resized to: then the model sees blurs, or of images that were made to its
 * measure others than these, which should not go without a word.
 */
import type { ImageSet } from './image-set.js';
import { openPicture } from './pixels/decode.js';

/** Images that are looked at, evenly over the sample. */
const LOOKED_AT = 8;
/** Enlarged so many times or more, half of them are reason enough; else all have to be. */
const MUCH = 2;

/**
 * @param resize - short side in pixels that images are resized to
 * @returns a warning; null where images are large enough, or none can be looked at
 */
export async function enlargedWarning(set: ImageSet, resize: number): Promise<string | null> {
  const count = Math.min(LOOKED_AT, set.count);
  const sizes: { width: number; height: number }[] = [];
  for (let i = 0; i < count; i++) {
    const raw = await set.encoded(Math.floor((i * set.count) / count)).catch(() => null);
    const picture = raw && (await openPicture(raw).catch(() => null));
    if (picture) sizes.push(picture);
  }
  const sides = sizes.map(({ width, height }) => Math.min(width, height)).sort((a, b) => a - b);
  const median = sides[sides.length >> 1];
  if (median === undefined || (median * MUCH > resize && sides.at(-1)! >= resize)) return null;
  const { height, width } = set.shape;
  if (sizes.every((one) => one.height === height && one.width === width)) {
    return `${set.source}: images are ${height}x${width}, as the model takes them, but are resized to ${resize} and cropped, as files are by default; --resize ${median} takes their pixels as they are`;
  }
  const model = Math.max(height, width);
  const remedy =
    median < model
      ? `if it was trained on small images, give its own --size ${median} --resize ${median} (a built-in architecture, or a file that takes any size), or a --resize that it knows`
      : `if it was trained without that, give --resize ${model} or another that it knows`;
  return `${set.source}: images of about ${median} pixels are enlarged to ${resize}, which the model may never have seen; ${remedy}`;
}
