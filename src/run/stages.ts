/** Where a run's time went, and the most memory it took. */
import { z } from 'zod';

/**
 * - `decode`: reading chunks of images, which is done ahead, one chunk at a time
 * - `upload`: images on their way into the engine's input, normalised
 * - `reset`: new weights
 * - `inference`: the model
 * - `metrics`: comparing logits
 * - `journal`: writing results and waiting for the disk to have them
 * - `waiting`: what the engine has waited for images
 *
 * The engine's four are added up over its threads; the other three are by the clock and go on beside them.
 */
export const stages = ['decode', 'upload', 'reset', 'inference', 'metrics', 'journal', 'waiting'] as const;

export type StageSeconds = Record<(typeof stages)[number], number>;

const each = <T>(make: (stage: (typeof stages)[number]) => T) =>
  Object.fromEntries(stages.map((stage) => [stage, make(stage)])) as Record<(typeof stages)[number], T>;

export const noSeconds: Readonly<StageSeconds> = each(() => 0);

export const stageSecondsSchema = z.object(each(() => z.number().min(0)));

export const addSeconds = (a: StageSeconds, b: Partial<StageSeconds>): StageSeconds =>
  each((stage) => a[stage] + (b[stage] ?? 0));

/** What has been added to `before`. */
export const secondsSince = (now: StageSeconds, before: StageSeconds): StageSeconds =>
  each((stage) => Math.max(0, now[stage] - before[stage]));

/** Of this process so far, in bytes. */
export const peakMemoryBytes = (): number => process.resourceUsage().maxRSS * 1024;
