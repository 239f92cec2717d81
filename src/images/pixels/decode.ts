/**
 * Image file bytes to uint8 pixels, with the bits of torchvision's default loader (Pillow's `convert('RGB')`),
 * through sharp: EXIF orientation (but that of TIFF) and colour profiles are ignored, alpha is dropped and not blended,
 * grey is repeated, the first frame of an animation is taken, CMYK is converted by Pillow's formula. Of 16-bit samples
 * colours keep the high byte; grey of more than 8 bits, whole or float, is cut off at 0 and 255, since Pillow scales
 * none. AVIF differs a little: its decoders interpolate chroma each in its own way.
 */
import type sharp from 'sharp';
import type { Metadata, Sharp } from 'sharp';
import { CritmapError, messageOf } from '../../errors.js';
import type { Size } from '../../native/addon.js';
import { type AvifTurn, readAvifTurn, turnBack } from './avif-turn.js';
import { decodeBmp, isBmp, readBmpHeader } from './bmp.js';
import { cmykToRgb, repeatGrey, rgbToGrey } from './colour.js';
import { fillHoles, readGifHoles } from './gif-holes.js';
import type { Pixels } from './pixels.js';
import { reasoned } from './reasons.js';
import { isLab, isWhiteZero } from './tiff-colours.js';

const FORMATS: readonly string[] = ['jpeg', 'png', 'webp', 'tiff', 'gif', 'heif'];

/** Where Pillow takes a file for a decompression bomb. */
export const MAX_PIXELS = 178_956_970;

/** Formats that Pillow reads and our decoders do not, by their first bytes. */
const UNREADABLE: readonly [begins: string, name: string][] = [
  ...['P1', 'P2', 'P3', 'P4', 'P5', 'P6'].map((begins): [string, string] => [begins, 'PPM, PGM or PBM']),
  ['\0\0\0\x0cjP', 'JPEG 2000'],
  ['\xff\x4f\xff\x51', 'JPEG 2000'],
];

/**
 * The revision of what this file and `colour.ts` make of a picture. To be raised with every change of any pixel of any
 * kind of file: cached pixels of other revisions are not used.
 */
export const DECODING_REVISION = 2;

/** What libvips calls kinds of samples, and their bytes; none of them is more than grey but for the first two. */
const SAMPLE_BYTES: Record<string, number> = {
  uchar: 1,
  ushort: 2,
  char: 1,
  short: 2,
  int: 4,
  uint: 4,
  float: 4,
};

/** An image file whose header has been read. */
export interface Picture extends Size {
  /** Format and colour, such as `jpeg srgb`. */
  readonly kind: string;
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
  if (isBmp(bytes)) return openBmp(bytes);
  const opened = await reasoned(() => open(bytes)).catch((thrown: unknown) => {
    if (thrown instanceof CritmapError || !isLab(bytes)) throw thrown;
    throw new Error('its colours are L*a*b*, which are not read; convert it to RGB', { cause: thrown });
  });
  const { height, width, metadata } = opened;
  const { format, space, channels: stored, depth } = metadata;
  return {
    height,
    width,
    kind: `${format} ${space}`,
    memoryBytes: height * width * Math.max(3, stored) * SAMPLE_BYTES[depth]! * 2,
    decode: (channels) => reasoned(() => decode(bytes, opened, channels)),
  };
}

function openBmp(bytes: Uint8Array): Picture {
  const header = readBmpHeader(bytes);
  const { height, width, bits } = header;
  return {
    height,
    width,
    kind: `bmp ${bits} bits`,
    // The decoder's copy of the file, and its pixels with alpha, twice.
    memoryBytes: bytes.length + height * width * (4 + 4 + 3),
    decode: (channels) =>
      reasoned(async () => ({
        data: inChannels(await decodeBmp(bytes, header), 3, channels),
        height,
        width,
        channels,
      })),
  };
}

async function decode(bytes: Uint8Array, opened: Opened, channels: 1 | 3): Promise<Pixels> {
  const { image, metadata, turn, height, width } = opened;
  const of = (data: Uint8Array, stored: 1 | 3): Pixels => ({
    data: inChannels(data, stored, channels),
    height,
    width,
    channels,
  });
  if (metadata.space === 'cmyk') return of(cmykToRgb(await cmyk(image)), 3);
  if (metadata.depth !== 'uchar' && metadata.channels === 1) {
    return of(await clippedGrey(bytes, image, metadata), 1);
  }
  if (metadata.format === 'gif') return of(await withoutHoles(bytes, image, opened), 3);
  const { data, info } = await image
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`it decodes to ${info.channels} channels instead of 3`);
  return of(turn ? turnBack(data, opened, turn) : data, 3);
}

