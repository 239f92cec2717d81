/**
 * Cuts what a sweep lacks into jobs of some seconds. A job takes all layers over some chunks where that suffices, since
 * each job takes its images through the untouched model too; only where chunks are few or long are layers divided.
 */
import type { PartJob } from './messages.js';

/** A chunk, and the numbers of the targets that have no result for it, ascending. */
export interface LackingChunk {
  index: number;
  images: number;
  targets: readonly number[];
}

/** Multiply-accumulates of one image. */
export interface Costs {
  /** Of the untouched model. */
  forward: number;
  /** Of a target with all its trials. */
  targets: readonly number[];
}

/** A job's multiply-accumulates: a tenth of a second on one core, and some seconds on several. */
const LEAST = 2e9;
const MOST = 5e11;
/** Jobs of a sweep, if they are neither too small nor too large. */
const USUAL_COUNT = 256;
/** What the untouched model may cost again where layers are divided. */
const OVERHEAD = 0.1;
/** With fewer, workers would have nothing to do. */
const FEW = 16;

export interface SizedJob extends PartJob {
  cost: number;
}

/** @param inOrder - whether layers may stop: then earlier images come first; else what takes longest */
export function jobsOf(lacking: readonly LackingChunk[], costs: Costs, inOrder: boolean): SizedJob[] {
  const costOf = ({ images, targets }: LackingChunk) =>
    images * targets.reduce((sum, target) => sum + (costs.targets[target] ?? 0), costs.forward);
  const total = lacking.reduce((sum, chunk) => sum + costOf(chunk), 0);
  const aim = Math.min(MOST, Math.max(LEAST, total / USUAL_COUNT));
  const runs = consecutive(lacking, (chunk) => Math.max(1, Math.floor(aim / Math.max(1, costOf(chunk)))));
  const jobs = runs.flatMap((run) => {
    const [chunk] = run;
    const { targets } = chunk!;
    const images = run.reduce((sum, one) => sum + one.images, 0);
    const suffixes = targets.reduce((sum, target) => sum + (costs.targets[target] ?? 0), 0);
    const affordable = Math.floor((OVERHEAD * suffixes) / Math.max(1, costs.forward));
    const wanted = Math.round((images * (costs.forward + suffixes)) / aim);
    const groups = Math.min(wanted, Math.max(affordable, Math.ceil(FEW / runs.length)));
    return divided(targets, costs, Math.max(1, groups)).map(([first, last, macs]) => ({
      ...{ first, last, from: chunk!.index, to: run.at(-1)!.index + 1 },
      cost: images * (costs.forward + macs),
    }));
  });
  return inOrder
    ? jobs.sort((a, b) => a.from - b.from || a.first - b.first)
    : jobs.sort((a, b) => b.cost - a.cost || a.from - b.from || a.first - b.first);
}

/** Chunks that follow each other and lack the same, so many together. */
function consecutive(
  lacking: readonly LackingChunk[],
  together: (chunk: LackingChunk) => number,
): LackingChunk[][] {
  const runs: LackingChunk[][] = [];
  for (const chunk of lacking) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    const isNext =
      last?.index === chunk.index - 1 &&
      String(last.targets) === String(chunk.targets) &&
      chunk.targets.length > 0;
    if (run && isNext && run.length < together(run[0]!)) run.push(chunk);
    else runs.push([chunk]);
  }
  return runs;
}

/** Ranges [first, last) of targets whose costs are about the same, each with its cost. */
function divided(
  targets: readonly number[],
  costs: Costs,
  groups: number,
): [first: number, last: number, macs: number][] {
  if (targets.length === 0) return [[0, 0, 0]];
  const total = targets.reduce((sum, target) => sum + (costs.targets[target] ?? 0), 0);
  const ranges: [number, number, number][] = [];
  let done = 0;
  let [first, macs] = [targets[0]!, 0];
  for (const [i, target] of targets.entries()) {
    const cost = costs.targets[target] ?? 0;
    macs += cost;
    done += cost;
    const next = targets[i + 1];
    // A range has no gap: what is between was computed before.
    const isGap = next !== target + 1;
    const isFull = done >= (total * (ranges.length + 1)) / groups;
    if (isGap || (isFull && ranges.length + 1 < groups)) {
      ranges.push([first, target + 1, macs]);
      [first, macs] = [next ?? 0, 0];
    }
  }
  return ranges;
}
