/** From the sums of draws to a mean, its interval and its spreads, in percent. */
import { isCrossed, type SliceDesign } from '../design/slices.js';
import type { Sums } from '../native/columns.js';
import { components } from '../statistics/components.js';
import { type Crossed, crossedInterval } from '../statistics/crossed.js';
import { largest } from '../statistics/extremes.js';
import {
  average,
  type Group,
  groupsInterval,
  type Interval,
  meanOf,
  numbersInterval,
} from '../statistics/student.js';
import type { CrossedSums, DrawSums } from './finished.js';
import { type Estimate, noEstimate } from './summary.js';

/** A number in [0, 1] that is measured per image. */
export interface Share {
  of(sums: Sums): Group;
  crossed(sums: CrossedSums): Crossed;
  /** Whether it is 1 minus the share that is of interest. */
  isComplement: boolean;
}

/** 100 x (1 - mean cosine) of all images; an invalid one, of whose prediction nothing is left, has a cosine of 0. */
export const criticalityShare: Share = {
  of: ({ images, cosine, cosineSquares }) => ({ count: images, sum: cosine, sumSquares: cosineSquares }),
  crossed: ({ cosine }) => cosine,
  isComplement: true,
};

/** Of all images; an invalid one does not agree. */
export const agreementShare: Share = {
  of: ({ images, agreement }) => ({ count: images, sum: agreement, sumSquares: agreement }),
  crossed: ({ agreement }) => agreement,
  isComplement: false,
};

export interface Measured {
  design: SliceDesign;
  /** Whether the reset has draws. */
  isRandom: boolean;
  /** By slice, then trial. */
  draws: readonly DrawSums[];
  crossed: CrossedSums | null;
  confidence: number;
  /** The confidence sequence of the share at its end, where one was kept. */
  sequence?: Interval | undefined;
}

export function estimate(share: Share, measured: Measured): Estimate {
  const { draws, isRandom, design } = measured;
  const groups = draws.map((sums) => share.of(sums));
  const mean = meanOf(groups);
  if (mean === null) return noEstimate;
  const { kind, interval } = intervalOf(share, measured, groups);
  const isFresh = isRandom && !isCrossed(design);
  const { between, within } = components(groups);
  const means = groups.filter(({ count }) => count > 0).map(({ count, sum }) => sum / count);
  const images = largest(groups.map(({ count }) => count));
  return {
    ...ends(share, mean, interval),
    interval: interval && kind,
    sdDraws: isRandom ? percent(between.sd) : null,
    sdDrawsInterval: isRandom ? percents(between.interval) : null,
    sdImages: percent(within.sd),
    // Of crossed draws the images are the same ones: nothing is known of others.
    sdImagesInterval: isFresh ? percents(within.interval) : null,
    sdTrial: isRandom
      ? percent(isFresh ? trialSd(between.sd, within.sd, groups) : sampleSd(means, images))
      : null,
  };
}

function intervalOf(
  share: Share,
  { design, isRandom, crossed, confidence, sequence }: Measured,
  groups: readonly Group[],
): { kind: Estimate['interval']; interval: Interval | null } {
  if (sequence) return { kind: 'betting', interval: sequence };
  if (isRandom && !isCrossed(design)) {
    return { kind: 'student', interval: groupsInterval(bySlice(groups, design), confidence) };
  }
  if (groups.length > 1) {
    return { kind: 'crossed', interval: crossed && crossedInterval(share.crossed(crossed), confidence) };
  }
  return { kind: 'images', interval: numbersInterval(groups[0]!, confidence) };
}

/** Draws of one slice see the same images: together they are one independent unit. */
function bySlice(groups: readonly Group[], { trials }: SliceDesign): Group[] {
  return Array.from({ length: Math.ceil(groups.length / trials) }, (_, slice) =>
    groups.slice(slice * trials, (slice + 1) * trials).reduce((a, b) => ({
      count: a.count + b.count,
      sum: a.sum + b.sum,
      sumSquares: a.sumSquares + b.sumSquares,
    })),
  );
}

function ends({ isComplement }: Share, mean: number, interval: Interval | null) {
  const of = (value: number) => 100 * (isComplement ? 1 - value : value);
  if (!interval) return { mean: of(mean), low: null, high: null };
  const [low, high] = isComplement ? [interval.high, interval.low] : [interval.low, interval.high];
  return { mean: of(mean), low: of(low), high: of(high) };
}

/** What means of single draws over as many images as there are would vary by. */
function trialSd(between: number | null, within: number | null, groups: readonly Group[]): number | null {
  const images = groups.reduce((sum, { count }) => sum + count, 0);
  return between === null || within === null ? null : Math.sqrt(between ** 2 + within ** 2 / images);
}

function sampleSd(means: readonly number[], images: number): number | null {
  if (means.length < 2 || images === 0) return null;
  const mean = average(means);
  return Math.sqrt(means.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (means.length - 1));
}

const percent = (value: number | null) => (value === null ? null : 100 * value);
const percents = (interval: Interval | null): [number, number] | null =>
  interval && [100 * interval.low, 100 * interval.high];
