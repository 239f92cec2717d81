/**
 * The step between decoding and normalising: uint8 pixels of any size to uint8 pixels of the model's size,
 * with the bits that torchvision's `Resize` and `CenterCrop` give on Pillow images. Only what the crop needs is
 * resampled, off the main thread.
 */
import {
  type Fit as KeptShape,
  native,
  type Placement,
  type Resampling,
  type Size,
} from '../../native/addon.js';
import type { Pixels } from './pixels.js';

export interface Fit extends KeptShape {
  /** A picture becomes a square of `resize` first, whatever its shape. */
  readonly squash?: boolean;
}

/**
 * Resizes and crops.
 * @param pixels - 1 or 3 channels if they are to be resized, else any number
 * @throws RangeError when the picture is too elongated to be resized
 */
export async function fitPixels(pixels: Pixels, fit: Fit): Promise<Pixels> {
  const { data, channels } = pixels;
  const place = placement(pixels, fit);
  const { to, window } = place;
  const sameSize = to.height === pixels.height && to.width === pixels.width;
  if (sameSize && window.height === to.height && window.width === to.width) {
    return inCrop(data, channels, place, fit.crop);
  }
  const part = sameSize
    ? cut(pixels, window)
    : await native().resample(data, resampling(pixels, channels as 1 | 3, place, fit));
  return inCrop(part, channels, place, fit.crop);
}

/**
 * The same of a JPEG file, decoded on the way. Only where `native().info().jpeg` is not null.
 * @param size - as the file's header says
 * @throws Error with the reason when the file is damaged
 */
export async function fitJpeg(file: Uint8Array, size: Size, channels: 1 | 3, fit: Fit): Promise<Pixels> {
  const place = placement(size, fit);
  const part = await native().resampleJpeg(file, resampling(size, channels, place, fit));
  return inCrop(part, channels, place, fit.crop);
}

/** Of a square there is one way to resize it, so where its pixels go is where a squashed picture's do. */
function placement(size: Size, { squash, ...fit }: Fit): Placement {
  const { resize } = fit;
  return native().placement(squash && resize !== null ? { height: resize, width: resize } : size, fit);
}

function resampling(
  { height, width }: Size,
  channels: 1 | 3,
  { to, window }: Placement,
  fit: Fit,
): Resampling {
  return { channels, from: { height, width }, to, window, filter: fit.interpolation };
}

function cut({ data, width, channels }: Pixels, window: Placement['window']): Uint8Array {
  const rowBytes = window.width * channels;
  const part = new Uint8Array(window.height * rowBytes);
  for (let row = 0; row < window.height; row++) {
    const start = ((window.top + row) * width + window.left) * channels;
    part.set(data.subarray(start, start + rowBytes), row * rowBytes);
  }
  return part;
}

/** The crop with a picture that may be smaller. */
function inCrop(part: Uint8Array, channels: number, { window, top, left }: Placement, crop: Size): Pixels {
  const { height, width } = crop;
  if (window.height === height && window.width === width) return { data: part, height, width, channels };
  const data = new Uint8Array(height * width * channels);
  const rowBytes = window.width * channels;
  for (let row = 0; row < window.height; row++) {
    const start = row * rowBytes;
    data.set(part.subarray(start, start + rowBytes), ((top + row) * width + left) * channels);
  }
  return { data, height, width, channels };
}
