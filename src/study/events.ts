/**
 * What `critmap study --json` prints: one JSON object a line, which `event` names; `sweep` is `MODEL/IMAGES`, or a part
 * of that in a shard. docs/events.md describes them.
 */
import { z } from 'zod';
import { progressFields, stoppedFields } from '../sweep/events.js';

const text = z.string();
const count = z.int().min(0);
const failure = z.object({ sweep: text, code: text.nullable(), message: text });

export const studyEventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('started'), name: text, out: text, sweeps: z.array(text) }),
  z.object({
    event: z.literal('sweep'),
    sweep: text,
    state: z.enum(['skipped', 'opening', 'opened', 'started', 'done']),
  }),
  z.object({ event: z.literal('checking'), sweep: text, done: count, total: count }),
  z.object({ event: z.literal('fetching'), sweep: text, what: text, done: count, total: count.nullable() }),
  z.object({ event: z.literal('progress'), sweep: text, ...progressFields }),
  z.object({ event: z.literal('stopped'), sweep: text, ...stoppedFields }),
  z.object({ event: z.literal('warning'), sweep: text.nullable(), message: text }),
  z.object({ event: z.literal('failure'), ...failure.shape }),
  z.object({ event: z.literal('done'), out: text, results: text.nullable(), failures: z.array(failure) }),
  z.object({ event: z.literal('failed'), code: text.nullable(), message: text }),
  z.object({ event: z.literal('interrupted'), message: text, exitCode: z.int() }),
]);

/** One line of what `critmap study --json` prints. */
export type StudyLine = z.infer<typeof studyEventSchema>;
