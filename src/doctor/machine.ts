/** What the machine gives: memory, cores, folders, open files, a terminal. */
import { existsSync, statfsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { defaultCacheDirectory } from '../files/cache-directory.js';
import { writeReason } from '../files/problems.js';
import { bytesText, DEFAULT_CACHE_BYTES } from '../images/cache/location.js';
import { openFilesLimit, usableMemory, usableThreads } from '../machine.js';
import type { Finding } from './check.js';

/** A sweep of a ResNet-50 needs as much with one thread. */
const LEAST_MEMORY = 1e9;
/** A model beyond 2 GB, or a file of weights that is fetched. */
const LEAST_TEMPORARY = 1e9;
/** critmap itself has some hundred files open while it is loaded. */
const LEAST_FILES = 1024;

export function memory(
  usable = usableMemory(),
  total = totalmem(),
  free = Math.min(process.availableMemory(), usable),
): Finding {
  const isLimited = usable < total;
  const found = `${bytesText(usable)}${isLimited ? ` of ${bytesText(total)}, limited by the job or control group` : ''}; ${bytesText(free)} free`;
  const facts = { usable, total, free };
  if (free >= LEAST_MEMORY) return { found, facts };
  const remedy =
    'Close other programs, give the job more memory, or sweep with --threads 1 and a small --batch';
  return { state: 'note', found, remedy, facts };
}

export function cores(): Finding {
  const usable = usableThreads();
  const all = cpus().length;
  const model = cpus()[0]?.model.trim() || process.arch;
  const limited = usable < all ? ` of ${all}, limited by the job, control group or affinity` : '';
  return {
    found: `${usable} ${usable === 1 ? 'thread' : 'threads'}${limited}; ${model}`,
    facts: { usable, affinity: availableParallelism(), all, model },
  };
}

export async function temporaryFolder(): Promise<Finding> {
  const folder = tmpdir();
  const remedy = 'Let TMPDIR name a folder that can be written to and has room';
  return folderFinding(folder, folder, LEAST_TEMPORARY, remedy);
}

export async function cacheFolder(): Promise<Finding> {
  const folder = defaultCacheDirectory();
  const there = nearest(folder);
  const remedy =
    'Let XDG_CACHE_HOME (or --cache) name a folder that can be written to and has room, or bound it with --cache-size; without a cache images are decoded anew each time';
  return folderFinding(folder, there, DEFAULT_CACHE_BYTES, remedy);
}

/** The folder itself or the first one above it that is there. */
function nearest(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearest(dirname(folder));
}

async function folderFinding(folder: string, there: string, least: number, remedy: string): Promise<Finding> {
  const reason = await whyNotWritable(there);
  const isThere = there === folder;
  if (reason !== null) {
    return { state: 'note', found: `${folder}: ${reason}`, remedy, facts: { folder, writable: false } };
  }
  const { bavail, bsize } = statfsSync(there);
  const room = bavail * bsize;
  const facts = { folder, writable: true, exists: isThere, room };
  const found = `${folder}${isThere ? '' : ' (not made yet)'}: writable, room for ${bytesText(room)}`;
  return room < least ? { state: 'note', found, remedy, facts } : { found, facts };
}

/** Tried by writing a file: rights alone do not say it. */
async function whyNotWritable(folder: string): Promise<string | null> {
  try {
    const trial = await mkdtemp(join(folder, '.critmap-doctor-'));
    try {
      await writeFile(join(trial, 'trial'), 'x');
    } finally {
      await rm(trial, { recursive: true, force: true });
    }
    return null;
  } catch (error) {
    return writeReason(error);
  }
}

export function openFiles(limit = openFilesLimit()): Finding {
  const isUnlimited = limit === Number.POSITIVE_INFINITY;
  const found = isUnlimited ? 'no limit' : `${limit} at once`;
  const facts = { limit: isUnlimited ? null : limit };
  if (limit >= LEAST_FILES) return { found, facts };
  return { state: 'note', found, remedy: `Raise the limit: ulimit -n ${LEAST_FILES}`, facts };
}

/** Of the terminal that stdout is. */
export interface Terminal {
  isTerminal: boolean;
  columns: number | null;
  /** Bits of colour. */
  depth: number;
}

export function terminal({ isTerminal, columns, depth }: Terminal, env = process.env): Finding {
  const { NO_COLOR: no, FORCE_COLOR: force } = env;
  const named = [...(force === undefined ? [] : [`FORCE_COLOR=${force}`]), ...(no ? [`NO_COLOR=${no}`] : [])];
  const colours = depth >= 24 ? 'all colours' : depth > 1 ? `${2 ** depth} colours` : 'no colours';
  const parts = [
    isTerminal ? `${columns ?? 80} columns` : 'no terminal (a pipe or a file)',
    `${colours}${named.length > 0 ? ` (${named.join(', ')})` : ''}`,
  ];
  const facts = { isTerminal, columns, depth };
  if (!isTerminal || depth >= 8 || named.length > 0) return { found: parts.join(', '), facts };
  const remedy = 'Maps are drawn as blocks; with TERM=xterm-256color, or COLORTERM=truecolor, in colours';
  return { state: 'note', found: parts.join(', '), remedy, facts };
}
