/** A file as the Parquet library reads it: by ranges, none of which may lie outside. */
import type { AsyncBuffer } from 'hyparquet';
import type { ByteRange } from '../sources/byte-range.js';

export function bufferOf(range: ByteRange): AsyncBuffer {
  const { byteLength } = range;
  return {
    byteLength,
    async slice(start: number, end = byteLength): Promise<ArrayBuffer> {
      if (
        !(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= byteLength)
      ) {
        throw new RangeError(`bytes ${start} to ${end} are outside the file`);
      }
      const bytes = await range.read(start, end - start);
      // A small Buffer is a piece of a shared one.
      return Uint8Array.prototype.slice.call(bytes).buffer as ArrayBuffer;
    },
  };
}
