/**
 * `cells.ndjson`: one line per finished (layer, reset, chunk of images), appended and on disk before it counts. Nothing in
 * it is believed but for its checksum: a line that was not finished is cut off, one that is damaged or of another run is
 * left out, and what it held is computed again.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { CritmapError } from '../errors.js';
import { cannotWrite } from '../files/problems.js';
import { requireRegular } from '../files/regular-file.js';
import { temporaryBeside } from '../files/replace.js';
import { Finished, type JournalLine } from './finished.js';
import { writeLine } from './journal-line.js';
import { type DamagedLine, lineNumbers, scanJournal, scanJournalAt } from './scan-journal.js';

/** Of the time, what waiting for the disk may take. */
const SYNC_SHARE = 0.01;
/** However slow the disk is, no line waits longer for it to be asked; the engine does not wait for it. */
const LONGEST_WAIT_MS = 100;

/** What is written at a time of many lines. */
const APPENDED_BYTES = 2 ** 22;

/** One write and what it took, from `fromMs` by `performance.now()`. */
export interface JournalWrite {
  fromMs: number;
  ms: number;
  lines: number;
}

interface Batch {
  bytes: Buffer[];
  written: Promise<void>;
}

/**
 * An open journal. Appends are written in the order of the calls. Those that come soon after the last write wait for
 * others: writing takes a hundredth of the time at most.
 */
export class Journal {
  #last: Promise<void> = Promise.resolve();
  /** Whether there may be something behind the whole lines. */
  #torn = false;
  /** What the next write will take. */
  #waiting: Batch | null = null;
  /** When the disk may be asked again. */
  #due = 0;
  #hurried = false;
  #wake = () => {};
  /** What all writes together have taken, in milliseconds. */
  writtenMs = 0;
  /** Is told of each, also of one that failed. */
  onWrite: ((write: JournalWrite) => void) | null = null;

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private readonly seal: number,
    /** Bytes of whole lines. */
    private length: number,
  ) {}

  /**
   * Opens or creates the file, cuts a torn last line off, takes damaged lines out, and returns what is finished.
   * @param seal - of the run
   */
  static async open(
    path: string,
    seal: number,
  ): Promise<{ journal: Journal; finished: Finished; damaged: DamagedLine[] }> {
    const finished = new Finished();
    let handle = await openJournal(path);
    try {
      const { damaged, wholeBytes } = await scanJournal(handle, seal, (line) => finished.add(line));
      let length = wholeBytes;
      if (damaged.length > 0) {
        length = await copyWithout(path, handle, damaged, wholeBytes);
        await handle.close();
        handle = await openJournal(path);
      } else {
        await handle.truncate(length);
      }
      return { journal: new Journal(path, handle, seal, length), finished, damaged };
    } catch (error) {
      await handle.close().catch(() => {});
      throw error;
    }
  }

  /** Resolves when the lines are on disk. */
  append(lines: readonly JournalLine[]): Promise<void> {
    return this.#add(Buffer.concat(lines.map((line) => Buffer.from(writeLine(line, this.seal)))));
  }

  /** The same for however many lines: no more of them than some are held as bytes at a time. */
  async appendAll(lines: Iterable<JournalLine>): Promise<void> {
    let pieces: Buffer[] = [];
    let length = 0;
    const write = async () => {
      const written = this.#add(Buffer.concat(pieces));
      pieces = [];
      length = 0;
      written.catch(() => {});
      await this.flush();
      await written;
    };
    for (const line of lines) {
      const bytes = Buffer.from(writeLine(line, this.seal));
      pieces.push(bytes);
      length += bytes.byteLength;
      if (length >= APPENDED_BYTES) await write();
    }
    if (length > 0) await write();
  }

  #add(bytes: Buffer): Promise<void> {
    if (this.#waiting) {
      this.#waiting.bytes.push(bytes);
      return this.#waiting.written;
    }
    const all = [bytes];
    const written = this.#last
      .then(() => this.#untilDue())
      .then(() => {
        this.#waiting = null;
        return this.#write(all);
      });
    this.#waiting = { bytes: all, written };
    // A failed write is reported to its callers; the next append must still be tried.
    this.#last = written.catch(() => {});
    return written;
  }

  /** Settles when what was appended before is written, without waiting for more. */
  async flush(): Promise<void> {
    this.#hurried = true;
    this.#wake();
    await this.#last;
    this.#hurried = false;
  }

  #untilDue(): Promise<void> {
    const ms = this.#due - performance.now();
    if (this.#hurried || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #write(lines: readonly Buffer[]): Promise<void> {
    const bytes = Buffer.concat(lines);
    const started = performance.now();
    try {
      await this.#cut();
      this.#torn = true;
      await this.handle.appendFile(bytes);
      await this.handle.datasync();
      await this.#requirePlace();
      this.length += bytes.byteLength;
      this.#torn = false;
    } catch (error) {
      await this.#cut().catch(() => {});
      throw cannotWrite(this.path, error);
    } finally {
      const ended = performance.now();
      const ms = ended - started;
      this.#due = ended + Math.min(LONGEST_WAIT_MS, ms / SYNC_SHARE);
      this.writtenMs += ms;
      this.onWrite?.({ fromMs: started, ms, lines: lines.length });
    }
  }

  /** A file without a name takes lines as well, but nobody will find them. */
  async #requirePlace(): Promise<void> {
    const [named, ours] = await Promise.all([stat(this.path), this.handle.stat()]);
    if (named.ino === ours.ino && named.dev === ours.dev) return;
    throw new Error('it was replaced by another file while the sweep was writing to it');
  }

  /** A full disk may have taken half a line, and no cut at once: the next line must not be glued to it. */
  async #cut(): Promise<void> {
    if (!this.#torn) return;
    await this.handle.truncate(this.length);
    this.#torn = false;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.handle.close();
  }
}

