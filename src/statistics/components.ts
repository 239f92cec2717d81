/**
 * How much of the spread is the luck of the draw, and how much lies between images: the two variance components of a
 * one-way random-effects model with groups of unequal size, by analysis of variance (Searle, Casella and McCulloch,
 * Variance Components, 1992, 3.6). Intervals are the jackknife's over groups, since neither draws nor images are normal.
 */
import type { Group, Interval } from './student.js';
import { tQuantile } from './student-t.js';

export interface Component {
  /** Standard deviation; null where it cannot be estimated. */
  sd: number | null;
  /** Of the standard deviation, at 95 %. */
  interval: Interval | null;
}

export interface Components {
  /** Between the means that groups would have over endless images. */
  between: Component;
  /** Between images of one group. */
  within: Component;
}

/** @param groups - one per draw; those without numbers are left out */
export function components(groups: readonly Group[]): Components {
  const used = groups.filter(({ count }) => count > 0);
  const all = totals(used);
  const estimate = variances(all);
  const without = used.map((group) => variances(minus(all, group)));
  return { between: component('between', estimate, without), within: component('within', estimate, without) };
}

interface Totals {
  groups: number;
  count: number;
  /** Sum of the groups' counts squared. */
  countSquares: number;
  sum: number;
  sumSquares: number;
  /** Sum over groups of sum^2 / count. */
  explained: number;
}

interface Variances {
  between: number | null;
  within: number | null;
}

function totals(groups: readonly Group[]): Totals {
  const none: Totals = { groups: 0, count: 0, countSquares: 0, sum: 0, sumSquares: 0, explained: 0 };
  return groups.reduce<Totals>((all, group) => add(all, group, 1), none);
}

const minus = (all: Totals, group: Group) => add(all, group, -1);

function add(all: Totals, { count, sum, sumSquares }: Group, sign: 1 | -1): Totals {
  return {
    groups: all.groups + sign,
    count: all.count + sign * count,
    countSquares: all.countSquares + sign * count ** 2,
    sum: all.sum + sign * sum,
    sumSquares: all.sumSquares + sign * sumSquares,
    explained: all.explained + (sign * sum ** 2) / count,
  };
}

/** Not below 0 only in the end: a jackknife of cut values would be too narrow. */
function variances({ groups, count, countSquares, sum, sumSquares, explained }: Totals): Variances {
  const within = count > groups ? (sumSquares - explained) / (count - groups) : null;
  if (groups < 2 || within === null) return { between: null, within };
  const meanSquare = (explained - sum ** 2 / count) / (groups - 1);
  const size = (count - countSquares / count) / (groups - 1);
  return { between: (meanSquare - within) / size, within };
}

function component(which: keyof Variances, estimate: Variances, without: readonly Variances[]): Component {
  const variance = estimate[which];
  if (variance === null) return { sd: null, interval: null };
  const sd = Math.sqrt(Math.max(0, variance));
  const left = without.map((one) => one[which]).filter((value) => value !== null);
  const n = without.length;
  if (left.length < n || n < 3) return { sd, interval: null };
  const mean = left.reduce((sum, value) => sum + value, 0) / n;
  const error = Math.sqrt(((n - 1) / n) * left.reduce((sum, value) => sum + (value - mean) ** 2, 0));
  const half = tQuantile(0.975, n - 1) * error;
  const root = (value: number) => Math.sqrt(Math.max(0, value));
  return { sd, interval: { low: root(variance - half), high: root(variance + half) } };
}
