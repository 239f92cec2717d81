/**
 * ONNX tensors as typed arrays. Reading gives a view on the file's bytes where alignment allows and a copy
 * otherwise; nothing here changes a tensor, a replaced one is a new message.
 */
import { endianness } from 'node:os';
import { CritmapError } from '../errors.js';
import type { Tensor } from './onnx_pb.js';

/** TensorProto.DataType, the part that names a weight's type in messages. */
const typeNames: Record<number, string> = {
  0: 'undefined',
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  6: 'int32',
  7: 'int64',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  16: 'bfloat16',
};
export const FLOAT = 1;
const INT64 = 7;
const EXTERNAL = 1;

/** `float32`, `int8`, or `type 23` for one without a name here. */
export function typeName(dataType: number): string {
  return typeNames[dataType] ?? `type ${dataType}`;
}

/** Dimensions as numbers; a tensor of more than 2^53 elements is refused. */
export function dimensions(tensor: Tensor): number[] {
  const dims = tensor.dims.map(Number);
  if (dims.some((d) => !Number.isSafeInteger(d) || d < 0) || !Number.isSafeInteger(elementCount(dims))) {
    throw new CritmapError(
      'ERR_MODEL',
      `tensor ${tensor.name} has impossible dimensions [${dims.join(', ')}]`,
    );
  }
  return dims;
}

/** Bits of an element, by TensorProto.DataType; strings have no size of their own. */
const elementBits: Record<number, number> = {
  ...{ 1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128 },
  ...{ 16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2 },
};

/**
 * Bytes that a tensor's elements take, stored raw.
 * @throws CritmapError (ERR_MODEL) for types that are not stored so, and impossible dimensions
 */
export function byteLength(tensor: Tensor): number {
  const bits = elementBits[tensor.dataType];
  if (bits === undefined) {
    throw new CritmapError(
      'ERR_MODEL',
      `tensor ${tensor.name} is ${typeName(tensor.dataType)}, whose size critmap does not know`,
    );
  }
  return Math.ceil((elementCount(dimensions(tensor)) * bits) / 8);
}

export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, d) => product * d, 1);
}

/** Whether the tensor's bytes lie in another file. */
export function isExternal(tensor: Tensor): boolean {
  return tensor.dataLocation === EXTERNAL;
}

/**
 * The values of a float32 tensor in storage order.
 * @throws CritmapError (ERR_MODEL) when the type is not float32 or the data does not fit the dimensions.
 */
export function floats(tensor: Tensor): Float32Array {
  if (tensor.dataType !== FLOAT) {
    throw new CritmapError('ERR_MODEL', `tensor ${tensor.name} is ${typeName(tensor.dataType)}, not float32`);
  }
  const count = elementCount(dimensions(tensor));
  const raw = tensor.rawData;
  const values = raw.byteLength > 0 ? floatsOfBytes(raw) : Float32Array.from(tensor.floatData);
  if (values.length !== count || raw.byteLength % 4 !== 0) {
    const bytes = raw.byteLength > 0 ? raw.byteLength : 4 * tensor.floatData.length;
    throw new CritmapError(
      'ERR_MODEL',
      `tensor ${tensor.name} should hold ${count} floats (${4 * count} bytes) but holds ${bytes} bytes: the file is damaged`,
    );
  }
  return values;
}

/** The values of an int64 tensor, a shape or axes; undefined for any other type. */
export function integers(tensor: Tensor): number[] | undefined {
  if (tensor.dataType !== INT64) return undefined;
  if (tensor.rawData.byteLength === 0) return tensor.int64Data.map(Number);
  const view = new DataView(tensor.rawData.buffer, tensor.rawData.byteOffset, tensor.rawData.byteLength);
  return Array.from({ length: view.byteLength >> 3 }, (_, i) => Number(view.getBigInt64(8 * i, true)));
}

/** The tensor with other values; name, dimensions and everything critmap does not know stay. */
export function withFloats(tensor: Tensor, values: Float32Array): Tensor {
  const expected = elementCount(dimensions(tensor));
  if (values.length !== expected) {
    throw new RangeError(`tensor ${tensor.name} takes ${expected} values, got ${values.length}`);
  }
  return withBytes(changed(tensor, { dataType: FLOAT }), bytesOfFloats(values));
}

/** The tensor with `bytes` as its little-endian content, wherever that was before. */
export function withBytes(tensor: Tensor, bytes: Uint8Array): Tensor {
  return changed(tensor, {
    rawData: bytes,
    floatData: [],
    doubleData: [],
    int32Data: [],
    int64Data: [],
    externalData: [],
    dataLocation: 0,
  });
}

/** A copy with other fields. A spread would lose the defaults of fields that are not set, which a message inherits. */
export function changed(tensor: Tensor, fields: Partial<Tensor>): Tensor {
  return Object.assign(Object.create(Object.getPrototypeOf(tensor)), tensor, fields);
}

const littleEndian = endianness() === 'LE';

function floatsOfBytes(bytes: Uint8Array): Float32Array {
  const whole = bytes.byteLength - (bytes.byteLength % 4);
  if (littleEndian && bytes.byteOffset % 4 === 0) {
    return new Float32Array(bytes.buffer, bytes.byteOffset, whole / 4);
  }
  const copy = new Uint8Array(bytes.subarray(0, whole));
  if (!littleEndian) Buffer.from(copy.buffer).swap32();
  return new Float32Array(copy.buffer);
}

function bytesOfFloats(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return littleEndian ? bytes : new Uint8Array(Buffer.from(bytes).swap32());
}

/** Matrices that one file stores as [out, in] and another as [in, out]. */
/** The transpose of a row-major matrix of `rows` x `columns`, row-major. */
export function transpose(values: Float32Array, [rows = 1, columns = 1]: readonly number[]): Float32Array {
  const result = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = values[i * columns + j]!;
  }
  return result;
}
