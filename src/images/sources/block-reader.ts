/**
 * Reads fixed-size records. Small ones come in blocks that neighbours share, since a read per 784-byte
 * image costs far more than its bytes; large ones are read one by one.
 */
import type { ByteRange } from './byte-range.js';

const BLOCK_BYTES = 256 * 1024;
/** Records above this are read alone: of a sparse sample, a block would be mostly thrown away. */
const SMALL_RECORD_BYTES = 32 * 1024;
/** Reads ascend and few are in flight at once, so a handful of blocks serves them all. */
const BLOCKS_KEPT = 4;

/**
 * @param start - position of record 0 in `range`
 * @param recordBytes - size of each record
 * @param total - number of records
 * @returns a function from a record's index to its bytes, which may be a view that others share
 */
export function blockReader(
  range: ByteRange,
  start: number,
  recordBytes: number,
  total: number,
): (index: number) => Promise<Uint8Array> {
  const perBlock = recordBytes > SMALL_RECORD_BYTES ? 1 : Math.floor(BLOCK_BYTES / recordBytes);
  const blocks = new Map<number, Promise<Buffer>>();
  const readBlock = (block: number): Promise<Buffer> => {
    const first = block * perBlock;
    const records = Math.min(perBlock, total - first);
    return range.read(start + first * recordBytes, records * recordBytes);
  };
  return async (index) => {
    const block = Math.floor(index / perBlock);
    if (perBlock === 1) return readBlock(block);
    let bytes = blocks.get(block);
    if (!bytes) {
      bytes = readBlock(block);
      blocks.set(block, bytes);
      // A failed read is not kept: the next one may succeed, and someone awaits this one already.
      bytes.catch(() => blocks.delete(block));
      if (blocks.size > BLOCKS_KEPT) blocks.delete(blocks.keys().next().value!);
    }
    const offset = (index - block * perBlock) * recordBytes;
    return (await bytes).subarray(offset, offset + recordBytes);
  };
}
