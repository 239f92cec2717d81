/**
 * The process that reads Parquet columns ({@link ColumnReader} starts it). The library trusts what pages say of
 * themselves: a damaged one can make it write past an array until the process ends, which may be this one only.
 */
import { open } from 'node:fs/promises';
import { type Compressors, parquetRead } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { messageOf } from '../errors.js';
import { fileRange } from './byte-range.js';
import type { ColumnAnswer, ColumnRequest } from './parquet-columns.js';
import { bufferOf } from './parquet-file.js';

const MOST_PAGE_BYTES = 2 ** 30;

/** A damaged page may declare any size; nothing is allocated for one that cannot be. */
const bounded: Compressors = Object.fromEntries(
  Object.entries(compressors).map(([codec, unpack]) => [
    codec,
    (input: Uint8Array, length: number) => {
      if (!(length >= 0 && length <= MOST_PAGE_BYTES)) throw new RangeError(`a page of ${length} bytes`);
      return unpack(input, length);
    },
  ]),
);

async function read({ path, metadata, column, rowStart, rowEnd }: ColumnRequest): Promise<unknown[]> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    let values: unknown[] = [];
    await parquetRead({
      file: bufferOf(fileRange(handle, path, 0, size)),
      metadata,
      columns: [column],
      rowStart,
      rowEnd,
      utf8: false,
      compressors: bounded,
      onComplete: (rows) => {
        values = rows.map(([value]) => value as unknown);
      },
    });
    return values;
  } finally {
    await handle.close();
  }
}

// Ctrl-C is for the process that asked; this one ends with it.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());
process.on('message', async ({ id, request }: { id: number; request: ColumnRequest }) => {
  const answer: ColumnAnswer = await read(request).then(
    (values) => ({ id, values }),
    (thrown: unknown) => ({ id, problem: messageOf(thrown), structure: thrown instanceof TypeError }),
  );
  process.send?.(answer);
});
