/**
 * How an AVIF file says it is to be turned and mirrored (its properties irot and imir). libvips does so and Pillow does
 * not: with this, what was done is undone.
 */
import type { Size } from '../../native/addon.js';

export interface AvifTurn {
  /** Quarters of a turn to the left. */
  readonly quarters: number;
  /** What is mirrored after turning, if anything: rows change places from top to bottom, columns from left to right. */
  readonly mirrored: 'rows' | 'columns' | null;
}

interface Box {
  readonly type: string;
  /** Of its content. */
  readonly start: number;
  readonly end: number;
}

/**
 * @param bytes - a whole AVIF file
 * @returns null when it is to be shown as it is stored
 * @throws Error when it has several pictures, turned in several ways
 */
export function readAvifTurn(bytes: Uint8Array): AvifTurn | null {
  const meta = find(boxes(bytes, 0, bytes.length), 'meta');
  // Four bytes of version and flags come first.
  const properties = meta && find(boxes(bytes, meta.start + 4, meta.end), 'iprp');
  const container = properties && find(boxes(bytes, properties.start, properties.end), 'ipco');
  if (!container) return null;
  const all = boxes(bytes, container.start, container.end);
  const turns = all.filter(({ type }) => type === 'irot').map(({ start }) => bytes[start]! & 3);
  const mirrors = all.filter(({ type }) => type === 'imir').map(({ start }) => bytes[start]! & 1);
  if (new Set(turns).size > 1 || new Set(mirrors).size > 1) {
    throw new Error('it is an AVIF of several pictures that are turned apart, which is not read');
  }
  const quarters = turns[0] ?? 0;
  const mirrored = mirrors[0] === undefined ? null : mirrors[0] === 0 ? 'rows' : 'columns';
  return quarters === 0 && mirrored === null ? null : { quarters, mirrored };
}

/** What `turned` was, of the size `stored`, before it was turned; RGB. */
export function turnBack(turned: Uint8Array, stored: Size, { quarters, mirrored }: AvifTurn): Uint8Array {
  const { height, width } = stored;
  const isOnSide = quarters % 2 === 1;
  const [rows, columns] = isOnSide ? [width, height] : [height, width];
  const out = new Uint8Array(turned.length);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      let row = [y, width - 1 - x, height - 1 - y, x][quarters]!;
      let column = [x, y, width - 1 - x, height - 1 - y][quarters]!;
      if (mirrored === 'rows') row = rows - 1 - row;
      if (mirrored === 'columns') column = columns - 1 - column;
      const from = (row * columns + column) * 3;
      out[at] = turned[from]!;
      out[at + 1] = turned[from + 1]!;
      out[at + 2] = turned[from + 2]!;
    }
  }
  return out;
}

function find(all: readonly Box[], type: string): Box | undefined {
  return all.find((box) => box.type === type);
}

/** Boxes one after another: their size, their type, their content. */
function boxes(bytes: Uint8Array, from: number, to: number): Box[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Box[] = [];
  for (let at = from; at + 8 <= to; ) {
    const type = Buffer.from(bytes.subarray(at + 4, at + 8)).toString('latin1');
    const short = view.getUint32(at);
    const isLong = short === 1 && at + 16 <= to;
    const size = isLong ? Number(view.getBigUint64(at + 8)) : short === 0 ? to - at : short;
    const end = at + size;
    if (size < 8 || end > to) break;
    found.push({ type, start: at + (isLong ? 16 : 8), end });
    at = end;
  }
  return found;
}