/** What others may have put there is neither waited for nor followed. */
async function openJournal(path: string): Promise<FileHandle> {
  await requireRegular(path).catch((error) => {
    if (error.code !== 'ENOENT') throw error;
  });
  return open(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0));
}

const COPIED_BYTES = 2 ** 20;

/** Puts a copy without some lines in the file's place. @returns its length */
async function copyWithout(
  path: string,
  from: FileHandle,
  lines: readonly DamagedLine[],
  end: number,
): Promise<number> {
  const temporary = temporaryBeside(path);
  try {
    const to = await open(temporary, 'wx');
    let length = 0;
    try {
      const starts = [0, ...lines.map((line) => line.to)];
      const ends = [...lines.map((line) => line.from), end];
      for (const [i, start] of starts.entries()) {
        for (let at = start; at < ends[i]!; ) {
          const wanted = Math.min(COPIED_BYTES, ends[i]! - at);
          const { buffer, bytesRead } = await from.read(Buffer.allocUnsafe(wanted), 0, wanted, at);
          if (bytesRead === 0) throw new Error('it became shorter while it was read');
          await to.appendFile(buffer.subarray(0, bytesRead));
          at += bytesRead;
          length += bytesRead;
        }
      }
      await to.sync();
    } finally {
      await to.close();
    }
    await rename(temporary, path);
    return length;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw cannotWrite(path, error);
  }
}

/**
 * What is finished in a journal that is only read.
 * @param seal - of the run, null for one of an earlier version, whose lines have no checksums
 * @throws CritmapError (ERR_RUN) for a damaged line that is not the torn last one
 */
export async function readJournal(path: string, seal: number | null): Promise<Finished> {
  const finished = new Finished();
  const { damaged } = await scanJournalAt(path, seal, (line) => finished.add(line));
  if (damaged.length === 0) return finished;
  throw new CritmapError(
    'ERR_RUN',
    `${path}: ${lineNumbers(damaged)} damaged or of another run; repeat the sweep's command to compute those cells again`,
  );
}
