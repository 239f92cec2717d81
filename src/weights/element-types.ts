/**
 * Element types of stored tensors, and the floating-point ones as float32. Bytes are little-endian in every format
 * that is read. float16, bfloat16 and float32 keep their value; float64 is rounded to the nearest.
 */
import { endianness } from 'node:os';
import { fromBfloat16, fromFloat16 } from '../files/half-floats.js';

export interface ElementType {
  /** PyTorch's name, `float32`. */
  readonly name: string;
  readonly bytes: number;
  /** Whether {@link toFloat32} takes it. */
  readonly readable: boolean;
  /** A number with a fraction: what weights are made of. Others are counters, indices and masks. */
  readonly floating: boolean;
}

const type = (name: string, bytes: number, floating = false, readable = false): ElementType => ({
  name,
  bytes,
  floating,
  readable,
});

const all = [
  type('float32', 4, true, true),
  type('float16', 2, true, true),
  type('bfloat16', 2, true, true),
  type('float64', 8, true, true),
  ...['float8_e4m3fn', 'float8_e5m2', 'float8_e4m3fnuz', 'float8_e5m2fnuz', 'float8_e8m0fnu'].map((name) =>
    type(name, 1, true),
  ),
  type('complex32', 4, true),
  type('complex64', 8, true),
  type('complex128', 16, true),
  type('int64', 8),
  type('int32', 4),
  type('int16', 2),
  type('int8', 1),
  type('uint8', 1),
  type('uint16', 2),
  type('uint32', 4),
  type('uint64', 8),
  type('bool', 1),
  type('qint8', 1),
  type('quint8', 1),
  type('qint32', 4),
];

/** By PyTorch's name. */
export const elementTypes: ReadonlyMap<string, ElementType> = new Map(all.map((one) => [one.name, one]));

export const littleEndian = endianness() === 'LE';

/**
 * Converts whole elements to float32.
 * @param bytes little-endian; on a big-endian machine its order is changed in place
 * @param target as many elements as `bytes` has
 */
export function toFloat32(bytes: Uint8Array, { name }: ElementType, target: Float32Array): void {
  switch (name) {
    case 'float32':
      target.set(new Float32Array(aligned(bytes, 4)));
      return;
    case 'float64':
      target.set(new Float64Array(aligned(bytes, 8)));
      return;
    case 'float16':
      fromFloat16(new Uint16Array(aligned(bytes, 2)), target);
      return;
    case 'bfloat16':
      fromBfloat16(new Uint16Array(aligned(bytes, 2)), target);
      return;
    default:
      throw new RangeError(`${name} is not converted to float32`);
  }
}

/** The bytes in this machine's order and in memory of their own, if they are not already. */
function aligned(bytes: Uint8Array, size: 2 | 4 | 8): ArrayBuffer {
  const own =
    bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
  if (!littleEndian) {
    const swapped = Buffer.from(own.buffer as ArrayBuffer, own.byteOffset, own.byteLength);
    if (size === 2) swapped.swap16();
    else if (size === 4) swapped.swap32();
    else swapped.swap64();
  }
  return own.buffer as ArrayBuffer;
}
