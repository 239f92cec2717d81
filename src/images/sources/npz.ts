/**
 * Members of NumPy's .npz container (a zip file of .npy files). Stored members (numpy.savez) are read in
 * place; deflated ones (numpy.savez_compressed) are inflated once into memory, never to more than the
 * directory declares, and a declaration that deflate cannot reach is refused before anything is allocated.
 */
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type yauzl from 'yauzl';
import { CritmapError, messageOf } from '../../errors.js';
import { openZip } from '../../files/zip-file.js';
import { imageError } from '../input-error.js';
import { type ByteRange, fileRange, memoryRange } from './byte-range.js';

/** An open .npz; reads through a file handle that stays the caller's. */
export interface NpzArchive {
  /** The arrays in it, in the file's order, without `.npy`. */
  readonly keys: readonly string[];
  /**
   * The bytes of one array's .npy file; null when there is no such key.
   * @throws CritmapError ERR_IMAGES when the member is damaged, encrypted or too large
   */
  member(key: string): Promise<ByteRange | null>;
}

const STORED = 0;
const DEFLATED = 8;
const MAX_MEMBERS = 10_000;
const MAX_INFLATED_BYTES = 2 ** 32;
/** Deflate spends at least 2 bits on a match of 258 bytes: zlib's documented bound is 1032:1. */
const MAX_DEFLATE_RATIO = 1032;

/**
 * Reads the directory of a .npz file.
 * @param name - what errors call the file
 * @throws CritmapError ERR_IMAGES when it is not a zip file or not a sane one
 */
export async function openNpz(handle: FileHandle, name: string): Promise<NpzArchive> {
  const damaged = (thrown: unknown) =>
    thrown instanceof CritmapError
      ? thrown
      : imageError(
          name,
          `is not a readable .npz (${messageOf(thrown)})`,
          'save it again with numpy.savez',
          thrown,
        );
  try {
    const { size } = await handle.stat();
    const zip = await openZip(fileRange(handle, name, 0, size));
    if (zip.entryCount > MAX_MEMBERS) {
      throw imageError(name, `has ${zip.entryCount} members`, `keep at most ${MAX_MEMBERS}`);
    }
    const entries = new Map<string, yauzl.Entry>();
    for await (const entry of zip.eachEntry()) {
      const key = entry.fileName.replace(/\.npy$/, '');
      if (key === entry.fileName) continue;
      if (entries.has(key))
        throw imageError(name, `has two arrays "${key}"`, 'save it again with numpy.savez');
      entries.set(key, entry);
    }
    const member = async (key: string): Promise<ByteRange | null> => {
      const entry = entries.get(key);
      if (!entry) return null;
      return openMember(zip, entry, handle, size, name).catch((thrown) => Promise.reject(damaged(thrown)));
    };
    return { keys: [...entries.keys()], member };
  } catch (thrown) {
    throw damaged(thrown);
  }
}

async function openMember(
  zip: yauzl.ZipFile,
  entry: yauzl.Entry,
  handle: FileHandle,
  fileSize: number,
  archive: string,
): Promise<ByteRange> {
  const name = `${archive} (${entry.fileName})`;
  if (entry.isEncrypted()) throw imageError(name, 'is encrypted', 'save it without a password');
  if (entry.compressionMethod === STORED) {
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    if (fileDataStart + entry.uncompressedSize > fileSize) {
      throw imageError(name, 'is truncated', 'write or copy it again');
    }
    return fileRange(handle, name, fileDataStart, entry.uncompressedSize);
  }
  if (entry.compressionMethod !== DEFLATED) {
    throw imageError(name, `has compression method ${entry.compressionMethod}`, 'use numpy.savez');
  }
  return memoryRange(await inflate(zip, entry, name), name);
}

async function inflate(zip: yauzl.ZipFile, entry: yauzl.Entry, name: string): Promise<Buffer> {
  const { uncompressedSize, compressedSize } = entry;
  if (uncompressedSize > MAX_INFLATED_BYTES) {
    throw imageError(
      name,
      `is ${uncompressedSize} bytes when decompressed, more than fits in memory`,
      'save it with numpy.savez instead of numpy.savez_compressed: it is then read from disk',
    );
  }
  if (uncompressedSize > (compressedSize + 1) * MAX_DEFLATE_RATIO) {
    throw imageError(
      name,
      `declares ${uncompressedSize} bytes packed into ${compressedSize}, which is impossible`,
      'save it again with numpy.savez',
    );
  }
  const bytes = Buffer.allocUnsafe(uncompressedSize);
  let filled = 0;
  // yauzl ends the stream with an error as soon as it yields more than uncompressedSize, or less.
  for await (const chunk of await zip.openReadStreamPromise(entry)) {
    filled += (chunk as Buffer).copy(bytes, filled);
  }
  if (filled !== uncompressedSize || crc32(bytes) !== entry.crc32) {
    throw imageError(name, 'is damaged (its checksum does not match)', 'write or copy it again');
  }
  return bytes;
}
