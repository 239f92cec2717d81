/** How large the image cache may become. */
import { optionError } from '../input-error.js';

/** ImageNet's 50,000 validation images at 224 x 224 take 7.5 GB. */
export const DEFAULT_CACHE_BYTES = 10e9;
const LEAST_BYTES = 1e6;

const UNITS: Record<string, number> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const BINARY_UNITS: Record<string, number> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/**
 * Bytes of a size such as `20GB`, `512MiB` or `1000000`.
 * @throws CritmapError ERR_OPTION when it is no size or below 1 MB
 */
export function parseCacheSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([kmgt])(i)?)?b?$/i.exec(text.trim());
  const unit = match?.[2]?.toLowerCase() ?? '';
  const bytes = match ? Math.floor(Number(match[1]) * (match[3] ? BINARY_UNITS : UNITS)[unit]!) : Number.NaN;
  if (!(Number.isSafeInteger(bytes) && bytes >= LEAST_BYTES)) {
    throw optionError(`--cache-size ${JSON.stringify(text)} is not a size from 1MB; write 20GB or 512MiB`);
  }
  return bytes;
}

/** `7.5 GB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : Number(value.toPrecision(2))} ${units[power]}`;
}
