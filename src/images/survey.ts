/** What the encoded images of a sample are: formats and sizes, from their headers. */
import { forEachBounded } from '../concurrency.js';
import { IN_FLIGHT } from './check.js';
import type { ImageSet } from './image-set.js';
import { openPicture } from './pixels/decode.js';

interface Spread {
  least: number;
  median: number;
  most: number;
}

export interface SourceSurvey {
  /** Images by format and colour, such as `jpeg srgb`, most first, or `unknown`; null when the images are not encoded. */
  formats: Record<string, number> | null;
  /** In pixels, of those whose header could be read; null when there are none. */
  sizes: { width: Spread; height: Spread } | null;
}

/**
 * @param set - of which every image can be decoded, as after opening it with `skipBadImages`
 * @throws CritmapError ERR_IMAGES when one cannot be read any more
 */
export async function surveyImages(set: ImageSet, signal?: AbortSignal): Promise<SourceSurvey> {
  const formats = new Map<string, number>();
  const widths: number[] = [];
  const heights: number[] = [];
  await forEachBounded(
    0,
    set.count,
    IN_FLIGHT,
    async (at) => {
      const raw = await set.encoded(at);
      if (raw === null) return;
      // Some JPEG files only libjpeg-turbo reads; they are in the sample all the same.
      const picture = await openPicture(raw).catch(() => null);
      const kind = picture?.kind ?? 'unknown';
      formats.set(kind, (formats.get(kind) ?? 0) + 1);
      if (!picture) return;
      widths.push(picture.width);
      heights.push(picture.height);
    },
    signal,
  );
  if (formats.size === 0) return { formats: null, sizes: null };
  return {
    formats: Object.fromEntries([...formats].sort(([x, a], [y, b]) => b - a || (x < y ? -1 : 1))),
    sizes: widths.length === 0 ? null : { width: spread(widths), height: spread(heights) },
  };
}

function spread(values: number[]): Spread {
  const sorted = values.sort((a, b) => a - b);
  return { least: sorted[0]!, median: sorted[sorted.length >> 1]!, most: sorted.at(-1)! };
}
