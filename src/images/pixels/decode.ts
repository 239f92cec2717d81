/**
 * Image file bytes to uint8 pixels, with the bits of torchvision's default loader (Pillow's `convert('RGB')`),
 * through sharp: EXIF orientation and colour profiles are ignored, alpha is dropped and not blended, grey is
 * repeated, the first frame of an animation is taken, CMYK is converted by Pillow's formula. Of 16-bit samples
 * colours keep the high byte; grey is cut off at 255, since Pillow has no grey of 16 bits that it would scale.
 * AVIF differs a little: its decoders interpolate chroma each in its own way.
 */
import type sharp from 'sharp';
import type { Metadata, Sharp } from 'sharp';
import { CritmapError, messageOf } from '../../errors.js';
import type { Size } from '../../native/addon.js';
import { cmykToRgb, repeatGrey, rgbToGrey } from './colour.js';
import type { Pixels } from './pixels.js';

const FORMATS: readonly string[] = ['jpeg', 'png', 'webp', 'tiff', 'gif', 'heif'];

/** Where Pillow takes a file for a decompression bomb. */
export const MAX_PIXELS = 178_956_970;

/** Formats that Pillow reads and our decoders do not, by their first bytes. */
const UNREADABLE: readonly [begins: string, name: string][] = [
  ['BM', 'BMP'],
  ...['P1', 'P2', 'P3', 'P4', 'P5', 'P6'].map((begins): [string, string] => [begins, 'PPM, PGM or PBM']),
  ['\0\0\0\x0cjP', 'JPEG 2000'],
  ['\xff\x4f\xff\x51', 'JPEG 2000'],
];

/**
 * The revision of what this file and `colour.ts` make of a picture. To be raised with every change of any pixel of any
 * kind of file: cached pixels of other revisions are not used.
 */
export const DECODING_REVISION = 1;

/** An image file whose header has been read. */
export interface Picture extends Size {
  /** What decoding takes at most, the pixels that come out of it and a copy of them together. */
  readonly memoryBytes: number;
  /**
   * @param channels - 3 for RGB, 1 for Pillow's `L`
   * @throws Error with the decoder's reason when the file is cut off or damaged
   */
  decode(channels: 1 | 3): Promise<Pixels>;
}

/**
 * @param bytes - a whole image file
 * @throws Error with the reason, for anything that is not an image of a kind that is read
 */
export async function openPicture(bytes: Uint8Array): Promise<Picture> {
  const { image, metadata } = await reasoned(() => open(bytes));
  const { height, width, channels: stored, depth } = metadata;
  return {
    height,
    width,
    memoryBytes: height * width * Math.max(3, stored) * (depth === 'ushort' ? 2 : 1) * 2,
    decode: (channels) => reasoned(() => decode(bytes, image, metadata, channels)),
  };
}

async function reasoned<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof CritmapError) throw thrown;
    throw new Error(reasonOf(thrown), { cause: thrown });
  }
}

/** Said of whole files. */
const OTHER_KIND = /not (implemented|configured|supported|built)|unsupported/i;
const BAD_HEADER = 'Input buffer has corrupt header:';

/** sharp's reasons in a user's words. libvips lists all that it tried, a line each, and the reason last. */
function reasonOf(thrown: unknown): string {
  const message = messageOf(thrown);
  if (message.endsWith('unsupported image format')) return 'it is no image of a format that is read';
  const part = message.startsWith(BAD_HEADER) ? 'header' : 'data';
  const said = message
    .replace(BAD_HEADER, '')
    .split('\n')
    .flatMap((line) => /^\s*\w+: (.+)$/.exec(line)?.[1] ?? []);
  const last = said.at(-1);
  if (last && OTHER_KIND.test(last)) return `it is of a kind that is not read: ${last}`;
  if (last) return `its ${part} is damaged: ${last}`;
  return part === 'header' || message === 'Unknown error' || message === ''
    ? `its ${part} is damaged`
    : message;
}

