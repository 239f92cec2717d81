/**
 * The parts that N shards take, by what they are predicted to cost. Every shard finds the same parts from the same plan,
 * and one that is put together later finds them again. Pure.
 */
import { isRandomLabel } from '../resets/kinds.js';
import { type ShardPlan, testedIn } from '../run/shard-plan.js';
import { smallest } from '../statistics/extremes.js';
import { chunkCount, type Part } from './part.js';

export interface ShardProblem {
  plan: ShardPlan;
  /** Labels of resets, each with its draws of one image. */
  resets: readonly { label: string; trials: number }[];
  /** Chunks of the sample. */
  chunks: number;
  /** With a tolerance a range that does not begin with the first image cannot stop: there are as few as can be. */
  stops: boolean;
}

/** @param labels - of the sweep's resets; one without randomness has one draw */
export function shardProblem(
  plan: ShardPlan,
  labels: readonly string[],
  trials: number,
  images: number,
  stops: boolean,
): ShardProblem {
  const resets = labels.map((label) => ({ label, trials: isRandomLabel(label, '') ? trials : 1 }));
  return { plan, resets, chunks: chunkCount(images, plan.chunk), stops };
}

/** Fewer ranges are taken where they cost less than this much more: each has all layers' sessions to open. */
const WORTH = 1.1;

/**
 * The parts of N shards, some of which may be empty. Layers are dealt out first; where there are too few of them for that to be even,
 * the images are cut into ranges as well, each with shards of its own.
 */
export function shardsOf(problem: ShardProblem, shards: number): Part[][] {
  const { plan, resets, chunks, stops } = problem;
  const isTested = testedIn(plan);
  const targets = plan.layers.flatMap(({ name, op, macs }) =>
    resets
      .filter(({ label }) => isTested(name, label))
      .map(({ label, trials }) => ({
        layer: name,
        reset: label,
        cost: macs * (isRandomLabel(label, op) ? trials : 1),
      })),
  );
  const most = Math.min(shards, chunks);
  const fewest = stops ? Math.min(most, Math.ceil(shards / Math.max(1, targets.length))) : 1;
  const last = stops ? fewest : most;
  let best: { parts: Part[][]; cost: number } | null = null;
  for (let ranges = fewest; ranges <= last; ranges++) {
    const found = inRanges(targets, plan.forward, chunks, shards, ranges);
    if (!best || found.cost * WORTH < best.cost) best = found;
  }
  return best!.parts;
}

/** N shards over so many ranges of chunks: the cost is that of the dearest shard. */
function inRanges(
  targets: readonly { layer: string; reset: string; cost: number }[],
  forward: number,
  chunks: number,
  shards: number,
  ranges: number,
): { parts: Part[][]; cost: number } {
  const parts: Part[][] = [];
  let cost = 0;
  for (let range = 0; range < ranges; range++) {
    const [firstShard, lastShard] = [share(range, ranges, shards), share(range + 1, ranges, shards)];
    // As long as the range has shards.
    const [from, to] = [share(firstShard, shards, chunks), share(lastShard, shards, chunks)];
    for (const bin of dealt(targets, lastShard - firstShard)) {
      const taken = bin.map(({ layer, reset }) => ({ layer, reset }));
      parts.push(taken.length > 0 && to > from ? [{ targets: taken, from, to }] : []);
      const sum = bin.reduce((total, one) => total + one.cost, bin.length > 0 ? forward : 0);
      cost = Math.max(cost, sum * (to - from));
    }
  }
  return { parts, cost };
}

/** Where part `i` of `of` begins in `total` things. */
const share = (i: number, of: number, total: number) => Math.floor((i * total) / of);

/** The dearest first, each to the bin that has least; in every bin in the order that they had. */
function dealt<T extends { cost: number }>(items: readonly T[], bins: number): T[][] {
  const loads = new Array<number>(bins).fill(0);
  const found: number[][] = loads.map(() => []);
  const order = items.map((_, i) => i).sort((a, b) => items[b]!.cost - items[a]!.cost || a - b);
  for (const i of order) {
    const bin = loads.indexOf(smallest(loads));
    loads[bin] = loads[bin]! + items[i]!.cost;
    found[bin]!.push(i);
  }
  return found.map((bin) => bin.sort((a, b) => a - b).map((i) => items[i]!));
}
