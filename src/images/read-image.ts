/** From a file's bytes to the pixels that the model sees, short of normalising them. */
import { native } from '../native.js';
import { Budget } from './budget.js';
import { checkPixelCount, openPicture } from './decode.js';
import { type Fit, fitJpeg, fitPixels } from './fit.js';
import { isJpeg, type JpegHeader, readJpegHeader } from './jpeg-header.js';
import type { Pixels } from './source.js';

/** For whole pictures in memory, of all images in flight together; a photograph of 12 Mpx takes 72 MB. */
const decoding = new Budget(512 * 2 ** 20);

let decodesJpeg: boolean | undefined;

/**
 * Decodes, resizes and crops one image, with the bits of torchvision on Pillow. Pictures that would not fit into
 * memory together wait for each other.
 * @param bytes - a whole image file; not to be written to until the result is there
 * @param channels - 3 for RGB, 1 for Pillow's `L`
 * @returns uint8 pixels, H x W x C, of the size `fit.crop`
 * @throws Error with the reason, for anything that is not a whole image of a kind that is read
 */
export async function readImage(bytes: Uint8Array, channels: 1 | 3, fit: Fit): Promise<Pixels> {
  if (isJpeg(bytes)) {
    const header = readJpegHeader(bytes);
    checkPixelCount(header);
    decodesJpeg ??= native().info().jpeg !== null;
    // The same pixels, with libjpeg-turbo in half the time.
    if (decodesJpeg) return decoding.run(jpegBytes(header), () => fitJpeg(bytes, header, channels, fit));
  }
  const picture = await openPicture(bytes);
  return decoding.run(picture.memoryBytes, async () => fitPixels(await picture.decode(channels), fit));
}

/** Of one scan a few rows are held at a time, of several all coefficients, two bytes each. */
function jpegBytes({ height, width, components, scans }: JpegHeader): number {
  return scans === 'one' ? 0 : height * width * components * 2;
}
