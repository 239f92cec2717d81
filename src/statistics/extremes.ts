/**
 * The largest and the smallest of numbers, however many: each argument of `Math.max(...values)` takes room on the stack, which
 * has none for more than some 100,000.
 */

/** @returns `least` where all are less, or there is none; NaN where one is NaN */
export function largest(values: Iterable<number>, least = Number.NEGATIVE_INFINITY): number {
  let most = least;
  for (const value of values) most = Math.max(most, value);
  return most;
}

/** @returns `most` where all are more, or there is none; NaN where one is NaN */
export function smallest(values: Iterable<number>, most = Number.POSITIVE_INFINITY): number {
  let least = most;
  for (const value of values) least = Math.min(least, value);
  return least;
}
