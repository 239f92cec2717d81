/** How many decimals a number with an interval is told with. */

const MOST = 8;

/**
 * So many that the interval's width (without one, the number itself) has two significant digits; at least one.
 * Of what is exactly known or 0, one.
 */
export function decimalsFor(row: {
  difference: number | null;
  low: number | null;
  high: number | null;
}): number {
  const { difference, low, high } = row;
  const width = low === null || high === null ? Math.abs(difference ?? 0) : high - low;
  return width > 0 ? Math.min(MOST, Math.max(1, 1 - Math.floor(Math.log10(width)))) : 1;
}
