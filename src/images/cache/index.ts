/** The image cache of one source under one transform: what its files hold, and their pixels. */
import { createHash } from 'node:crypto';
import { CritmapError } from '../../errors.js';
import { writeReason } from '../../files/problems.js';
import { imageError } from '../input-error.js';
import { DEFAULT_CACHE_BYTES } from './location.js';
import { claimFolder } from './own-folder.js';
import { PixelCache } from './pixel-cache.js';
import { StampCache } from './stamps.js';

export { DEFAULT_CACHE_BYTES, parseCacheSize } from './location.js';

export interface ImageCache {
  readonly pixels: PixelCache;
  readonly stamps: StampCache;
}

export interface ImageCacheOptions {
  /** The cache's root folder, made if it is not there; it may hold nothing else and not lie among the images. */
  directory: string;
  /** What the whole folder may hold; default 10 GB. */
  limitBytes?: number | undefined;
  /** The images, as the user wrote them. */
  source: string;
  /** All that decides the pixels. */
  transform: unknown;
  /** Bytes of one crop. */
  recordBytes: number;
  onWarning: (message: string) => void;
}

/** @throws CritmapError ERR_IMAGES when the folder cannot be used */
export async function openImageCache(options: ImageCacheOptions): Promise<ImageCache> {
  const { directory: root, source, recordBytes, onWarning } = options;
  const transform = createHash('sha256').update(JSON.stringify(options.transform)).digest('hex').slice(0, 32);
  const limitBytes = options.limitBytes ?? DEFAULT_CACHE_BYTES;
  try {
    await claimFolder(root, source);
    const pixels = await PixelCache.open({ root, transform, recordBytes, limitBytes, onWarning });
    return { pixels, stamps: await StampCache.open(root, source) };
  } catch (error) {
    if (error instanceof CritmapError) throw error;
    throw imageError(
      root,
      `cannot be the image cache (${writeReason(error)})`,
      'give another folder with --cache, or --cache off',
      error,
    );
  }
}
