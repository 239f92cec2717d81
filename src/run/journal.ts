/**
 * `cells.ndjson`: one line per finished (cell, image chunk), appended and on disk before it counts. Sums run
 * over the chunk's images in order, and chunks are folded in order, so a total does not depend on when or in
 * which process its parts were computed.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { z } from 'zod';
import { CritmapError } from '../errors.js';
import { cannotWrite } from '../files/problems.js';
import { readRegular, requireRegular } from '../files/regular-file.js';
import { type Sums, sumNames } from '../native/columns.js';

const number = z.number();
const optional = number.optional();

/** Sums over the images of one chunk of the sample, counted from 0. */
export type ChunkSums = Sums & { chunk: number };

const sums = z.object({
  chunk: number,
  ...(Object.fromEntries(
    sumNames.map(({ name, labelled }) => [name, labelled ? optional : number]),
  ) as unknown as {
    [K in Required<keyof Sums>]: undefined extends Sums[K] ? typeof optional : typeof number;
  }),
});

const entry = z.discriminatedUnion('type', [
  sums.extend({ type: z.literal('original') }),
  sums.extend({ type: z.literal('cell'), layer: z.string(), reset: z.string(), trial: number }),
]);
export type JournalLine = z.infer<typeof entry>;

/** Counts that no comparison gives are damage too. */
const line = entry.refine(
  ({ images, invalid, agreement }) => invalid >= 0 && agreement >= 0 && invalid + agreement <= images,
);

/** Adds chunks up in chunk order. */
export function total(chunks: Iterable<ChunkSums>): ChunkSums | null {
  const ordered = [...chunks].sort((a, b) => a.chunk - b.chunk);
  const [first, ...rest] = ordered;
  if (!first) return null;
  const result = { ...first };
  for (const part of rest) {
    for (const { name } of sumNames) {
      const value = part[name];
      if (value !== undefined) result[name] = (result[name] ?? 0) + value;
    }
  }
  return result;
}

/** What is finished: chunk sums of the original and of every cell. */
export class Finished {
  readonly original = new Map<number, ChunkSums>();
  readonly #cells = new Map<string, Map<number, ChunkSums>>();

  add(entry: JournalLine): void {
    const chunks =
      entry.type === 'original' ? this.original : this.chunksOf(entry.layer, entry.reset, entry.trial);
    // A chunk counts once, however often it was written.
    if (!chunks.has(entry.chunk)) chunks.set(entry.chunk, sums.parse(entry));
  }

  /** Finished chunks of a cell by number. */
  chunksOf(layer: string, reset: string, trial: number): Map<number, ChunkSums> {
    const key = JSON.stringify([layer, reset, trial]);
    let chunks = this.#cells.get(key);
    if (!chunks) {
      chunks = new Map();
      this.#cells.set(key, chunks);
    }
    return chunks;
  }
}

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
    const bytes = Buffer.from(lines.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
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
    const parsed = line.safeParse(parseJson(text));
    if (!parsed.success) {
      throw new CritmapError(
        'ERR_RUN',
        `${path} line ${i + 1} is damaged; delete that line to compute its cells again`,
      );
    }
    finished.add(parsed.data);
  });
  return { finished, wholeBytes };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
