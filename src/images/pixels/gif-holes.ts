/**
 * What Pillow shows where the first frame of a GIF has no colour: libvips makes these pixels transparent and does not
 * tell the palette, Pillow takes the palette's colour of the transparent index, also where the frame does not reach.
 */
import type { Size } from '../../native/addon.js';

type Colour = readonly [red: number, green: number, blue: number];

/** Of the first frame of a GIF file. */
export interface GifHoles {
  /** Of what is transparent in the frame. */
  readonly colour: Colour;
  /** Where the frame lies in the picture. */
  readonly frame: Size & { readonly left: number; readonly top: number };
}

const EXTENSION = 0x21;
const CONTROL = 0xf9;
const IMAGE = 0x2c;

/**
 * @param bytes - a whole GIF file
 * @throws Error with the reason when there is no frame in it, or no colours
 */
export function readGifHoles(bytes: Uint8Array): GifHoles {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tableAt = (flags: number, start: number) =>
    flags & 0x80 ? bytes.subarray(start, start + (6 << (flags & 7))) : new Uint8Array(0);
  const flags = bytes[10] ?? 0;
  const table = tableAt(flags, 13);
  let transparent: number | undefined;
  for (let at = 13 + table.length; at + 10 <= bytes.length; ) {
    const kind = bytes[at];
    if (kind === IMAGE) {
      const [left, top] = [view.getUint16(at + 1, true), view.getUint16(at + 3, true)];
      const [width, height] = [view.getUint16(at + 5, true), view.getUint16(at + 7, true)];
      const own = tableAt(bytes[at + 9]!, at + 10);
      const colours = own.length > 0 ? own : table;
      if (colours.length === 0) throw new Error('it is a GIF without colours, which is not read');
      return { colour: colourOf(colours, transparent ?? 0), frame: { left, top, width, height } };
    }
    if (kind === EXTENSION) {
      if (bytes[at + 1] === CONTROL && bytes[at + 3]! & 1) transparent = bytes[at + 6];
      at = afterBlocks(bytes, at + 2);
    } else {
      // Pillow walks over what it does not know, byte by byte.
      at++;
    }
  }
  throw new Error('it has no picture in it');
}

/**
 * Gives pixels without a colour the one that Pillow shows.
 * @param rgba - of the size `size`; all of it that is opaque stays
 * @returns RGB pixels
 */
export function fillHoles(rgba: Uint8Array, size: Size, { colour, frame }: GifHoles): Uint8Array {
  const rgb = new Uint8Array(size.height * size.width * 3);
  for (let row = 0, at = 0; row < size.height; row++) {
    const inRows = row >= frame.top && row < frame.top + frame.height;
    for (let column = 0; column < size.width; column++, at++) {
      const inside = inRows && column >= frame.left && column < frame.left + frame.width;
      const isHole = !inside || rgba[at * 4 + 3] === 0;
      for (let channel = 0; channel < 3; channel++) {
        rgb[at * 3 + channel] = isHole ? colour[channel]! : rgba[at * 4 + channel]!;
      }
    }
  }
  return rgb;
}

/** Beyond the table all is black. */
function colourOf(table: Uint8Array, index: number): Colour {
  return [0, 1, 2].map((channel) => table[index * 3 + channel] ?? 0) as [number, number, number];
}

/** Data comes in blocks that say how long they are; an empty one is the last. */
function afterBlocks(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== 0) at += 1 + bytes[at]!;
  return at + 1;
}
