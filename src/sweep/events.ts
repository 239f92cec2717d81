/**
 * What `critmap sweep --json` prints: one JSON object a line, which `event` names. docs/events.md describes them, and
 * docs/events.schema.json is made from these schemas. `null` stands for what is not known.
 */
import { z } from 'zod';
import { CritmapError } from '../errors.js';
import { summarySchema } from '../run/summary.js';

const text = z.string();
const number = z.number();
const count = z.int().min(0);
const shard = z.object({ index: z.int().min(1), of: z.int().min(1) }).nullable();

/** Passes, seconds since computing began, and the layer that was finished last. */
export const progressFields = {
  done: count,
  total: count,
  expected: count.nullable(),
  seconds: number,
  secondsLeft: number.nullable(),
  layer: text.nullable(),
};

export const stoppedFields = {
  layer: text,
  reset: text,
  images: count,
  interval: z.object({ low: number, high: number }),
};

const event = <Name extends string, Shape extends z.ZodRawShape>(name: Name, shape: Shape) =>
  z.object({ event: z.literal(name), ...shape });

export const sweepEventSchema = z.discriminatedUnion('event', [
  event('started', {
    versions: z.object({ critmap: text, onnxruntime: text, node: text }),
    model: z.object({ name: text, file: text, sha256: text }),
    data: z.object({ source: text, images: count }),
    layers: z.array(text),
    resets: z.array(text),
    out: text,
    shard,
  }),
  event('fetching', { what: text, done: count, total: count.nullable() }),
  event('checking', { done: count, total: count }),
  event('planned', { cells: count, chunks: count, passes: count, resumed: count }),
  event('progress', progressFields),
  event('stopped', stoppedFields),
  event('warning', { message: text }),
  event('note', { message: text }),
  event('done', { out: text, shard, summary: summarySchema.nullable() }),
  event('failed', { code: text.nullable(), message: text }),
  event('interrupted', { message: text, exitCode: z.int() }),
]);

/** One line of what `critmap sweep --json` prints. */
export type SweepEvent = z.infer<typeof sweepEventSchema>;
export type EventOf<Name extends SweepEvent['event']> = Extract<SweepEvent, { event: Name }>;

/**
 * Reads a line that `critmap sweep --json` has printed.
 * @throws CritmapError (ERR_RUN) when it is none of a sweep's events; TypeError for what is no string
 */
export function parseSweepEvent(line: string): SweepEvent {
  if (typeof line !== 'string') throw new TypeError('parseSweepEvent takes a line as a string');
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new CritmapError('ERR_RUN', `a line is no event of a sweep: it is not JSON`);
  }
  const parsed = sweepEventSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CritmapError(
    'ERR_RUN',
    `a line is no event of a sweep, or of another version: ${issue?.path.join('.') || 'the line'}: ${issue?.message}`,
  );
}
