/** From a file's bytes to the pixels that the model sees, short of normalising them. */

import { Budget } from '../../concurrency.js';
import { native } from '../../native/addon.js';
import { checkPixelCount, MAX_PIXELS, openPicture } from './decode.js';
import { type Fit, fitJpeg, fitPixels } from './fit.js';
import { isJpeg, type JpegHeader, readJpegHeader } from './jpeg-header.js';
import type { Pixels } from './pixels.js';

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
    // The same pixels, with libjpeg-turbo in half the time.
    if (hasJpeg()) return decoding.run(jpegBytes(header), () => fitJpeg(bytes, header, channels, fit));
  }
  const picture = await openPicture(bytes);
  return decoding.run(picture.memoryBytes, async () => fitPixels(await picture.decode(channels), fit));
}

/**
 * Does the same to a JPEG file in one step off the main thread, which hears of its end only.
 * @param file - its path or content
 * @param out - for the pixels
 * @param digest - 32 bytes for the file's SHA-256; null when nobody wants it
 * @returns false when it must be read and go to {@link readImage}, which also says what is wrong with it
 */
export async function readPlainJpeg(
  file: string | Uint8Array,
  channels: 1 | 3,
  fit: Fit,
  out: Uint8Array,
  digest: Uint8Array | null,
): Promise<boolean> {
  const maybe = typeof file === 'string' ? /\.jpe?g$/i.test(file) : isJpeg(file);
  return maybe && !fit.squash && hasJpeg() && native().fitJpeg(file, channels, fit, MAX_PIXELS, out, digest);
}

function hasJpeg(): boolean {
  decodesJpeg ??= native().info().jpeg !== null;
  return decodesJpeg;
}

/** A file of one scan needs a few rows at a time; one of several scans needs all coefficients, two bytes each. */
function jpegBytes({ height, width, components, scans }: JpegHeader): number {
  return scans === 'one' ? 0 : height * width * components * 2;
}
