/**
 * A checkpoint's bytes, read by ranges: files of many gigabytes are never in memory whole. Whoever opens one closes
 * it.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { fileProblem } from '../files/problems.js';
import { openRegular } from '../files/regular-file.js';
import { weightsError } from './weights-error.js';

/** Read and hashed at a time, a few milliseconds' worth: between two pieces the event loop goes on. */
const PIECE = 4 * 2 ** 20;

/** What a format's reader needs of a file. */
export interface ByteSource {
  /** As the user wrote it. */
  readonly path: string;
  readonly byteLength: number;
  /**
   * Exactly `length` bytes from `position`.
   * @throws CritmapError (ERR_WEIGHTS) when they are not there
   */
  read(position: number, length: number): Promise<Buffer>;
  /** Fills `target` with the bytes from `position`. */
  readInto(target: Uint8Array, position: number): Promise<void>;
}

export class ByteFile implements ByteSource {
  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    readonly byteLength: number,
  ) {}

  /** @throws CritmapError (ERR_WEIGHTS) when there is no such file, or it may not be read */
  static async open(path: string): Promise<ByteFile> {
    let handle: FileHandle | undefined;
    try {
      handle = await openRegular(path);
      return new ByteFile(path, handle, (await handle.stat()).size);
    } catch (thrown) {
      await handle?.close();
      const isFolder = (thrown as NodeJS.ErrnoException).code === 'EISDIR';
      if (isFolder) throw weightsError(path, 'is a folder', 'give the checkpoint file in it');
      throw weightsError(path, ...fileProblem(thrown), thrown);
    }
  }

  async read(position: number, length: number): Promise<Buffer> {
    this.#require(position, length);
    const bytes = Buffer.allocUnsafeSlow(length);
    await this.readInto(bytes, position);
    return bytes;
  }

  async readInto(target: Uint8Array, position: number): Promise<void> {
    this.#require(position, target.length);
    for (let filled = 0; filled < target.length; ) {
      const length = Math.min(PIECE, target.length - filled);
      const { bytesRead } = await this.handle
        .read(target, filled, length, position + filled)
        .catch((thrown: unknown) => Promise.reject(weightsError(this.path, ...fileProblem(thrown), thrown)));
      if (bytesRead === 0) throw cutOff(this.path);
      filled += bytesRead;
    }
  }

  /** SHA-256 of the whole file, in hex: for a published checkpoint, what its publisher gives. */
  async sha256(): Promise<string> {
    const hash = createHash('sha256');
    const pieces = [Buffer.allocUnsafeSlow(PIECE), Buffer.allocUnsafeSlow(PIECE)] as const;
    let hashed = new Uint8Array();
    for (let at = 0, turn = 0; at < this.byteLength; turn ^= 1) {
      const piece = pieces[turn as 0 | 1].subarray(0, Math.min(PIECE, this.byteLength - at));
      const reading = this.readInto(piece, at);
      hash.update(hashed);
      await reading;
      hashed = piece;
      at += piece.length;
    }
    return hash.update(hashed).digest('hex');
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  #require(position: number, length: number): void {
    const end = position + length;
    if (!(position >= 0 && length >= 0 && end <= this.byteLength)) throw cutOff(this.path);
  }
}

export function cutOff(path: string, where = 'ends too early: it is cut off or damaged') {
  return weightsError(path, where, 'download or copy it again');
}
