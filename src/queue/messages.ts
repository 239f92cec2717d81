/** What goes through the queue, and the names of where it lies. All that comes out of it is checked. */
import { z } from 'zod';
import { identity } from '../run/identity.js';
import { stageSecondsSchema } from '../run/stages.js';
import { PREFIX } from './redis.js';

const whole = z.int().min(0);

/** A sweep that is offered to workers. */
export const offeredSweep = z.object({
  /** Of its coordinator; workers of another version leave it alone. */
  critmap: z.string(),
  name: z.string(),
  identity,
  /** Layers and resets in the order of the plan: what jobs count in. */
  targets: z.array(z.object({ layer: z.string(), reset: z.string() })),
  /** What to open: the words of the sweep's command. */
  job: z.record(z.string(), z.unknown()),
});
export type OfferedSweep = z.infer<typeof offeredSweep>;

/** A part of a sweep: targets [first, last) over chunks [from, to). Less than a hundred bytes. */
export const partJob = z.object({ first: whole, last: whole, from: whole, to: whole });
export type PartJob = z.infer<typeof partJob>;

/** What a worker has found: lines of the journal as they are stored, with their checksums. */
export const partResult = z.object({
  job: z.string(),
  worker: z.string(),
  graph: z.enum(['model', 'runtime']),
  lines: z.array(z.string()),
  warnings: z.array(z.string()),
  /** What the worker has spent since its last result. */
  spent: stageSecondsSchema,
});
export type PartResult = z.infer<typeof partResult>;

/** What came out of the queue, if it is what it should be. */
export function readMessage<T>(schema: z.ZodType<T>, text: string | null | undefined): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text ?? 'null')).data;
  } catch {
    return undefined;
  }
}

/** The same part has the same name whenever it is added. */
export const nameOfJob = ({ first, last, from, to }: PartJob) => `part-${from}-${to}-${first}-${last}`;

/** Names of the sweeps that are offered. */
export const OFFERED = `${PREFIX}:sweeps`;

export const queueOf = (sweep: string) => `sweep-${sweep}`;

/** BullMQ's lists of a queue's jobs. */
export const jobKeysOf = (sweep: string) => ({
  waiting: `${PREFIX}:${queueOf(sweep)}:wait`,
  delayed: `${PREFIX}:${queueOf(sweep)}:delayed`,
  active: `${PREFIX}:${queueOf(sweep)}:active`,
});

/** Keys of one sweep. */
export const keysOf = (sweep: string) => ({
  /** The offer. */
  offer: `${PREFIX}:offer:${sweep}`,
  /** A stream of results that the coordinator has not taken yet. */
  results: `${PREFIX}:results:${sweep}`,
  /** Targets that are known well enough, by number. */
  stopped: `${PREFIX}:stopped:${sweep}`,
  /** Which graph the first worker computed. */
  graph: `${PREFIX}:graph:${sweep}`,
  /** Units done and in all. */
  progress: `${PREFIX}:progress:${sweep}`,
});
