/**
 * Keeps a cache directory below its limit: the files that were used longest ago go first. Any number of processes
 * may do this at once; a file that another one has deleted already is no failure, and what is deleted here can
 * still be read by who has it open.
 */
import { readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { isSegment, SEGMENT_ENDING, TEMPORARY_ENDING, TOUCH_MS } from './segment.js';
import { isStamps } from './stamps.js';

/** A writer touches its file more often: this one is gone. */
const ABANDONED_MS = 6 * TOUCH_MS;
const LEAST_FREE_BYTES = 2 ** 30;
/** The folder of one transform. */
const TRANSFORM = /^[0-9a-f]{32}$/;

interface Held {
  path: string;
  bytes: number;
  usedMs: number;
}

/**
 * Frees space until `wanted` more bytes fit.
 * @param root - the cache; only files that one wrote count, and only they are deleted
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

/** Deletes the segments of one transform that were used longest ago, so that `most` are left. */
export async function dropOldest(folder: string, most: number): Promise<void> {
  const held = await heldIn(folder, (name) => name.endsWith(SEGMENT_ENDING) && isSegment(name));
  held.sort((a, b) => b.usedMs - a.usedMs);
  for (const { path } of held.slice(most)) await rm(path, { force: true }).catch(() => {});
}

/** The files that a cache has written, and nothing else that may lie there. */
async function listFiles(root: string): Promise<Held[]> {
  const found: Held[] = [];
  const pixels = join(root, 'pixels');
  const transforms = await readdir(pixels, { withFileTypes: true }).catch(() => []);
  for (const entry of transforms) {
    if (!entry.isDirectory() || !TRANSFORM.test(entry.name)) continue;
    for (const held of await heldIn(join(pixels, entry.name), isSegment)) found.push(held);
  }
  for (const held of await heldIn(join(root, 'stamps'), isStamps)) found.push(held);
  return found;
}

async function heldIn(folder: string, isOwn: (name: string) => boolean): Promise<Held[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found: Held[] = [];
  for (const entry of entries) {
    if (!entry.isFile() || !isOwn(entry.name)) continue;
    const path = join(folder, entry.name);
    const info = await stat(path).catch(() => null);
    if (info) found.push({ path, bytes: info.size, usedMs: info.mtimeMs });
  }
  return found;
}
