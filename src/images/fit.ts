/**
 * The step between decoding and normalising: uint8 pixels of any size to uint8 pixels of the model's
 * size. The resampling is libvips' (kernel `linear`); a resampler that matches Pillow to the bit would
 * replace `resample` and nothing else.
 */
import sharp from 'sharp';
import { centreCrop, resizedSize, type Size } from './geometry.js';
import type { Pixels } from './source.js';

/** A resized strip above this would not fit in memory, whatever it is a picture of. */
const MAX_RESIZED_PIXELS = 2 ** 26;

/**
 * Resizes the short side, then crops the centre.
 * @param resize - short side in pixels; null leaves the size
 * @param crop - the size wanted, at most the (resized) size of `pixels`
 * @throws RangeError when the image is smaller than the crop, or too elongated to be resized
 */
export async function fit(pixels: Pixels, resize: number | null, crop: Size): Promise<Pixels> {
  const size = resize === null ? pixels : resizedSize(pixels, resize);
  if (size.height * size.width > MAX_RESIZED_PIXELS) {
    throw new RangeError(
      `${pixels.height}x${pixels.width} pixels resize to ${size.height}x${size.width}, too large`,
    );
  }
  const sameSize = size.height === pixels.height && size.width === pixels.width;
  return cropCentre(sameSize ? pixels : await resample(pixels, size), crop);
}

async function resample(pixels: Pixels, { height, width }: Size): Promise<Pixels> {
  const channels = pixels.channels as 1 | 3;
  const data = await sharp(pixels.data, { raw: { height: pixels.height, width: pixels.width, channels } })
    .resize({ height, width, fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false })
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw({ depth: 'uchar' })
    .toBuffer();
  return { data, height, width, channels };
}

function cropCentre(pixels: Pixels, crop: Size): Pixels {
  const { height, width, channels } = pixels;
  if (height === crop.height && width === crop.width) return pixels;
  if (height < crop.height || width < crop.width) {
    throw new RangeError(`${height}x${width} pixels cannot be cropped to ${crop.height}x${crop.width}`);
  }
  const { top, left } = centreCrop(pixels, crop);
  const rowBytes = crop.width * channels;
  const data = new Uint8Array(crop.height * rowBytes);
  for (let row = 0; row < crop.height; row++) {
    const start = ((top + row) * width + left) * channels;
    data.set(pixels.data.subarray(start, start + rowBytes), row * rowBytes);
  }
  return { data, height: crop.height, width: crop.width, channels };
}
