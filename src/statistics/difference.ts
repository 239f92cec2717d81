/**
 * The difference of two means and what can be said of it: Student's t, its degrees of freedom, two-sided p-value and
 * interval. Where nothing varies but the means differ, there is no test: with so few different numbers, no t says how
 * rare that is (R's `t.test` refuses likewise).
 */
import type { Group } from './student.js';
import { tQuantile, tTwoSided } from './student-t.js';

/** A mean with the variance that it was estimated to have, and with how many degrees of freedom. */
export interface KnownMean {
  mean: number;
  variance: number;
  freedom: number;
}

export interface Difference {
  difference: number;
  /** Null where there is no test. */
  statistic: number | null;
  freedom: number | null;
  p: number | null;
  low: number | null;
  high: number | null;
}

/** A difference of which nothing more can be said. */
export const untested = (difference: number): Difference => ({
  difference,
  statistic: null,
  freedom: null,
  p: null,
  low: null,
  high: null,
});

/** The mean of independent numbers; null for fewer than two. */
export function meanOfNumbers(values: readonly number[]): KnownMean | null {
  if (values.length < 2) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, variance: squares / (values.length - 1) / values.length, freedom: values.length - 1 };
}

/** The mean over independent groups of nearly equal size: the ratio of sums to counts; null for fewer than two. */
export function meanOfGroups(groups: readonly Group[]): KnownMean | null {
  const used = groups.filter(({ count }) => count > 0);
  if (used.length < 2) return null;
  const { mean, parts } = linearised(used);
  return { mean, variance: varianceOf(parts), freedom: used.length - 1 };
}

/** Means of independent samples, whose variances need not be equal (Welch, 1947). */
export function welch(a: KnownMean, b: KnownMean, confidence: number): Difference {
  const variance = a.variance + b.variance;
  const spread = (a.variance / variance) ** 2 / a.freedom + (b.variance / variance) ** 2 / b.freedom;
  const freedom = variance > 0 ? 1 / spread : a.freedom + b.freedom;
  return tested(a.mean - b.mean, variance, freedom, confidence);
}

/**
 * Means over groups that belong together two by two, as the slices of two sweeps of the same images or the same draws.
 * Of equally large groups it is the paired t-test of their means; of others the means are ratios, as everywhere else.
 *
 * @param a, b - the i-th of both belong together; pairs that lack one are left out
 * @returns null for fewer than two pairs
 * @throws RangeError for unequal lengths
 */
export function paired(a: readonly Group[], b: readonly Group[], confidence: number): Difference | null {
  if (a.length !== b.length) throw new RangeError(`${a.length} groups cannot be paired with ${b.length}`);
  const kept = a.flatMap((one, i) => (one.count > 0 && b[i]!.count > 0 ? [i] : []));
  if (kept.length < 2) return null;
  const [left, right] = [a, b].map((groups) => linearised(kept.map((i) => groups[i]!)));
  const parts = left!.parts.map((part, i) => part - right!.parts[i]!);
  return tested(left!.mean - right!.mean, varianceOf(parts), kept.length - 1, confidence);
}

/** What each group adds to the mean's deviation (Cochran, Sampling Techniques, 1977, 6.4). */
function linearised(groups: readonly Group[]): { mean: number; parts: number[] } {
  const count = groups.reduce((total, group) => total + group.count, 0);
  const mean = groups.reduce((total, group) => total + group.sum, 0) / count;
  return { mean, parts: groups.map((group) => (group.sum - mean * group.count) / count) };
}

/** Of a sum of independent parts whose mean is 0. */
function varianceOf(parts: readonly number[]): number {
  return (parts.length / (parts.length - 1)) * parts.reduce((sum, part) => sum + part ** 2, 0);
}

function tested(difference: number, variance: number, freedom: number, confidence: number): Difference {
  if (!(variance > 0)) {
    if (difference !== 0) return untested(difference);
    return { difference, statistic: 0, freedom, p: 1, low: 0, high: 0 };
  }
  const error = Math.sqrt(variance);
  const half = tQuantile((1 + confidence) / 2, freedom) * error;
  const statistic = difference / error;
  const p = tTwoSided(statistic, freedom);
  return { difference, statistic, freedom, p, low: difference - half, high: difference + half };
}
