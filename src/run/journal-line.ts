/**
 * How a line of the journal is written: JSON, numbers of a slice as an array, since there are many, and at its end a
 * checksum over all before it that begins with the run's seal. So every changed bit and every line of another run is
 * noticed.
 */
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { type Sums, sumNames } from '../native/columns.js';
import type { DrawSums, JournalLine, SliceSums } from './finished.js';

const whole = z.int().min(0);
const crossed = z.object({
  images: whole,
  drawSums: z.array(z.number()),
  sumSquares: z.number(),
  imageSquares: z.number(),
});

/** Null where there are no labels, and for a change that is not defined. */
const numbers = z.array(z.number().nullable());

const stored = z.discriminatedUnion('type', [
  z.object({ type: z.literal('original'), chunk: whole, slices: z.array(numbers) }),
  z.object({
    type: z.literal('target'),
    layer: z.string(),
    reset: z.string(),
    chunk: whole,
    draws: z.array(numbers),
    crossed: z.object({ cosine: crossed, agreement: crossed }).optional(),
  }),
]);

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
  const parsed = stored.safeParse(parseJson(bytes.toString('utf8')));
  if (!parsed.success) return undefined;
  const line = parsed.data;
  if (line.type === 'original') {
    const slices = line.slices.map(([slice, ...rest]) => withNumbers({ slice }, rest));
    return slices.every(isSound) ? { ...line, slices: slices as SliceSums[] } : undefined;
  }
  const draws = line.draws.map(([slice, trial, change, ...rest]) =>
    withNumbers({ slice, trial, change: change ?? null }, rest),
  );
  if (!draws.every(isSound)) return undefined;
  const { crossed, ...rest } = line;
  return { ...rest, draws: draws as DrawSums[], ...(crossed && { crossed }) };
}

const toNumbers = (sums: Sums) => sumNames.map(({ name }) => sums[name] ?? null);

/** @param head - gets the numbers too */
function withNumbers(head: Record<string, unknown>, values: readonly (number | null)[]) {
  if (values.length !== sumNames.length) return undefined;
  for (const [i, { name, labelled }] of sumNames.entries()) {
    const value = values[i] ?? null;
    if (value !== null) head[name] = value;
    else if (!labelled) return undefined;
  }
  return head as unknown as SliceSums | DrawSums;
}

/** Counts that no comparison gives are damage too. */
function isSound(sums: SliceSums | DrawSums | undefined): boolean {
  if (!sums) return false;
  const { slice, images, invalid, agreement } = sums;
  const counts = [slice, images, invalid, agreement, 'trial' in sums ? sums.trial : 0];
  return counts.every((count) => Number.isSafeInteger(count) && count >= 0) && invalid + agreement <= images;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
