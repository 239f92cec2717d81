/**
 * Image file bytes to uint8 pixels, following torchvision's default loader (Pillow, `convert('RGB')`):
 * EXIF orientation and colour profiles are ignored, alpha is dropped and not blended, grey is replicated,
 * the first frame of an animation is taken, 16-bit samples keep their high byte. CMYK is converted by
 * libvips and differs from Pillow's formula.
 */
import sharp from 'sharp';
import type { Pixels } from './source.js';

const FORMATS: readonly string[] = ['jpeg', 'png', 'webp', 'tiff', 'gif', 'heif'];

/**
 * @param bytes - a whole image file
 * @param channels - 3 for RGB, 1 for Pillow's `L`
 * @throws Error with the decoder's reason, for anything that is not a whole, undamaged image
 */
export async function decodeImage(bytes: Uint8Array, channels: 1 | 3): Promise<Pixels> {
  if (bytes.length === 0) throw new Error('the file is empty');
  // Bytes and not the path: libvips keeps a cache by path that would outlive a changed file.
  const image = sharp(bytes, { failOn: 'error', ignoreIcc: true, page: 0, pages: 1 });
  const { format } = await image.metadata();
  // An SVG named .png is a program for a renderer, not a photograph.
  if (!FORMATS.includes(format)) throw new Error(`it is ${format.toUpperCase()}, not a pixel image`);
  const { data, info } = await image
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`it decodes to ${info.channels} channels instead of 3`);
  const { height, width } = info;
  return { data: channels === 3 ? data : luma(data), height, width, channels };
}

/** Pillow's `convert('L')`: ITU-R 601 weights in 16-bit fixed point, on the gamma-encoded values. */
function luma(rgb: Uint8Array): Uint8Array {
  const grey = new Uint8Array(rgb.length / 3);
  for (let at = 0, from = 0; at < grey.length; at++, from += 3) {
    grey[at] = (rgb[from]! * 19595 + rgb[from + 1]! * 38470 + rgb[from + 2]! * 7471 + 0x8000) >> 16;
  }
  return grey;
}
