/** How many images a sweep takes. */
import { CritmapError } from '../errors.js';
import { DEFAULT_IMAGES, PUBLISHED_IMAGES } from '../images/options.js';

type Asked = number | 'all' | undefined;

/**
 * What is asked for, else what the design takes.
 * @throws CritmapError (ERR_OPTION) for --max-images without --tolerance
 */
export function sampleOf({
  images,
  maxImages,
  tolerance,
  published,
}: Record<string, unknown>): number | 'all' {
  const most = maxImages as Asked;
  if (most !== undefined && tolerance === undefined) {
    throw new CritmapError(
      'ERR_OPTION',
      '--max-images goes with --tolerance; for a number of images give --images',
    );
  }
  const asked = images as Asked;
  if (asked !== undefined && most !== undefined) {
    throw new CritmapError('ERR_OPTION', 'both --images and --max-images are given; give one of them');
  }
  return asked ?? most ?? (tolerance !== undefined ? 'all' : published ? PUBLISHED_IMAGES : DEFAULT_IMAGES);
}
