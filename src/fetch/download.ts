/**
 * A file from the network, whole or not at all: it comes in under a name of its own, a connection that is cut is taken
 * up where it ended, its bytes are held against its digest, and then it gets its place.
 */
import { createHash, type Hash } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CritmapError } from '../errors.js';
import { writeReason } from '../files/problems.js';
import { fetchError, Unreachable } from './fetch-error.js';
import { type Ask, backoff, discard, pause, reasonOf, request } from './http.js';
import type { FetchOptions } from './options.js';
import { PartialFile } from './partial.js';

/** What its bytes must come to: SHA-256, or git's name of a file (SHA-1 behind its length). */
export type Digest = { kind: 'sha256' | 'git'; hex: string };

export interface Source extends Pick<Ask, 'what' | 'headers' | 'token'> {
  url: URL;
  /** Bytes, where they are known before. */
  size?: number | undefined;
  digest?: Digest | undefined;
  /** What a status that is no success means here, as an error. */
  refusal: (response: Response) => CritmapError;
}

export interface Downloaded extends Version {
  /** Bytes. */
  size: number;
  sha256: string;
}

interface Version {
  /** What the server tells this version from others by; empty when it does not say. */
  etag: string;
  lastModified: string;
}

/** After so many failures in a row without one more byte, or so many in all. */
const TRIES = 5;
const MOST_TRIES = 100;
/** Bytes of a file whose length nobody says; and after how many the disk is looked at. */
const MOST_UNSAID = 2 ** 36;
const LOOK_EVERY = 2 ** 26;
/** Bytes that such a file leaves free on the disk. */
const LEFT_FREE = 2 ** 29;
/** Seconds without a byte are a connection that is cut. */
const STALL_S = 60;

/**
 * @param target where it goes; its folder is there
 * @returns 'unchanged' when the server says that what a header (If-None-Match) names is the newest
 * @throws CritmapError (ERR_FETCH); the signal's reason. What came in stays for the next try, unless it is wrong
 */
export async function download(
  target: string,
  source: Source,
  options: FetchOptions,
): Promise<Downloaded | 'unchanged'> {
  const { digest } = source;
  const folder = dirname(target);
  // Others cannot be told from one another once the process is gone.
  const isWanted = digest ? (key: string) => key === digest.hex : (key: string) => key !== '' && isKey(key);
  const partial = await PartialFile.claim(folder, digest?.hex ?? '', isWanted).catch((error: unknown) => {
    throw cannotKeep(source.what, folder, error);
  });
  const transfer = new Transfer(source, partial, folder, options);
  try {
    const done = await transfer.run();
    if (done === 'unchanged') {
      await partial.remove();
      return done;
    }
    await partial.finish(target);
    return done;
  } catch (error) {
    await (transfer.isSpoilt ? partial.remove() : partial.leave());
    throw error instanceof CritmapError || options.signal?.aborted
      ? error
      : cannotKeep(source.what, folder, error);
  }
}

class Transfer {
  /** What is there is of no use. */
  isSpoilt = false;
  #offset = 0;
  #hashes!: { sha256: Hash; git: Hash | undefined };

  constructor(
    private readonly source: Source,
    private readonly partial: PartialFile,
    private readonly folder: string,
    private readonly options: FetchOptions,
  ) {}

