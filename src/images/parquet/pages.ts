/** Unpacks the pages of Parquet files within a bound: what is packed well may be a thousand times as large. */
import type { Compressors } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';

/**
 * For one reading: by codec, what unpacks a page.
 * @param most - bytes of all pages together; nothing is allocated for a page that declares more than is left of them
 * @throws RangeError, from what unpacks, when they are more
 */
export function boundedCompressors(most: number): Compressors {
  let left = most;
  const take = (length: number) => {
    if (!(length >= 0 && length <= left)) throw new RangeError(`pages of more than ${most} bytes`);
    left -= length;
  };
  return Object.fromEntries(
    Object.entries(compressors).map(([codec, unpack]) => [
      codec,
      (input: Uint8Array, length: number) => {
        take(length);
        return unpack(input, length);
      },
    ]),
  );
}
