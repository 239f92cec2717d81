/**
 * Bytes that are read piece by piece: a file, a stored member of a zip file, or memory. A range never
 * owns the file handle it reads from; who opened the handle closes it.
 */
import type { FileHandle } from 'node:fs/promises';
import { fileError, imageError } from '../input-error.js';

/** A run of `byteLength` bytes with random access. */
export interface ByteRange {
  /** What errors call it. */
  readonly name: string;
  readonly byteLength: number;
  /**
   * Exactly `length` bytes from `position` of the range. Not to be written to: it may be a view.
   * @throws CritmapError ERR_IMAGES when they are not there or cannot be read
   */
  read(position: number, length: number): Promise<Buffer>;
}

/** `byteLength` bytes of an open file from `start`. */
export function fileRange(handle: FileHandle, name: string, start: number, byteLength: number): ByteRange {
  const read = async (position: number, length: number): Promise<Buffer> => {
    const bytes = allocate(length, name);
    for (let filled = 0; filled < length; ) {
      const { bytesRead } = await handle
        .read(bytes, filled, length - filled, start + position + filled)
        .catch((thrown: unknown) => Promise.reject(fileError(name, thrown)));
      if (bytesRead === 0) {
        throw imageError(name, `ends ${length - filled} bytes too early`, 'write or copy it again');
      }
      filled += bytesRead;
    }
    return bytes;
  };
  return { name, byteLength, read };
}

function allocate(length: number, name: string): Buffer {
  try {
    return Buffer.allocUnsafe(length);
  } catch (thrown) {
    throw fileError(name, thrown);
  }
}

/** Bytes in memory; reads are views. */
export function memoryRange(bytes: Buffer, name: string): ByteRange {
  const read = async (position: number, length: number): Promise<Buffer> => {
    if (position + length > bytes.length) {
      throw imageError(name, `ends ${position + length - bytes.length} bytes too early`, 'write it again');
    }
    return bytes.subarray(position, position + length);
  };
  return { name, byteLength: bytes.length, read };
}