  async run(): Promise<Downloaded | 'unchanged'> {
    await this.#takeOver();
    let [failures, best] = [0, this.#offset];
    for (let tries = 1; ; tries++) {
      const done = await this.#attempt();
      if (done === 'unchanged') return done;
      if (!('cut' in done)) return this.#checked(done);
      failures = this.#offset > best ? 1 : failures + 1;
      best = Math.max(best, this.#offset);
      if (failures >= TRIES || tries >= MOST_TRIES) {
        throw new Unreachable(
          this.source.what,
          `the connection to ${this.source.url.host} was cut again and again (${done.cut}); try again, what came in is kept`,
        );
      }
      await pause(backoff(failures), this.options.signal);
    }
  }

  /** What an earlier process left counts. */
  async #takeOver(): Promise<void> {
    this.#begin();
    const { handle } = this.partial;
    const buffer = Buffer.alloc(2 ** 20);
    for (;;) {
      this.options.signal?.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, this.#offset);
      if (bytesRead === 0) break;
      this.#add(buffer.subarray(0, bytesRead));
    }
    const { size } = this.source;
    if (size !== undefined && this.#offset > size) await this.#restart();
  }

  #begin(): void {
    const { digest, size } = this.source;
    const git = digest?.kind === 'git' ? createHash('sha1').update(`blob ${size}\0`) : undefined;
    this.#hashes = { sha256: createHash('sha256'), git };
    this.#offset = 0;
  }

  #add(bytes: Uint8Array): void {
    this.#hashes.sha256.update(bytes);
    this.#hashes.git?.update(bytes);
    this.#offset += bytes.length;
  }

