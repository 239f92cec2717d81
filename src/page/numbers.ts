/** Numbers as a reader wants them, the same in every locale, on the page and off it; null, NaN and infinities are {@link DASH}. */

/** Shown where a value was not measured or is not defined. */
export const DASH = '–';

/** A number with a fixed count of decimals; never `-0.00`. */
export function fixed(value: number | null, decimals: number): string {
  if (value === null || !Number.isFinite(value)) return DASH;
  const text = value.toFixed(decimals);
  return /^-0\.?0*$/.test(text) ? text.slice(1) : text;
}

/** An integer with thousands separated by commas: 25,557,032. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** To two digits, as `0.00080` or `1.6e−6`. */
export function probability(p: number | null): string {
  if (p === null || !Number.isFinite(p)) return DASH;
  if (p >= 1e-4) return p.toFixed(p >= 0.1 ? 2 : p >= 0.01 ? 3 : p >= 0.001 ? 4 : 5);
  return p === 0 ? '0' : p.toExponential(1).replace('-', '−');
}
