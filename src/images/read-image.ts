/** From a file's bytes to the pixels that the model sees, short of normalising them. */
import { native } from '../native.js';
import { checkPixelCount, decodeImage } from './decode.js';
import { type Fit, fitJpeg, fitPixels } from './fit.js';
import { isJpeg, readJpegHeader } from './jpeg-header.js';
import type { Pixels } from './source.js';

let decodesJpeg: boolean | undefined;

/**
 * Decodes, resizes and crops one image, with the bits of torchvision on Pillow.
 * @param bytes - a whole image file; copied at the call
 * @param channels - 3 for RGB, 1 for Pillow's `L`
 * @returns uint8 pixels, H x W x C, of the size `fit.crop`
 * @throws Error with the reason, for anything that is not a whole image of a kind that is read
 */
export async function readImage(bytes: Uint8Array, channels: 1 | 3, fit: Fit): Promise<Pixels> {
  if (!isJpeg(bytes)) return fitPixels(await decodeImage(bytes, channels), fit);
  const header = readJpegHeader(bytes);
  checkPixelCount(header);
  decodesJpeg ??= native().info().jpeg !== null;
  // The same pixels, with libjpeg-turbo in half the time.
  return decodesJpeg
    ? fitJpeg(bytes, header, channels, fit)
    : fitPixels(await decodeImage(bytes, channels), fit);
}
