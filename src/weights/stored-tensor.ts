/**
 * A tensor as a checkpoint stores it: a strided view of a storage, which several tensors may share. Nothing is read
 * until its values are asked for, and then only the part of the storage that it spans.
 */
import { type ElementType, littleEndian, toFloat32 } from './element-types.js';

/** Elements of a tensor; 1 of a scalar. */
const elementCount = (shape: readonly number[]) => shape.reduce((count, size) => count * size, 1);

/** Bytes in a file that tensors are views of. */
export interface Storage {
  readonly byteLength: number;
  /** Fills `target` with the bytes from `position` of the storage. */
  readInto(target: Uint8Array, position: number): Promise<void>;
}

export interface StoredTensor {
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** In elements, one per dimension. */
  readonly strides: readonly number[];
  /** Where the first element lies in the storage, in elements. */
  readonly offset: number;
  readonly storage: Storage;
  /** What computes it, where it is stored as something else: `weight_norm`. */
  readonly made?: string;
}

/** PyTorch has no more. */
const MOST_DIMENSIONS = 64;
/** Elements converted at a time: memory besides the result stays small. */
const PIECE = 2 ** 18;

/**
 * A tensor whose numbers are possible, with a shape and strides of its own.
 * @returns the tensor, or what is wrong with it
 */
export function storedTensor(tensor: StoredTensor): StoredTensor | string {
  const { type, shape, strides, offset, storage } = tensor;
  const whole = (value: number) => Number.isSafeInteger(value) && value >= 0;
  if (shape.length > MOST_DIMENSIONS || strides.length !== shape.length) return 'has an impossible shape';
  if (![...shape, ...strides, offset].every(whole) || !whole(elementCount(shape))) {
    return 'has an impossible shape, stride or offset';
  }
  const end = elementCount(shape) === 0 ? 0 : offset + spanOf(tensor);
  if (!(end * type.bytes <= storage.byteLength)) {
    return `reaches to byte ${end * type.bytes} of a storage of ${storage.byteLength}`;
  }
  return { ...tensor, shape: [...shape], strides: [...strides] };
}

/** Strides of a dense tensor whose last dimension is innermost. */
export function denseStrides(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let d = shape.length - 2; d >= 0; d--) strides[d] = strides[d + 1]! * Math.max(1, shape[d + 1]!);
  return strides;
}

/** Whether two tensors are the same elements of the same storage. */
export function isSame(a: StoredTensor, b: StoredTensor): boolean {
  return (
    a.storage === b.storage &&
    a.offset === b.offset &&
    a.type === b.type &&
    a.shape.join() === b.shape.join() &&
    a.strides.join() === b.strides.join()
  );
}

/**
 * The tensor's values, row-major.
 * @throws RangeError for an element type that is not a readable floating-point one
 */
export async function readFloats(tensor: StoredTensor): Promise<Float32Array> {
  const { type, shape, offset, storage } = tensor;
  const count = elementCount(shape);
  if (count === 0) return new Float32Array();
  if (isDense(tensor)) return convert(storage, type, offset, count);
  return gather(await convert(storage, type, offset, spanOf(tensor)), tensor);
}

/** Elements from the first one to the last one, both included. */
function spanOf({ shape, strides }: StoredTensor): number {
  return 1 + shape.reduce((sum, size, d) => sum + (size - 1) * strides[d]!, 0);
}

function isDense({ shape, strides }: StoredTensor): boolean {
  const dense = denseStrides(shape);
  return shape.every((size, d) => size === 1 || strides[d] === dense[d]);
}

async function convert(
  storage: Storage,
  type: ElementType,
  offset: number,
  count: number,
): Promise<Float32Array> {
  const values = new Float32Array(count);
  if (type.name === 'float32' && littleEndian) {
    await storage.readInto(new Uint8Array(values.buffer), offset * 4);
    return values;
  }
  for (let from = 0; from < count; from += PIECE) {
    const length = Math.min(PIECE, count - from);
    const bytes = new Uint8Array(length * type.bytes);
    await storage.readInto(bytes, (offset + from) * type.bytes);
    toFloat32(bytes, type, values.subarray(from, from + length));
  }
  return values;
}

/** A strided view of `values`, which begin at its first element, as row-major values of its own. */
function gather(values: Float32Array, { shape, strides }: StoredTensor): Float32Array {
  const result = new Float32Array(elementCount(shape));
  const last = shape.length - 1;
  const [length, stride] = [shape[last]!, strides[last]!];
  const index = shape.map(() => 0);
  let base = 0;
  for (let at = 0; at < result.length; at += length) {
    for (let i = 0; i < length; i++) result[at + i] = values[base + i * stride]!;
    for (let d = last - 1; d >= 0; d--) {
      index[d]! += 1;
      base += strides[d]!;
      if (index[d]! < shape[d]!) break;
      base -= index[d]! * strides[d]!;
      index[d] = 0;
    }
  }
  return result;
}
