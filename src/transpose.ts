/** Matrices that one file stores as [out, in] and another as [in, out]. */

/** The transpose of a row-major matrix of `rows` x `columns`, row-major. */
export function transpose(values: Float32Array, [rows = 1, columns = 1]: readonly number[]): Float32Array {
  const result = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = values[i * columns + j]!;
  }
  return result;
}
