/** What all sources of encoded images share: decoding with the image's name in every refusal. */
import { CritmapError } from '../../errors.js';
import { decodingError, imageError } from '../input-error.js';
import type { Fit } from '../pixels/fit.js';
import type { Pixels } from '../pixels/pixels.js';
import { readImage } from '../pixels/read-image.js';

/** @throws CritmapError ERR_IMAGES when the model takes channels that image files do not have */
export function encodedChannels(source: string, channels: number): 1 | 3 {
  if (channels === 1 || channels === 3) return channels;
  throw imageError(
    source,
    `image files have 1 or 3 channels, the model takes ${channels}`,
    'give the images as a .npy or .npz array',
  );
}

/**
 * @param raw - a whole image file
 * @param name - what errors call it
 * @throws CritmapError ERR_IMAGES with the decoder's reason
 */
export async function decodeNamed(raw: Uint8Array, channels: 1 | 3, fit: Fit, name: string): Promise<Pixels> {
  try {
    return await readImage(raw, channels, fit);
  } catch (thrown) {
    if (thrown instanceof CritmapError) throw thrown;
    throw decodingError(name, (reason) => `cannot be decoded (${reason})`, thrown);
  }
}
