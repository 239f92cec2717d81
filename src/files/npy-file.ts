/** Arrays as NumPy stores them: version 1.0 of the format, float32, little-endian, row by row. */
const MAGIC = '\x93NUMPY\x01\x00';
/** The header ends where this divides. */
const ALIGNMENT = 64;

/** @param values - as many as the shape has; @returns the whole file */
export function npyBytes(values: Float32Array, shape: readonly number[]): Buffer {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const words = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes}), }`;
  const before = MAGIC.length + 2;
  const padding = ALIGNMENT - ((before + words.length + 1) % ALIGNMENT);
  const header = `${words}${' '.repeat(padding % ALIGNMENT)}\n`;
  const bytes = Buffer.alloc(before + header.length + values.byteLength);
  bytes.write(MAGIC, 'latin1');
  bytes.writeUInt16LE(header.length, MAGIC.length);
  bytes.write(header, before, 'latin1');
  const start = before + header.length;
  for (const [i, value] of values.entries()) bytes.writeFloatLE(value, start + 4 * i);
  return bytes;
}