/** @throws Error when a picture has more pixels than Pillow takes */
export function checkPixelCount({ height, width }: Size): void {
  if (height * width > MAX_PIXELS) {
    throw new Error(`${height}x${width} pixels are more than the ${MAX_PIXELS} that are read at most`);
  }
}

/** A file whose kind is known, and the size that Pillow shows it in. */
interface Opened extends Size {
  readonly image: Sharp;
  readonly metadata: Metadata;
  /** What libvips does and Pillow does not. */
  readonly turn: AvifTurn | null;
}

async function open(bytes: Uint8Array): Promise<Opened> {
  if (bytes.length === 0) throw new Error('the file is empty');
  const start = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  const unreadable = UNREADABLE.find(([begins]) => start.startsWith(begins));
  if (unreadable) throw new Error(`it is ${unreadable[1]}, which is not read; convert it to PNG`);
  const image = await firstFrame(bytes);
  const metadata = await image.metadata();
  const { format, depth, channels, bitsPerSample } = metadata;
  // An SVG named .png is a program for a renderer, not a photograph.
  if (!FORMATS.includes(format)) throw new Error(`it is ${format.toUpperCase()}, not a pixel image`);
  const readable = depth === 'uchar' || depth === 'ushort' || (depth in SAMPLE_BYTES && channels === 1);
  if (!readable || (depth === 'float' && bitsPerSample !== 32)) {
    throw new Error(
      `it has ${channels} ${channels === 1 ? 'channel' : 'channels'} of ${bitsPerSample}-bit ${depth} samples, which are not read`,
    );
  }
  checkPixelCount(metadata);
  // Pillow turns TIFF as it says and nothing else, libvips AVIF and nothing else.
  if (format === 'tiff') return { ...metadata.autoOrient, image: image.autoOrient(), metadata, turn: null };
  const turn = format === 'heif' ? readAvifTurn(bytes) : null;
  const { height, width } = metadata;
  const isOnSide = turn !== null && turn.quarters % 2 === 1;
  const size = isOnSide ? { height: width, width: height } : { height, width };
  return { ...size, image, metadata, turn };
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

/** Of wide or signed samples; NaN is 0 as in Pillow. */
async function clippedGrey(file: Uint8Array, image: Sharp, { format, depth }: Metadata): Promise<Uint8Array> {
  const is16Bit = depth === 'ushort' || depth === 'short';
  const bytes = await image
    .toColourspace(is16Bit ? 'grey16' : 'b-w')
    .raw({ depth })
    .toBuffer();
  const { buffer, byteOffset, length } = bytes;
  if (depth === 'float') return clipped(new Float32Array(buffer, byteOffset, length / 4));
  if (depth === 'ushort') {
    const samples = new Uint16Array(buffer, byteOffset, length / 2);
    const asStored =
      format === 'tiff' && isWhiteZero(file) ? samples.map((sample) => 65535 - sample) : samples;
    return clipped(asStored);
  }
  if (depth === 'short') return clipped(new Int16Array(buffer, byteOffset, length / 2));
  // Pillow takes 8 bits as if they had no sign, and 32 as if they had one.
  return depth === 'char' ? bytes : clipped(new Int32Array(buffer, byteOffset, length / 4));
}

/** Samples to levels of grey, without their fractions. */
function clipped(samples: ArrayLike<number> & Iterable<number>): Uint8Array {
  return Uint8Array.from(samples, (sample) => (sample > 0 ? Math.min(sample, 255) : 0));
}

async function withoutHoles(bytes: Uint8Array, image: Sharp, size: Size): Promise<Uint8Array> {
  const rgba = await image.ensureAlpha().toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer();
  if (rgba.length !== size.height * size.width * 4) throw new Error('its frames are not of one size');
  return fillHoles(rgba, size, readGifHoles(bytes));
}

function inChannels(data: Uint8Array, stored: 1 | 3, channels: 1 | 3): Uint8Array {
  if (stored === channels) return data;
  return channels === 3 ? repeatGrey(data) : rgbToGrey(data);
}
