/**
 * One file of the pixel cache: records of one size, then for each its key (SHA-256, 32 bytes) and the CRC-32 of its
 * bytes, then a footer. It is written under a temporary name and gets its own when it is complete: who finds a
 * segment finds a whole one, and a writer that is killed leaves nothing that anyone reads.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { openRegular } from '../../files/regular-file.js';

export const SEGMENT_ENDING = '.segment';
export const TEMPORARY_ENDING = '.tmp';

/** How often a writer says that it is still there, by its file's time of modification. */
export const TOUCH_MS = 600_000;

/** Whether a file in a transform's folder has a name of this cache's. */
export const isSegment = (name: string): boolean => /^[0-9a-z]+-[0-9a-f]{12}\.(?:segment|tmp)$/.test(name);

const MAGIC = 'CRITPIX1';
const KEY_BYTES = 32;
const ENTRY_BYTES = KEY_BYTES + 4;
/** Magic, count (uint32), record bytes (uint32), CRC-32 of the index (uint32), unused (4 bytes). */
const FOOTER_BYTES = 24;

/** Where a record lies, and what its bytes must sum to. */
export interface Entry {
  key: string;
  slot: number;
  crc: number;
}

/** A key as a Map wants it: one character a byte. */
export const keyText = (digest: Buffer): string => digest.toString('latin1');

/** The bytes that a segment of so many records takes. */
export const segmentBytes = (records: number, recordBytes: number): number =>
  records * (recordBytes + ENTRY_BYTES) + FOOTER_BYTES;

/**
 * What is in a segment.
 * @returns null when it is not a whole segment of such records
 * @throws the file system's error
 */
export async function readIndex(path: string, recordBytes: number): Promise<Entry[] | null> {
  const handle = await openRegular(path);
  try {
    const { size } = await handle.stat();
    if (size < FOOTER_BYTES) return null;
    const footer = await readAt(handle, size - FOOTER_BYTES, FOOTER_BYTES);
    const count = footer.readUInt32LE(8);
    if (footer.toString('latin1', 0, 8) !== MAGIC || footer.readUInt32LE(12) !== recordBytes) return null;
    if (size !== segmentBytes(count, recordBytes)) return null;
    const index = await readAt(handle, count * recordBytes, count * ENTRY_BYTES);
    if (crc32(index) !== footer.readUInt32LE(16)) return null;
    return Array.from({ length: count }, (_, slot) => {
      const at = slot * ENTRY_BYTES;
      return {
        key: keyText(index.subarray(at, at + KEY_BYTES)),
        slot,
        crc: index.readUInt32LE(at + KEY_BYTES),
      };
    });
  } finally {
    await handle.close();
  }
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await handle.read(bytes, 0, length, position);
  return bytes.subarray(0, bytesRead);
}

/** A segment being written, by this process alone. Owns the file until `seal` or `discard`. */
export class SegmentWriter {
  readonly #index: Buffer[] = [];
  readonly #touching: NodeJS.Timeout;
  #written = 0;

  private constructor(
    readonly handle: FileHandle,
    private readonly temporary: string,
    readonly path: string,
    private readonly recordBytes: number,
  ) {
    this.#touching = setInterval(() => {
      const now = new Date();
      handle.utimes(now, now).catch(() => {});
    }, TOUCH_MS);
    this.#touching.unref();
  }

  /** @throws the file system's error */
  static async create(directory: string, recordBytes: number): Promise<SegmentWriter> {
    const path = join(directory, `${Date.now().toString(36)}-${randomBytes(6).toString('hex')}`);
    const temporary = `${path}${TEMPORARY_ENDING}`;
    return new SegmentWriter(await open(temporary, 'wx+'), temporary, path + SEGMENT_ENDING, recordBytes);
  }

  get count(): number {
    return this.#written;
  }

  /** Not to be called again before it has settled. @throws the file system's error; then only `discard` is left */
  async append(digest: Buffer, record: Uint8Array): Promise<Entry> {
    const slot = this.#written;
    const crc = crc32(record);
    await this.#write(record, slot * this.recordBytes);
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(crc);
    this.#index.push(digest, sum);
    this.#written++;
    return { key: keyText(digest), slot, crc };
  }

  /** Makes it a segment that others find. @throws the file system's error; then only `discard` is left */
  async seal(): Promise<void> {
    const index = Buffer.concat(this.#index);
    const footer = Buffer.alloc(FOOTER_BYTES);
    footer.write(MAGIC, 'latin1');
    footer.writeUInt32LE(this.#written, 8);
    footer.writeUInt32LE(this.recordBytes, 12);
    footer.writeUInt32LE(crc32(index), 16);
    await this.#write(Buffer.concat([index, footer]), this.#written * this.recordBytes);
    await rename(this.temporary, this.path);
    clearInterval(this.#touching);
  }

  async discard(): Promise<void> {
    clearInterval(this.#touching);
    await this.handle.close().catch(() => {});
    await rm(this.temporary, { force: true }).catch(() => {});
  }

  /** A nearly full disk takes a part of a write before it refuses the rest. */
  async #write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }
}
