/**
 * Decoded images on disk: uint8 crops of one size under the SHA-256 of the file they were decoded from, in a folder
 * of its own for every transform. Any number of processes may use one cache at once: each writes segments of its own,
 * and a segment that another has evicted is a miss. Every record is checked by CRC-32 when it is read, so a damaged
 * one is a miss too. A failure to write is a warning and the end of writing, never the end of a sweep.
 */
import { type FileHandle, readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { makeDirectory } from '../../files/make-directory.js';
import { writeReason } from '../../files/problems.js';
import { openRegular } from '../../files/regular-file.js';
import { bytesText } from './location.js';
import { dropOldest, makeRoom } from './room.js';
import { keyText, readIndex, SEGMENT_ENDING, SegmentWriter, segmentBytes } from './segment.js';

/** What is lost when a writer is killed, and what is evicted at once. */
const SEGMENT_BYTES = 64 * 2 ** 20;
/** Each is listed when the cache is opened; of the largest caches the segments are larger instead. */
const MOST_SEGMENTS = 256;
/** Files open at once for reading, of a limit that is often 1024. */
const MOST_OPEN = 64;

export interface PixelCacheOptions {
  /** The cache's root; other transforms and caches of stamps lie beside this one's folder. */
  root: string;
  /** Names the transform: what it does not say must not change the pixels. */
  transform: string;
  /** Bytes of one crop. */
  recordBytes: number;
  /** What all files under the root may hold together. */
  limitBytes: number;
  onWarning: (message: string) => void;
}

/** A segment that can be read: sealed, or still being written by this cache. */
interface Readable {
  path: string;
  /** Null while the file is not open. */
  handle: Promise<FileHandle | null> | null;
  /** Reads in flight. */
  readers: number;
}

interface Place {
  segment: Readable;
  slot: number;
  crc: number;
}

export class PixelCache {
  readonly #places = new Map<string, Place>();
  readonly #used = new Set<string>();
  /** Segments that are open to be read, in the order of use; not the one that is being written. */
  readonly #open = new Set<Readable>();
  #writing: { writer: SegmentWriter; segment: Readable } | null = null;
  #writable = true;
  /** Appends happen one after the other. */
  #queue: Promise<void> = Promise.resolve();

  private constructor(
    private readonly folder: string,
    private readonly options: PixelCacheOptions,
  ) {}

  /** @throws the file system's error when the folder cannot be made or listed */
  static async open(options: PixelCacheOptions): Promise<PixelCache> {
    const folder = join(options.root, 'pixels', options.transform);
    await makeDirectory(folder);
    await dropOldest(folder, MOST_SEGMENTS);
    const cache = new PixelCache(folder, options);
    for (const name of await readdir(folder)) {
      if (!name.endsWith(SEGMENT_ENDING)) continue;
      const path = join(folder, name);
      // Evicted a moment ago, or damaged: nothing is found in it.
      const entries = await readIndex(path, options.recordBytes).catch(() => null);
      const segment = { path, handle: null, readers: 0 };
      for (const { key, slot, crc } of entries ?? []) cache.#places.set(key, { segment, slot, crc });
    }
    return cache;
  }

  /** Whether it is there; then it is in use, and this cache does not make room of it. */
  has(digest: Buffer): boolean {
    const place = this.#places.get(keyText(digest));
    if (place) this.#used.add(place.segment.path);
    return place !== undefined;
  }

  /**
   * Reads a crop into `out`.
   * @param out - as many bytes as a crop has; undefined after a miss
   * @returns false when it is not there, any more or undamaged
   */
  async read(digest: Buffer, out: Uint8Array): Promise<boolean> {
    const key = keyText(digest);
    const place = this.#places.get(key);
    if (!place) return false;
    const { recordBytes } = this.options;
    const { segment, slot } = place;
    segment.readers++;
    const handle = await this.#handleOf(segment);
    const read = await handle?.read(out, 0, recordBytes, slot * recordBytes).catch(() => null);
    segment.readers--;
    if (read?.bytesRead === recordBytes && crc32(out) === place.crc) return true;
    this.#places.delete(key);
    return false;
  }

  /** Keeps a crop, if there is room. Never fails: what cannot be kept is warned of once. */
  async write(digest: Buffer, pixels: Uint8Array): Promise<void> {
    this.#queue = this.#queue.then(() => this.#append(digest, pixels));
    return this.#queue;
  }

  /** Makes all that was written readable for others, and releases the files. */
  async close(): Promise<void> {
    await this.flush();
    this.#writable = false;
    for (const segment of this.#open) await release(segment);
    this.#open.clear();
    this.#places.clear();
  }

  /** Makes all that was written so far readable for others. */
  flush(): Promise<void> {
    this.#queue = this.#queue.then(() => this.#seal());
    return this.#queue;
  }

  async #append(digest: Buffer, pixels: Uint8Array): Promise<void> {
    if (!this.#writable || this.has(digest)) return;
    try {
      const writing = this.#writing ?? (await this.#start());
      if (!writing) return;
      const { key, slot, crc } = await writing.writer.append(digest, pixels);
      this.#places.set(key, { segment: writing.segment, slot, crc });
      if (writing.writer.count >= this.#capacity) await this.#seal();
    } catch (error) {
      await this.#giveUp(error);
    }
  }

  get #capacity(): number {
    const { limitBytes, recordBytes } = this.options;
    const bytes = Math.min(Math.max(SEGMENT_BYTES, limitBytes / MOST_SEGMENTS), limitBytes / 4);
    return Math.max(1, Math.floor(bytes / recordBytes));
  }

  async #start(): Promise<{ writer: SegmentWriter; segment: Readable } | null> {
    const { root, limitBytes, recordBytes, onWarning } = this.options;
    const wanted = segmentBytes(this.#capacity, recordBytes);
    if (!(await makeRoom(root, wanted, limitBytes, this.#used))) {
      this.#writable = false;
      onWarning(
        `the image cache ${root} has no room for the rest of these images (${bytesText(limitBytes)}, or the disk is nearly full); they are decoded every time`,
      );
      return null;
    }
    const writer = await SegmentWriter.create(this.folder, recordBytes);
    const segment = { path: writer.path, handle: Promise.resolve(writer.handle), readers: 0 };
    this.#writing = { writer, segment };
    return this.#writing;
  }

  async #seal(): Promise<void> {
    const writing = this.#writing;
    if (!writing) return;
    try {
      await writing.writer.seal();
      this.#used.add(writing.segment.path);
      this.#writing = null;
      this.#opened(writing.segment);
    } catch (error) {
      await this.#giveUp(error);
    }
  }

  /** The images of the segment that was being written are decoded again when they are wanted. */
  async #giveUp(error: unknown): Promise<void> {
    const { root, onWarning } = this.options;
    this.#writable = false;
    onWarning(
      `the image cache ${root} cannot be written (${writeReason(error)}); critmap goes on without it, and images that are not in it are decoded every time`,
    );
    const writing = this.#writing;
    if (!writing) return;
    this.#writing = null;
    for (const [key, { segment }] of this.#places) {
      if (segment === writing.segment) this.#places.delete(key);
    }
    await writing.writer.discard();
  }

  async #handleOf(segment: Readable): Promise<FileHandle | null> {
    if (segment === this.#writing?.segment) return segment.handle;
    const opening = segment.handle === null;
    segment.handle ??= openRegular(segment.path).catch(() => null);
    this.#opened(segment);
    if (opening) {
      this.#used.add(segment.path);
      // The time of use decides what is evicted; without it the cache still works.
      const now = new Date();
      await utimes(segment.path, now, now).catch(() => {});
    }
    return segment.handle;
  }

  /** Makes it the last used one, and closes those that were used longest ago. */
  #opened(segment: Readable): void {
    this.#open.delete(segment);
    this.#open.add(segment);
    for (const oldest of this.#open) {
      if (this.#open.size <= MOST_OPEN) return;
      if (oldest.readers > 0 || oldest === segment) continue;
      this.#open.delete(oldest);
      void release(oldest);
    }
  }
}

async function release(segment: Readable): Promise<void> {
  const { handle } = segment;
  segment.handle = null;
  await (await handle)?.close().catch(() => {});
}
