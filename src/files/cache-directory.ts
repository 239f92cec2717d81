/** Where critmap keeps what it can make or fetch again. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** `$XDG_CACHE_HOME/critmap`, by default `~/.cache/critmap` (XDG Base Directory Specification). */
export function defaultCacheDirectory(): string {
  const { XDG_CACHE_HOME } = process.env;
  // The specification has relative paths ignored.
  const base = XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(homedir(), '.cache');
  return join(base, 'critmap');
}

/** What it fetched from web addresses, beside decoded images. */
export const DOWNLOADS = 'downloads';