async function decode(bytes: Uint8Array, image: Sharp, metadata: Metadata, channels: 1 | 3): Promise<Pixels> {
  const { height, width } = metadata;
  const of = (data: Uint8Array, stored: 1 | 3): Pixels => ({
    data: inChannels(data, stored, channels),
    height,
    width,
    channels,
  });
  if (metadata.space === 'cmyk') return of(cmykToRgb(await cmyk(image)), 3);
  if (metadata.depth === 'ushort' && metadata.channels === 1) return of(await clippedGrey(image), 1);
  if (metadata.format === 'gif' && metadata.hasAlpha) await refuseHoles(bytes);
  const { data, info } = await image
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`it decodes to ${info.channels} channels instead of 3`);
  return of(data, 3);
}

/** @throws Error when a picture has more pixels than Pillow takes */
export function checkPixelCount({ height, width }: Size): void {
  if (height * width > MAX_PIXELS) {
    throw new Error(`${height}x${width} pixels are more than the ${MAX_PIXELS} that are read at most`);
  }
}

async function open(bytes: Uint8Array): Promise<{ image: Sharp; metadata: Metadata }> {
  if (bytes.length === 0) throw new Error('the file is empty');
  const start = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  const unreadable = UNREADABLE.find(([begins]) => start.startsWith(begins));
  if (unreadable) throw new Error(`it is ${unreadable[1]}, which is not read; convert it to PNG`);
  const image = await firstFrame(bytes);
  const metadata = await image.metadata();
  const { format, depth } = metadata;
  // An SVG named .png is a program for a renderer, not a photograph.
  if (!FORMATS.includes(format)) throw new Error(`it is ${format.toUpperCase()}, not a pixel image`);
  if (depth !== 'uchar' && depth !== 'ushort')
    throw new Error(`its samples are ${depth}, not of 8 or 16 bits`);
  checkPixelCount(metadata);
  return { image, metadata };
}

/**
 * Loading it takes a seventh of a second, which only who decodes should wait for.
 * @throws CritmapError (ERR_NATIVE): no image is to blame
 */
export async function loadSharp(): Promise<typeof sharp> {
  try {
    return (await import('sharp')).default;
  } catch (error) {
    const why = messageOf(error).split('\n')[0];
    throw new CritmapError(
      'ERR_NATIVE',
      `sharp, which decodes images, cannot be loaded (${why}); run npm install in critmap's folder`,
      { cause: error },
    );
  }
}

async function firstFrame(bytes: Uint8Array): Promise<Sharp> {
  const sharp = await loadSharp();
  // Bytes and not the path: libvips keeps a cache by path that would outlive a changed file.
  return sharp(bytes, { failOn: 'error', ignoreIcc: true, page: 0, pages: 1, limitInputPixels: false });
}

/** Inks as stored, 255 for all of it. */
async function cmyk(image: Sharp): Promise<Uint8Array> {
  const { data, info } = await image
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 4) throw new Error(`it decodes to ${info.channels} channels instead of 4 inks`);
  return data;
}

async function clippedGrey(image: Sharp): Promise<Uint8Array> {
  const bytes = await image.toColourspace('grey16').raw({ depth: 'ushort' }).toBuffer();
  const samples = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  return Uint8Array.from(samples, (sample) => Math.min(sample, 255));
}

/** Pillow shows a GIF's transparent pixels in a colour of its palette that libvips does not tell. */
async function refuseHoles(bytes: Uint8Array): Promise<void> {
  const alpha = await (await firstFrame(bytes)).extractChannel('alpha').raw().toBuffer();
  if (alpha.some((value) => value !== 255)) {
    throw new Error('it is a GIF with transparent pixels, which are not read; convert it to PNG');
  }
}

function inChannels(data: Uint8Array, stored: 1 | 3, channels: 1 | 3): Uint8Array {
  if (stored === channels) return data;
  return channels === 3 ? repeatGrey(data) : rgbToGrey(data);
}
