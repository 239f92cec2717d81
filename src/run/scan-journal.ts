/** A journal's lines read one after the other, however long it is: what is whole, what is damaged, where it ends. */
import type { FileHandle } from 'node:fs/promises';
import { openRegular } from '../files/regular-file.js';
import type { JournalLine } from './finished.js';
import { readLine } from './journal-line.js';

const BLOCK_BYTES = 2 ** 20;

/** Bytes [from, to) of a line that is not believed, its end included. */
export interface DamagedLine {
  /** From 1. */
  number: number;
  from: number;
  to: number;
}

export interface Scanned {
  damaged: DamagedLine[];
  /** Bytes up to the end of the last whole line; what is behind it is a line that was not finished. */
  wholeBytes: number;
}

/** @param seal - of the run, null where lines have no checksums */
export async function scanJournal(
  handle: FileHandle,
  seal: number | null,
  onLine: (line: JournalLine) => void,
): Promise<Scanned> {
  const damaged: DamagedLine[] = [];
  let number = 0;
  let wholeBytes = 0;
  const take = (bytes: Buffer) => {
    number++;
    const line = readLine(bytes, seal);
    const to = wholeBytes + bytes.length + 1;
    if (line) onLine(line);
    else damaged.push({ number, from: wholeBytes, to });
    wholeBytes = to;
  };
  let rest: Buffer[] = [];
  for (let at = 0; ; ) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(BLOCK_BYTES), 0, BLOCK_BYTES, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    const block = buffer.subarray(0, bytesRead);
    let start = 0;
    for (let end = block.indexOf('\n'); end >= 0; end = block.indexOf('\n', start)) {
      const piece = block.subarray(start, end);
      take(rest.length > 0 ? Buffer.concat([...rest, piece]) : piece);
      rest = [];
      start = end + 1;
    }
    if (start < block.length) rest.push(block.subarray(start));
  }
  return { damaged, wholeBytes };
}

/** The same for the journal at a path, which is only read. */
export async function scanJournalAt(
  path: string,
  seal: number | null,
  onLine: (line: JournalLine) => void,
): Promise<Scanned> {
  const handle = await openRegular(path);
  try {
    return await scanJournal(handle, seal, onLine);
  } finally {
    await handle.close();
  }
}

/** `line 3`, `lines 3, 4 and 90 more`. */
export function lineNumbers(damaged: readonly DamagedLine[]): string {
  const shown = damaged.slice(0, 5).map(({ number }) => number);
  const more = damaged.length - shown.length;
  return `${damaged.length > 1 ? 'lines' : 'line'} ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
