/** How a line of the journal is written: numbers of a slice as an array, since there are many. */
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

export function writeLine(line: JournalLine): string {
  const stored =
    line.type === 'original'
      ? { ...line, slices: line.slices.map((sums) => [sums.slice, ...toNumbers(sums)]) }
      : {
          ...line,
          draws: line.draws.map((sums) => [sums.slice, sums.trial, sums.change, ...toNumbers(sums)]),
        };
  return `${JSON.stringify(stored)}\n`;
}

/** @returns undefined for a damaged line */
export function readLine(text: string): JournalLine | undefined {
  const parsed = stored.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const line = parsed.data;
  if (line.type === 'original') {
    const slices = line.slices.map(([slice, ...rest]) => withNumbers<SliceSums>({ slice }, rest));
    return slices.every(isSound) ? { ...line, slices: slices as SliceSums[] } : undefined;
  }
  const draws = line.draws.map(([slice, trial, change, ...rest]) =>
    withNumbers<DrawSums>({ slice, trial, change: change ?? null }, rest),
  );
  if (!draws.every(isSound)) return undefined;
  const { crossed, ...rest } = line;
  return { ...rest, draws: draws as DrawSums[], ...(crossed && { crossed }) };
}

const toNumbers = (sums: Sums) => sumNames.map(({ name }) => sums[name] ?? null);

function withNumbers<S extends Sums>(head: object, values: readonly (number | null)[]): S | undefined {
  if (values.length !== sumNames.length) return undefined;
  const isMissing = sumNames.some(({ labelled }, i) => (values[i] ?? null) === null && !labelled);
  if (isMissing) return undefined;
  const named = sumNames.flatMap(({ name }, i) => ((values[i] ?? null) === null ? [] : [[name, values[i]]]));
  return { ...head, ...Object.fromEntries(named) } as S;
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
