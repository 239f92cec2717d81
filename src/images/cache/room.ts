/**
 * Keeps a cache directory below its limit: the files that were used longest ago go first. Any number of processes
 * may do this at once; a file that another one has deleted already is no failure, and what is deleted here can
 * still be read by who has it open.
 */
import { readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { TEMPORARY_ENDING } from './segment.js';

/** A writer touches its file every few seconds at most: this one is gone. */
const ABANDONED_MS = 3_600_000;
const LEAST_FREE_BYTES = 2 ** 30;

interface Held {
  path: string;
  bytes: number;
  usedMs: number;
}

/**
 * Frees space until `wanted` more bytes fit.
 * @param root - the cache; all files in its subfolders count
 * @param keep - paths that must stay
 * @returns whether they fit now: within `limit`, and with some of the disk left for others
 */
export async function makeRoom(
  root: string,
  wanted: number,
  limit: number,
  keep: ReadonlySet<string>,
): Promise<boolean> {
  const held = (await listFiles(root)).sort((a, b) => a.usedMs - b.usedMs);
  let total = held.reduce((sum, { bytes }) => sum + bytes, 0);
  const disk = await statfs(root).catch(() => null);
  let free = disk ? disk.bavail * disk.bsize : Number.POSITIVE_INFINITY;
  const leave = disk ? Math.min(LEAST_FREE_BYTES, 0.05 * disk.blocks * disk.bsize) : 0;
  const fits = () => total + wanted <= limit && free - wanted >= leave;
  for (const { path, bytes, usedMs } of held) {
    const abandoned = path.endsWith(TEMPORARY_ENDING) && Date.now() - usedMs > ABANDONED_MS;
    if (!abandoned && (fits() || path.endsWith(TEMPORARY_ENDING) || keep.has(path))) continue;
    await rm(path, { force: true }).catch(() => {});
    total -= bytes;
    free += bytes;
  }
  return fits();
}

async function listFiles(folder: string): Promise<Held[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found: Held[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await listFiles(path)));
    else if (entry.isFile()) {
      const info = await stat(path).catch(() => null);
      if (info) found.push({ path, bytes: info.size, usedMs: info.mtimeMs });
    }
  }
  return found;
}
