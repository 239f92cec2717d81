/**
 * Headers of NumPy's .npy format, versions 1.0, 2.0 and 3.0 (numpy.lib.format). The header is a Python
 * dict literal; it is matched against the one grammar NumPy writes and never evaluated. Only plain
 * little-endian numbers in C order pass, and the data must be exactly as long as the header says.
 */

import { imageError } from '../input-error.js';
import type { ByteRange } from './byte-range.js';

const DTYPES = {
  b1: { name: 'bool', bytes: 1 },
  u1: { name: 'uint8', bytes: 1 },
  i1: { name: 'int8', bytes: 1 },
  u2: { name: 'uint16', bytes: 2 },
  i2: { name: 'int16', bytes: 2 },
  u4: { name: 'uint32', bytes: 4 },
  i4: { name: 'int32', bytes: 4 },
  u8: { name: 'uint64', bytes: 8 },
  i8: { name: 'int64', bytes: 8 },
  f2: { name: 'float16', bytes: 2 },
  f4: { name: 'float32', bytes: 4 },
  f8: { name: 'float64', bytes: 8 },
} as const;

/** NumPy's name of an element type. */
export type NpyDtype = (typeof DTYPES)[keyof typeof DTYPES]['name'];

/** What a .npy header says, checked against the file's length. */
export interface NpyHeader {
  readonly dtype: NpyDtype;
  /** Bytes per element. */
  readonly itemBytes: number;
  /** Outermost dimension first; the data is in C order. */
  readonly shape: readonly number[];
  /** Where the data begins, in bytes from the start of the range. */
  readonly dataStart: number;
  readonly dataBytes: number;
}

/** NumPy itself refuses headers above 10,000 bytes; nothing honest comes near this. */
const MAX_HEADER_BYTES = 65536;
const SAVE_AGAIN = 'save it again with numpy.save';

/**
 * Reads and checks the header at the start of `range`.
 * @throws CritmapError ERR_IMAGES naming the file, what is wrong and what to do
 */
export async function readNpyHeader(range: ByteRange): Promise<NpyHeader> {
  const { name } = range;
  const start = await range.read(0, Math.min(12, range.byteLength));
  if (start.length < 12 || start.toString('latin1', 0, 6) !== '\x93NUMPY') {
    throw imageError(name, 'is not a .npy array', SAVE_AGAIN);
  }
  const major = start[6]!;
  if (major < 1 || major > 3 || start[7] !== 0) {
    throw imageError(name, `has .npy version ${major}.${start[7]}, known are 1.0, 2.0 and 3.0`, SAVE_AGAIN);
  }
  const lengthAt = 8;
  const headerStart = major === 1 ? 10 : 12;
  const headerBytes = major === 1 ? start.readUInt16LE(lengthAt) : start.readUInt32LE(lengthAt);
  if (headerBytes > MAX_HEADER_BYTES || headerStart + headerBytes > range.byteLength) {
    throw imageError(name, `has a damaged header (${headerBytes} bytes long)`, SAVE_AGAIN);
  }
  const text = (await range.read(headerStart, headerBytes)).toString(major === 3 ? 'utf8' : 'latin1');
  const { dtype, shape } = parseNpyHeader(text, name);
  const dataStart = headerStart + headerBytes;
  const dataBytes = dataLength(shape, dtype.bytes, name);
  const there = range.byteLength - dataStart;
  if (there !== dataBytes) {
    const problem = there < dataBytes ? 'is truncated' : 'is longer than its header says';
    throw imageError(
      name,
      `${problem} (shape ${shapeText(shape)} of ${dtype.name} is ${dataBytes} bytes, there are ${there})`,
      'write or copy it again',
    );
  }
  return { dtype: dtype.name, itemBytes: dtype.bytes, shape, dataStart, dataBytes };
}

const STRING = /'([^'\\]*)'|"([^"\\]*)"/.source;
const ENTRY = new RegExp(
  String.raw`\s*(?:${STRING})\s*:\s*(?:${STRING}|(True|False)|\(([^()]*)\))\s*(?:,|(?=\}))`,
  'y',
);

function parseNpyHeader(text: string, name: string) {
  const entries = new Map<string, { string?: string; boolean?: string; tuple?: string }>();
  const dict = text.trim();
  if (/['"]descr['"]\s*:\s*\[/.test(dict)) {
    throw imageError(name, 'holds records (a structured dtype)', 'save one plain array');
  }
  ENTRY.lastIndex = 1;
  while (dict.startsWith('{') && ENTRY.lastIndex < dict.length) {
    const match = ENTRY.exec(dict);
    if (!match) break;
    const [, key1, key2, string1, string2, boolean, tuple] = match;
    entries.set(key1 ?? key2!, { string: string1 ?? string2, boolean, tuple });
    if (/^\s*\}$/.test(dict.slice(ENTRY.lastIndex))) return checkEntries(entries, name);
  }
  throw imageError(name, 'has a header that is not the one NumPy writes', SAVE_AGAIN);
}

function checkEntries(
  entries: Map<string, { string?: string; boolean?: string; tuple?: string }>,
  name: string,
) {
  const descr = entries.get('descr')?.string;
  const order = entries.get('fortran_order')?.boolean;
  const tuple = entries.get('shape')?.tuple;
  if (entries.size !== 3 || descr === undefined || order === undefined || tuple === undefined) {
    throw imageError(name, 'has a header without just descr, fortran_order and shape', SAVE_AGAIN);
  }
  const shape = parseShape(tuple, name);
  if (order === 'True' && shape.length > 1) {
    throw imageError(name, 'is in Fortran order', 'save numpy.ascontiguousarray(images)');
  }
  return { dtype: parseDtype(descr, name), shape };
}

function parseDtype(descr: string, name: string) {
  if (descr.startsWith('|O')) {
    throw imageError(name, 'holds Python objects, which are never loaded', 'save an array of numbers');
  }
  if (descr.startsWith('>')) {
    throw imageError(
      name,
      `is big-endian (${descr})`,
      `save images.astype(images.dtype.newbyteorder('<')) instead`,
    );
  }
  const dtype = /^[<|]/.test(descr) ? DTYPES[descr.slice(1) as keyof typeof DTYPES] : undefined;
  if (!dtype || !Object.hasOwn(DTYPES, descr.slice(1))) {
    throw imageError(name, `has the unsupported dtype ${JSON.stringify(descr)}`, 'save plain numbers');
  }
  return dtype;
}

/** `3, 4` or `3,` or nothing, as inside Python's tuple; `3` alone would be a number, not a tuple. */
function parseShape(tuple: string, name: string): number[] {
  const inner = tuple.trim();
  if (inner === '') return [];
  const parts = inner.split(',').map((part) => part.trim());
  if (parts.length === 1) parts.push('not a tuple');
  else if (parts.at(-1) === '') parts.pop();
  const shape = parts.map((part) => (/^\d{1,16}L?$/.test(part) ? Number.parseInt(part, 10) : Number.NaN));
  if (!shape.every(Number.isSafeInteger)) {
    throw imageError(name, `has the impossible shape (${inner})`, SAVE_AGAIN);
  }
  return shape;
}

function dataLength(shape: readonly number[], itemBytes: number, name: string): number {
  const bytes = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, itemBytes);
  if (shape.length > 32 || !Number.isSafeInteger(bytes)) {
    throw imageError(name, `has the impossible shape ${shapeText(shape)}`, SAVE_AGAIN);
  }
  return bytes;
}

/** `(1000, 28, 28)`, as NumPy prints a shape. */
export function shapeText(shape: readonly number[]): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
}
