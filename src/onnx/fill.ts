/** Reads a range of a file and hashes it on the way. */
import type { Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/** Read and hashed at a time, a few milliseconds' worth: between two pieces the event loop goes on. */
const PIECE = 4 * 2 ** 20;

/** Reads and hashes, each piece while the next one is read; false if the file ends early. */
export async function fill(
  bytes: Uint8Array,
  handle: FileHandle,
  offset: number,
  hash: Hash,
): Promise<boolean> {
  let hashed = 0;
  for (let at = 0; at < bytes.length; ) {
    const reading = handle.read(bytes, at, Math.min(bytes.length - at, PIECE), offset + at);
    hash.update(bytes.subarray(hashed, at));
    hashed = at;
    const { bytesRead } = await reading;
    if (bytesRead === 0) return false;
    at += bytesRead;
  }
  hash.update(bytes.subarray(hashed));
  return true;
}
