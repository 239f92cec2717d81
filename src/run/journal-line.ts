/**
 * How a line of the journal is written: JSON, numbers of a slice as an array, since there are many, and at its end a
 * checksum over all before it that begins with the run's seal. So every changed bit and every line of another run is
 * noticed.
 */
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { type Sums, sumNames } from '../native/columns.js';
import type { DrawSums, JournalLine, LineDetails, SliceSums } from './finished.js';
import { isClassRow } from './image-numbers.js';

const crossed = z.object({
  images: z.int().min(0),
  drawSums: z.array(z.number()),
  sumSquares: z.number(),
  imageSquares: z.number(),
});
const crossedPair = z.object({ cosine: crossed, agreement: crossed });

/** Eight digits between these end a line. */
const CHECK = { before: ',"check":"', after: '"}' };
const CHECK_BYTES = CHECK.before.length + 8 + CHECK.after.length;

/** @param seal - of the run that the line is of */
export function writeLine(line: JournalLine, seal: number): string {
  const stored =
    line.type === 'original'
      ? { ...line, slices: line.slices.map((sums) => [sums.slice, ...toNumbers(sums)]) }
      : {
          ...line,
          draws: line.draws.map((sums) => [sums.slice, sums.trial, sums.change, ...toNumbers(sums)]),
        };
  const body = JSON.stringify(stored).slice(0, -1);
  return `${body}${checkOf(Buffer.from(body), seal)}\n`;
}

const checkOf = (body: Uint8Array, seal: number) =>
  `${CHECK.before}${crc32(body, seal).toString(16).padStart(8, '0')}${CHECK.after}`;

/**
 * @param bytes - the line without its end
 * @param seal - of the run; null for one whose lines have no checksums
 * @returns undefined for a line that is damaged or of another run
 */
export function readLine(bytes: Buffer, seal: number | null): JournalLine | undefined {
  if (seal !== null) {
    const end = Math.max(0, bytes.length - CHECK_BYTES);
    if (bytes.toString('latin1', end) !== checkOf(bytes.subarray(0, end), seal)) return undefined;
  }
  return lineOf(parseJson(bytes.toString('utf8')));
}

/** By hand, not by a schema: a resumed run reads a hundred thousand of them before it goes on. */
function lineOf(value: unknown): JournalLine | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { type, layer, reset, chunk, slices, draws, crossed, ...rest } = value as Record<string, unknown>;
  const details = detailsOf(rest);
  if (!isWhole(chunk) || !details) return undefined;
  if (type === 'original') {
    const sums = sumsOf<SliceSums>(slices, (slice) => ({ slice }), 1);
    return sums && { type, chunk, slices: sums, ...(details.perClass && { perClass: details.perClass }) };
  }
  if (type !== 'target' || typeof layer !== 'string' || typeof reset !== 'string') return undefined;
  const sums = sumsOf<DrawSums>(draws, (slice, trial, change) => ({ slice, trial, change }), 3);
  if (!sums) return undefined;
  if (crossed === undefined) return { type, layer, reset, chunk, draws: sums, ...details };
  const pair = crossedPair.safeParse(crossed);
  return pair.success
    ? { type, layer, reset, chunk, draws: sums, crossed: pair.data, ...details }
    : undefined;
}

/** @returns undefined where they are not what is written */
function detailsOf({ perImage, perClass }: Record<string, unknown>): LineDetails | undefined {
  const isText = (value: unknown) => typeof value === 'string';
  if (perImage !== undefined && !(Array.isArray(perImage) && perImage.every(isText))) return undefined;
  if (perClass !== undefined && !(Array.isArray(perClass) && perClass.every(isClassRow))) return undefined;
  return { ...(perImage && { perImage }), ...(perClass && { perClass }) };
}

/** @param heads - how many numbers come before the sums */
function sumsOf<S extends SliceSums>(
  rows: unknown,
  headOf: (...head: unknown[]) => object,
  heads: number,
): S[] | undefined {
  if (!Array.isArray(rows)) return undefined;
  const found: S[] = [];
  for (const row of rows as unknown[]) {
    if (!Array.isArray(row) || row.length !== heads + sumNames.length) return undefined;
    const [first, second, third] = row as unknown[];
    const sums = headOf(first, second, third ?? null) as Record<string, unknown>;
    for (let i = 0; i < sumNames.length; i++) {
      const { name, labelled } = sumNames[i]!;
      const value: unknown = row[heads + i];
      if (typeof value === 'number') sums[name] = value;
      // Null where there are no labels.
      else if (value !== null || !labelled) return undefined;
    }
    if (!isSound(sums)) return undefined;
    found.push(sums as unknown as S);
  }
  return found;
}

const toNumbers = (sums: Sums) => sumNames.map(({ name }) => sums[name] ?? null);

/** Counts that no comparison gives are damage too; a change is not defined where the weights were 0. */
function isSound({
  slice,
  trial = 0,
  change = null,
  images,
  invalid,
  agreement,
}: Record<string, unknown>): boolean {
  return (
    isWhole(slice) &&
    isWhole(trial) &&
    (change === null || typeof change === 'number') &&
    isWhole(images) &&
    isWhole(invalid) &&
    isWhole(agreement) &&
    invalid + agreement <= images
  );
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
