/**
 * The directory of a zip archive, read with yauzl. What it reads with is ours: yauzl takes positions as the file
 * gives them, and an impossible one would throw where nobody catches it and end the process. Small reads, which a
 * directory needs two of per entry, come from blocks.
 */
import { Readable } from 'node:stream';
import yauzl from 'yauzl';

/** Bytes with random access. */
export interface ZipSource {
  readonly byteLength: number;
  /** Exactly `length` bytes. */
  read(position: number, length: number): Promise<Buffer>;
}

const BLOCK_BYTES = 64 * 1024;

/** @throws Error when it is not a zip file, or its end is damaged */
export function openZip(source: ZipSource): Promise<yauzl.ZipFile> {
  const options = { lazyEntries: true, autoClose: false };
  return yauzl.fromRandomAccessReaderPromise(new SourceReader(source), source.byteLength, options);
}

class SourceReader extends yauzl.RandomAccessReader {
  #block: { start: number; bytes: Buffer } = { start: 0, bytes: Buffer.alloc(0) };

  constructor(private readonly source: ZipSource) {
    super();
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    const done = (error: Error | null, bytesRead?: number) => {
      try {
        callback(error, bytesRead);
      } catch (thrown) {
        // What yauzl throws at what it was given; the archive hands it to whoever waits for entries.
        this.emit('error', thrown);
      }
    };
    this.#bytes(position, length).then((bytes) => {
      bytes.copy(buffer, offset);
      done(null, bytes.length);
    }, done);
  }

  override _readStreamForRange(start: number, end: number): Readable {
    const { source } = this;
    async function* pieces() {
      for (let at = start; at < end; at += BLOCK_BYTES) {
        yield await source.read(at, Math.min(BLOCK_BYTES, end - at));
      }
    }
    return Readable.from(pieces(), { objectMode: false });
  }

  async #bytes(position: number, length: number): Promise<Buffer> {
    const { byteLength } = this.source;
    if (!(position >= 0 && position + length <= byteLength)) {
      throw new RangeError(`it refers to byte ${position + length} of ${byteLength}`);
    }
    if (length > BLOCK_BYTES) return this.source.read(position, length);
    const { start, bytes } = this.#block;
    if (position < start || position + length > start + bytes.length) {
      const block = await this.source.read(position, Math.min(BLOCK_BYTES, byteLength - position));
      this.#block = { start: position, bytes: block };
    }
    const from = position - this.#block.start;
    return this.#block.bytes.subarray(from, from + length);
  }
}
