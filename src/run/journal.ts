/**
 * `cells.ndjson`: one line per finished (layer, reset, chunk of images), appended and on disk before it counts.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { CritmapError } from '../errors.js';
import { cannotWrite } from '../files/problems.js';
import { readRegular, requireRegular } from '../files/regular-file.js';
import { Finished, type JournalLine } from './finished.js';
import { readLine, writeLine } from './journal-line.js';

/**
 * An open journal. Appends are written in the order of the calls; those that come while the disk is busy go there
 * together, since waiting for it is what takes time.
 */
export class Journal {
  #last: Promise<void> = Promise.resolve();
  /** Whether there may be something behind the whole lines. */
  #torn = false;
  /** What the next write will take. */
  #waiting: { bytes: Buffer[]; written: Promise<void> } | null = null;

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    /** Bytes of whole lines. */
    private length: number,
  ) {}

  /** Opens or creates the file, cuts a torn last line off, and returns what is finished. */
  static async open(path: string): Promise<{ journal: Journal; finished: Finished }> {
    const handle = await openJournal(path);
    try {
      const { finished, wholeBytes } = parseJournal(path, await handle.readFile());
      await handle.truncate(wholeBytes);
      return { journal: new Journal(path, handle, wholeBytes), finished };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Resolves when the lines are on disk. */
  append(lines: readonly JournalLine[]): Promise<void> {
    const bytes = Buffer.from(lines.map(writeLine).join(''));
    if (this.#waiting) {
      this.#waiting.bytes.push(bytes);
      return this.#waiting.written;
    }
    const all = [bytes];
    const written = this.#last.then(() => {
      this.#waiting = null;
      return this.#write(Buffer.concat(all));
    });
    this.#waiting = { bytes: all, written };
    // A failed write is reported to its callers; the next append must still be tried.
    this.#last = written.catch(() => {});
    return written;
  }

  async #write(bytes: Buffer): Promise<void> {
    try {
      await this.#cut();
      this.#torn = true;
      await this.handle.appendFile(bytes);
      await this.handle.datasync();
      this.length += bytes.byteLength;
      this.#torn = false;
    } catch (error) {
      await this.#cut().catch(() => {});
      throw cannotWrite(this.path, error);
    }
  }

  /** A full disk may have taken half a line, and no cut at once: the next line must not be glued to it. */
  async #cut(): Promise<void> {
    if (!this.#torn) return;
    await this.handle.truncate(this.length);
    this.#torn = false;
  }

  async close(): Promise<void> {
    await this.#last;
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

export async function readJournal(path: string): Promise<Finished> {
  return parseJournal(path, await readRegular(path)).finished;
}

/** @throws CritmapError (ERR_RUN) for a damaged line that is not the torn last one. */
function parseJournal(path: string, bytes: Buffer): { finished: Finished; wholeBytes: number } {
  const finished = new Finished();
  const wholeBytes = bytes.lastIndexOf('\n') + 1;
  const lines = bytes.subarray(0, wholeBytes).toString('utf8').split('\n');
  lines.pop();
  lines.forEach((text, i) => {
    const line = readLine(text);
    if (!line) {
      throw new CritmapError(
        'ERR_RUN',
        `${path} line ${i + 1} is damaged; delete that line to compute its cells again`,
      );
    }
    finished.add(line);
  });
  return { finished, wholeBytes };
}
