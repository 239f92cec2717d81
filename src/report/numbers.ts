/** Numbers as a reader wants them, the same in every locale; null, NaN and infinities are {@link DASH}. */
import { DASH, fixed, grouped } from '../page/numbers.js';
import type { Estimate } from '../run/summary.js';

export { fixed, grouped };

/** A count in at most six characters: 640, 9.4k, 2.36M, 1.20B. */
export function compact(value: number): string {
  if (value < 1000) return String(value);
  const units = ['k', 'M', 'B', 'T'];
  let scaled = value / 1000;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${scaled.toFixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0)}${units[unit]}`;
}

/** `54`, or `21 to 54`. */
export function spanOf(values: readonly number[]): string {
  const [least, most] = values.reduce(
    ([a, b], v) => [Math.min(a, v), Math.max(b, v)],
    [values[0]!, values[0]!],
  );
  return least === most ? grouped(least) : `${grouped(least)} to ${grouped(most)}`;
}

/** A weight's shape: 64x3x7x7, or a dash for none. */
export function shapeText(shape: readonly number[]): string {
  return shape.length === 0 ? DASH : shape.join('x');
}

/** Half the width of an interval, or null where it has no bounds. */
export function halfWidth(estimate: Estimate): number | null {
  return estimate.low === null || estimate.high === null ? null : (estimate.high - estimate.low) / 2;
}

/** Whether mean ± half-width says the same as low and high at the given resolution. */
export function isSymmetric(estimate: Estimate, resolution: number): boolean {
  const { mean, low, high } = estimate;
  if (mean === null || low === null || high === null) return true;
  return Math.abs(high - mean - (mean - low)) <= 2 * resolution;
}

/** An interval's bounds: `9.81–12.40`, or a dash where there is none. */
export function intervalText(estimate: Estimate, decimals: number): string {
  if (estimate.low === null || estimate.high === null) return DASH;
  return `${fixed(estimate.low, decimals)}–${fixed(estimate.high, decimals)}`;
}