  async #restart(key?: string): Promise<void> {
    await this.partial.restart(key);
    this.#begin();
  }

  /** One request. */
  async #attempt(): Promise<(Version & { total: number }) | { cut: string } | 'unchanged'> {
    const { source, options } = this;
    if (source.size !== undefined && this.#offset === source.size) {
      return { total: source.size, etag: '', lastModified: '' };
    }
    // Without either nobody knows whether the rest is of the same file.
    const validator = source.digest ? '' : validatorIn(this.partial.key);
    if (this.#offset > 0 && !source.digest && validator === '') await this.#restart();
    const range: Record<string, string> =
      this.#offset > 0
        ? { range: `bytes=${this.#offset}-`, ...(validator && { 'if-range': validator }) }
        : {};
    const response = await request(source.url, {
      what: source.what,
      headers: { ...source.headers, ...range },
      token: source.token,
      signal: options.signal,
    });
    if (response.status === 304 && source.headers?.['if-none-match']) return 'unchanged';
    if (response.status === 416 && this.#offset > 0) {
      await discard(response);
      await this.#restart();
      return { cut: 'it does not go on where it ended' };
    }
    if (!response.ok) {
      const refused = source.refusal(response);
      await discard(response);
      throw refused;
    }
    return this.#receive(response);
  }

  async #receive(response: Response): Promise<(Version & { total: number }) | { cut: string }> {
    const { source, folder, options } = this;
    const [, from, all] =
      /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? [];
    const goesOn = response.status === 206 && Number(from) === this.#offset;
    if (response.status === 206 && !goesOn) return this.#strayed(response);
    const version = versionOf(response);
    if (!goesOn) await this.#restart(source.digest ? undefined : keyOf(validatorOf(version)));
    // A length counts what is sent, not what is unpacked of it.
    const isPacked = !['', 'identity'].includes(response.headers.get('content-encoding') ?? '');
    const length = isPacked ? null : response.headers.get('content-length');
    const said = goesOn ? Number(all) : length === null ? Number.NaN : Number(length);
    const total = Number.isFinite(said) ? said : source.size;
    if (source.size !== undefined && total !== source.size) {
      await discard(response);
      this.isSpoilt = true;
      throw fetchError(
        source.what,
        `has ${total} bytes instead of ${source.size}; it is not what was announced`,
      );
    }
    await requireRoom(source.what, folder, total === undefined ? LEFT_FREE : total - this.#offset);
    let looked = this.#offset;
    const reader = response.body?.getReader();
    const name = { what: source.what, total: total ?? null };
    options.onFetch?.({ ...name, done: this.#offset });
    try {
      for (;;) {
        const chunk = reader && (await this.#next(reader));
        if (typeof chunk === 'string') return { cut: chunk };
        if (!chunk || chunk.done) break;
        await writeAll(this.partial, chunk.value, this.#offset);
        this.#add(chunk.value);
        if (total !== undefined && this.#offset > total) {
          this.isSpoilt = true;
          throw fetchError(source.what, `has more than the ${total} bytes that were announced`);
        }
        if (total === undefined && this.#offset - looked > LOOK_EVERY) {
          looked = this.#offset;
          await this.#requireEnd();
        }
        options.onFetch?.({ ...name, done: this.#offset });
      }
    } finally {
      void reader?.cancel().catch(() => {});
    }
    if (total !== undefined && this.#offset < total) return { cut: 'it ended too early' };
    return { total: this.#offset, ...version };
  }

  /** A server that does not say how much it sends may send for ever. */
  async #requireEnd(): Promise<void> {
    const { what } = this.source;
    if (this.#offset > MOST_UNSAID) {
      this.isSpoilt = true;
      throw fetchError(what, `does not end after ${this.#offset} bytes, and its length was not announced`);
    }
    try {
      await requireRoom(what, this.folder, LEFT_FREE);
    } catch (error) {
      this.isSpoilt = true;
      throw error;
    }
  }

  /** A part that nobody asked for. */
  async #strayed(response: Response): Promise<{ cut: string }> {
    await discard(response);
    await this.#restart();
    return { cut: 'it sends other parts than it is asked for' };
  }

  /** The next bytes, or why there are none. */
  async #next(reader: ReadableStreamDefaultReader<Uint8Array>) {
    const { signal } = this.options;
    let stop: (() => void) | undefined;
    const stopped = new Promise<string>((resolve) => {
      const timer = setTimeout(() => resolve(`no byte came for ${STALL_S} s`), 1000 * STALL_S);
      const abort = () => resolve('');
      signal?.addEventListener('abort', abort, { once: true });
      stop = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
      };
    });
    try {
      signal?.throwIfAborted();
      return await Promise.race([reader.read().catch((error: unknown) => reasonOf(error)), stopped]);
    } finally {
      stop?.();
      signal?.throwIfAborted();
    }
  }

  #checked({ total, ...version }: Version & { total: number }): Downloaded {
    const { digest, what } = this.source;
    const sha256 = this.#hashes.sha256.digest('hex');
    const found = digest?.kind === 'git' ? this.#hashes.git!.digest('hex') : sha256;
    if (digest && found !== digest.hex) {
      this.isSpoilt = true;
      throw fetchError(
        what,
        `is not the file that it should be: its ${digest.kind === 'git' ? 'SHA-1' : 'SHA-256'} is ${found} instead of ${digest.hex}; it was removed`,
      );
    }
    return { size: total, sha256, ...version };
  }
}

async function writeAll({ handle }: PartialFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const part = await handle.write(bytes, written, bytes.length - written, position + written);
    written += part.bytesWritten;
  }
}

/** Better now than after hours. */
async function requireRoom(what: string, folder: string, bytes: number): Promise<void> {
  const disk = await statfs(folder).catch(() => null);
  const free = disk ? disk.bavail * disk.bsize : Number.POSITIVE_INFINITY;
  if (bytes <= free) return;
  throw fetchError(
    what,
    `needs ${bytes} bytes more, and the disk of ${folder} has ${free}; make room, or choose another cache (HF_HOME, XDG_CACHE_HOME)`,
  );
}

export function cannotKeep(what: string, folder: string, error: unknown): CritmapError {
  return fetchError(
    what,
    `cannot be kept in ${folder}: ${writeReason(error)}; choose another cache (HF_HOME, XDG_CACHE_HOME)`,
    error,
  );
}

const versionOf = ({ headers }: Response): Version => ({
  etag: headers.get('etag') ?? '',
  lastModified: headers.get('last-modified') ?? '',
});

/** Fit for If-Range: a strong ETag, else a date. */
const validatorOf = ({ etag, lastModified }: Version) => (etag.startsWith('"') ? etag : lastModified);

/** A validator as part of a file's name; a long one is none. */
const keyOf = (validator: string) =>
  validator.length > 100 ? '' : validator && `v${Buffer.from(validator).toString('base64url')}`;
const isKey = (key: string) => key.startsWith('v');
const validatorIn = (key: string) => (isKey(key) ? Buffer.from(key.slice(1), 'base64url').toString() : '');
