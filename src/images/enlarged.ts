/** Whether files are far smaller than what the model is given: then it sees blurs, which should not go without a word. */
import type { ImageSet } from './image-set.js';
import { openPicture } from './pixels/decode.js';

/** Images that are looked at, evenly over the sample. */
const LOOKED_AT = 8;
/** Enlarged so many times or more. */
const MUCH = 2;

/**
 * @param resize - short side in pixels that images are resized to
 * @returns a warning; null where images are large enough, or none can be looked at
 */
export async function enlargedWarning(set: ImageSet, resize: number): Promise<string | null> {
  const count = Math.min(LOOKED_AT, set.count);
  const sides: number[] = [];
  for (let i = 0; i < count; i++) {
    const raw = await set.encoded(Math.floor((i * set.count) / count)).catch(() => null);
    const picture = raw && (await openPicture(raw).catch(() => null));
    if (picture) sides.push(Math.min(picture.width, picture.height));
  }
  const median = sides.sort((a, b) => a - b)[sides.length >> 1];
  if (median === undefined || median * MUCH > resize) return null;
  return `${set.source}: images of about ${median} pixels are enlarged to ${resize}, which the model may never have seen; if it was trained on small images, give its own --size ${median} (a built-in architecture, or a file that takes any size), or a --resize that it knows`;
}
