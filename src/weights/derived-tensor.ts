/** Tensors that are computed from stored ones, and read as if they were stored themselves. */
import { elementTypes, littleEndian } from './element-types.js';
import { denseStrides, type StoredTensor } from './stored-tensor.js';

const float32 = elementTypes.get('float32')!;

/**
 * @param made by what, in a word
 * @param compute the values, row-major, as many as the shape has; called when they are first read
 */
export function derivedTensor(
  made: string,
  shape: readonly number[],
  compute: () => Promise<Float32Array>,
): StoredTensor {
  let bytes: Promise<Uint8Array> | undefined;
  const byteLength = 4 * shape.reduce((product, size) => product * size, 1);
  return {
    type: float32,
    shape,
    strides: denseStrides(shape),
    offset: 0,
    made,
    storage: {
      byteLength,
      async readInto(target, position) {
        bytes ??= compute().then(stored);
        target.set((await bytes).subarray(position, position + target.length));
        // Read once and to its end, as values are: they need not be kept.
        if (position + target.length === byteLength) bytes = undefined;
      },
    },
  };
}

/** As a file has them. */
function stored(values: Float32Array): Uint8Array {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return littleEndian ? bytes : Buffer.from(bytes).swap32();
}
