/**
 * Means of numbers in [0, 1] and their intervals by Student's t. What is counted as independent is the caller's to say:
 * slices, which each have a draw and images of their own; or the images of one draw. Intervals cover what varies
 * between those, and nothing else.
 */
import { tQuantile } from './student-t.js';

export interface Interval {
  low: number;
  high: number;
}

/** Numbers measured of one unit: how many, their sum and the sum of their squares. */
export interface Group {
  count: number;
  sum: number;
  sumSquares: number;
}

export function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The mean over all numbers; null where there are none. */
export function meanOf(groups: readonly Group[]): number | null {
  const count = groups.reduce((total, group) => total + group.count, 0);
  return count > 0 ? groups.reduce((total, group) => total + group.sum, 0) / count : null;
}

/**
 * An interval for a mean in [0, 1] whose variance was estimated with so many degrees of freedom. Wilson's form keeps it
 * within [0, 1], and gives it a width when nothing varied.
 *
 * @param variance - of the mean
 * @param units - how many independent numbers the mean is of
 */
export function boundedInterval(
  mean: number,
  variance: number,
  freedom: number,
  units: number,
  confidence: number,
): Interval {
  const t = tQuantile((1 + confidence) / 2, freedom);
  // The number of independent yes/no answers that would have this variance; all units when nothing varies.
  const effective = variance > 0 ? (mean * (1 - mean)) / variance : units;
  const n = effective > 0 && Number.isFinite(effective) ? effective : units;
  const centre = (mean + (t * t) / (2 * n)) / (1 + (t * t) / n);
  const half = (t / (1 + (t * t) / n)) * Math.sqrt((mean * (1 - mean)) / n + (t * t) / (4 * n * n));
  return {
    low: Math.max(0, Math.min(mean, centre - half)),
    high: Math.min(1, Math.max(mean, centre + half)),
  };
}

/**
 * The interval of the mean over independent groups of nearly equal size: that of the ratio of their sums to their
 * counts, which is Student's of the groups' means where sizes are equal (Cochran, Sampling Techniques, 1977, 6.4).
 *
 * @returns null for fewer than two groups, of which nothing can be said
 */
export function groupsInterval(groups: readonly Group[], confidence: number): Interval | null {
  const used = groups.filter(({ count }) => count > 0);
  const mean = meanOf(used);
  if (used.length < 2 || mean === null) return null;
  const count = used.reduce((total, group) => total + group.count, 0);
  const squares = used.reduce((total, group) => total + (group.sum - mean * group.count) ** 2, 0);
  const variance = ((used.length / (used.length - 1)) * squares) / count ** 2;
  return boundedInterval(mean, variance, used.length - 1, used.length, confidence);
}

/** The interval of the mean over independent numbers; null for fewer than two. */
export function numbersInterval({ count, sum, sumSquares }: Group, confidence: number): Interval | null {
  if (count < 2) return null;
  const mean = sum / count;
  const variance = Math.max(0, sumSquares / count - mean * mean) / (count - 1);
  return boundedInterval(mean, variance, count - 1, count, confidence);
}
