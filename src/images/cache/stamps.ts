/**
 * Remembers the SHA-256 of stored images by their stamp: device, inode, size, modification and change time, as git's
 * index does. A second sweep then knows what is in 50,000 files without reading them. A file that changed within the
 * last seconds is not remembered: the clock could not tell its next change from this one.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { makeDirectory } from '../../files/make-directory.js';
import { readRegular } from '../../files/regular-file.js';

const KEY_BYTES = 16;
const DIGEST_BYTES = 32;
const ENTRY_BYTES = KEY_BYTES + DIGEST_BYTES;
const MAGIC = 'CRITSTM1';
/** Magic, and the CRC-32 of the entries. */
const HEAD_BYTES = 12;
const MOST_ENTRIES = 2_000_000;
/** The coarsest clock of a file system in use, FAT's, ticks every two seconds. */
const SETTLED_MS = 3000;

/** Whether a file in the folder of stamps has a name of this cache's. */
export const isStamps = (name: string): boolean => /^[0-9a-f]{32}(?:-[0-9a-f]{12}\.tmp)?$/.test(name);

/** What a file is as long as nobody has written to it; null while it is too young to tell. */
export async function fileStamp(path: string): Promise<string | null> {
  return stampOf(await stat(path, { bigint: true }));
}

/** The same of a file that is open, whatever its path has come to name. */
export function stampOf({ dev, ino, size, mtimeNs, ctimeNs, ctimeMs, mtimeMs }: BigIntStats): string | null {
  const youngest = Number(ctimeMs > mtimeMs ? ctimeMs : mtimeMs);
  return Date.now() - youngest < SETTLED_MS ? null : `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}

export class StampCache {
  readonly #digests = new Map<string, Buffer>();
  #changed = false;

  private constructor(
    private readonly folder: string,
    private readonly path: string,
  ) {}

  /** @param source - the images, as the user wrote it: each has a file of its own */
  static async open(root: string, source: string): Promise<StampCache> {
    const name = createHash('sha256').update(resolve(source)).digest('hex').slice(0, 32);
    const folder = join(root, 'stamps');
    const cache = new StampCache(folder, join(folder, name));
    const bytes = await readRegular(cache.path).catch(() => Buffer.alloc(0));
    const entries = bytes.subarray(HEAD_BYTES);
    const whole = bytes.length >= HEAD_BYTES && entries.length % ENTRY_BYTES === 0;
    if (whole && bytes.toString('latin1', 0, 8) === MAGIC && crc32(entries) === bytes.readUInt32LE(8)) {
      for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
        const key = entries.toString('latin1', at, at + KEY_BYTES);
        cache.#digests.set(key, Buffer.from(entries.subarray(at + KEY_BYTES, at + ENTRY_BYTES)));
      }
    }
    return cache;
  }

  get(stamp: string): Buffer | null {
    return this.#digests.get(keyOf(stamp)) ?? null;
  }

  set(stamp: string, digest: Buffer): void {
    this.#digests.set(keyOf(stamp), digest);
    this.#changed = true;
  }

  /** Replaces the file. Of two processes that do so at once one wins, and the other's images are hashed again. */
  async save(): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    const entries = [...this.#digests].slice(-MOST_ENTRIES);
    const body = Buffer.concat(entries.flatMap(([key, digest]) => [Buffer.from(key, 'latin1'), digest]));
    const head = Buffer.alloc(HEAD_BYTES);
    head.write(MAGIC, 'latin1');
    head.writeUInt32LE(crc32(body), 8);
    const temporary = `${this.path}-${randomBytes(6).toString('hex')}.tmp`;
    try {
      await makeDirectory(this.folder);
      await writeFile(temporary, Buffer.concat([head, body]), { flag: 'wx' });
      await rename(temporary, this.path);
    } catch {
      // Only time is lost, and a full disk is reported by the pixels' cache.
      await rm(temporary, { force: true }).catch(() => {});
    }
  }
}

function keyOf(stamp: string): string {
  return createHash('sha256').update(stamp).digest().toString('latin1', 0, KEY_BYTES);
}
