/**
 * `synthetic:N`: N made-up images of the model's size, for timing and for trying things out. A coarse grid
 * of random colours, interpolated, plus fine noise. Image i depends on i and the shape only, not on the
 * seed of the sample and not on N.
 */
import { setImmediate } from 'node:timers/promises';
import { imageError } from '../input-error.js';
import { philox4x32 } from '../philox.js';
import { fitPixels } from '../pixels/fit.js';
import type { InputShape } from '../pixels/pixels.js';
import type { ImageSource } from './source.js';

const PREFIX = 'synthetic:';
const MAX_IMAGES = 10_000_000;
/** "SYNT": keeps these numbers apart from every other use of Philox. */
const STREAM = 0x53594e54;
const GRID = 8;
/** Amplitude of the fine noise, of 255. */
const NOISE = 32;

/** Whether a source names synthetic images. */
export function isSynthetic(source: string): boolean {
  return source.startsWith(PREFIX);
}

/**
 * @param source - `synthetic:N` with N from 1 to 10 million
 * @throws CritmapError ERR_IMAGES when N is no such number
 */
export function openSynthetic(source: string, shape: InputShape): ImageSource {
  const digits = source.slice(PREFIX.length);
  const total = /^\d{1,8}$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(total >= 1 && total <= MAX_IMAGES)) {
    throw imageError(source, 'is not a number of images', `write ${PREFIX}N with N from 1 to ${MAX_IMAGES}`);
  }
  const { channels, height, width } = shape;
  // One a turn of the event loop, whoever asks for how many: making them takes milliseconds each.
  let turn: Promise<unknown> = Promise.resolve();
  const raw = async (index: number) => {
    turn = turn.then(() => setImmediate());
    await turn;
    return syntheticImage(index, shape);
  };
  return {
    kind: 'synthetic',
    content: 'pixels',
    total,
    size: { height, width },
    names: null,
    labels: null,
    classNames: null,
    layout: `uint8 ${height}x${width}x${channels}`,
    nameOf: (index) => `${source} image ${index}`,
    raw,
    decode: (raw, _index, fit) => fitPixels({ data: raw, height, width, channels }, fit),
    close: async () => {},
  };
}

function syntheticImage(index: number, { channels, height, width }: InputShape): Uint8Array {
  const grid = randomBytes(index, 0, GRID * GRID * channels);
  const noise = randomBytes(index, 1, height * width * channels);
  const columns = gridPositions(width);
  const image = new Uint8Array(height * width * channels);
  let at = 0;
  for (const row of gridPositions(height)) {
    for (const column of columns) {
      for (let channel = 0; channel < channels; channel++) {
        const corner = (y: number, x: number) => grid[(y * GRID + x) * channels + channel]!;
        const upper = mix(corner(row.cell, column.cell), corner(row.cell, column.cell + 1), column.share);
        const lower = mix(
          corner(row.cell + 1, column.cell),
          corner(row.cell + 1, column.cell + 1),
          column.share,
        );
        const smooth = mix(upper, lower, row.share) * ((255 - NOISE) / 255);
        image[at] = Math.floor(smooth + (noise[at]! * NOISE) / 255);
        at++;
      }
    }
  }
  return image;
}

/** For each pixel the grid cell it lies in and how far into it, 0 to 1. */
function gridPositions(length: number): { cell: number; share: number }[] {
  return Array.from({ length }, (_, pixel) => {
    const position = ((pixel + 0.5) / length) * (GRID - 1);
    const cell = Math.min(Math.floor(position), GRID - 2);
    return { cell, share: position - cell };
  });
}

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}

function randomBytes(index: number, part: number, length: number): Uint8Array {
  const words = new Uint32Array(4);
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 16) {
    philox4x32(at / 16, index, STREAM, part, 0, 0, words);
    for (let lane = 0; lane < 16 && at + lane < length; lane++) {
      bytes[at + lane] = words[lane >> 2]! >>> ((lane & 3) * 8);
    }
  }
  return bytes;
}
