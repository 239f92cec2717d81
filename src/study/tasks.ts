/**
 * What of a study one process computes: all of its sweeps, or a shard's. Sweeps are dealt out whole where there are enough
 * of them, and cut into parts where that would leave shards idle. Pure.
 */
import { join } from 'node:path';
import { largest } from '../statistics/extremes.js';
import type { Shard } from '../sweep/settings.js';
import type { StudySweep } from './study.js';

export interface Task {
  sweep: StudySweep;
  /** Which part of the sweep; null is all of it. */
  part: Shard | null;
  /** Relative to the study's directory. */
  place: string;
}

export const wholeTasks = (sweeps: readonly StudySweep[]): Task[] =>
  sweeps.map((sweep) => ({ sweep, part: null, place: sweep.place }));

export const partName = ({ index, of }: Shard) => `part-${index}-of-${of}`;

/** Parts a shard gets on average: the more, the more even, but each opens a model and its images. */
const DIVISIONS = [1, 1.5, 2, 3, 4];
/** Fewer parts are taken where the fullest shard has less than this much more than the mean. */
const EVEN = 1.15;

/**
 * The tasks of all shards, some of which may have none.
 * @param costs - of the sweeps, in any unit
 */
export function shardTasks(
  sweeps: readonly StudySweep[],
  costs: readonly number[],
  shards: number,
): Task[][] {
  const share = costs.reduce((sum, cost) => sum + cost, 0) / shards;
  let best: { tasks: Task[][]; fullest: number } | null = null;
  for (const divisions of DIVISIONS) {
    const found = dealt(sweeps, costs, shards, share / divisions);
    if (!best || found.fullest * 1.01 < best.fullest) best = found;
    if (best.fullest <= EVEN * share) break;
  }
  return best!.tasks;
}

/** The largest first, each to the emptiest shard. */
function dealt(sweeps: readonly StudySweep[], costs: readonly number[], shards: number, most: number) {
  const parts = sweeps.flatMap((sweep, i) => {
    const cost = costs[i]!;
    const of = most > 0 ? Math.min(shards, Math.max(1, Math.round(cost / most))) : 1;
    return Array.from({ length: of }, (_, index) => {
      const part = of === 1 ? null : { index: index + 1, of };
      const place = part ? join(sweep.place, partName(part)) : sweep.place;
      return { task: { sweep, part, place }, cost: cost / of, order: i };
    });
  });
  const filled = Array.from({ length: shards }, () => ({ sum: 0, parts: [] as typeof parts }));
  for (const part of [...parts].sort((a, b) => b.cost - a.cost)) {
    const emptiest = filled.reduce((least, one) => (one.sum < least.sum ? one : least));
    emptiest.sum += part.cost;
    emptiest.parts.push(part);
  }
  return {
    // Sweeps of one model follow each other.
    tasks: filled.map((shard) => shard.parts.sort((a, b) => a.order - b.order).map(({ task }) => task)),
    fullest: largest(filled.map(({ sum }) => sum)),
  };
}
