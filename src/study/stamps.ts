/**
 * Which of a study's sweeps are finished, so that a study that is repeated does not open models and images again to find
 * out. A run counts as long as the sweep's words and its files are what they were before it was opened; what that does not
 * notice (images that were changed inside a folder) is met when runs are compared, by their fingerprints.
 */
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { parseRemote } from '../fetch/words.js';
import { fileGlob } from '../files/glob.js';
import type { SweepWords } from '../request/open-sweep.js';
import { addressesIn, withPaths } from '../request/sweep-paths.js';
import { readRunSummary } from '../run/read-run.js';
import { readInfo } from '../run/run.js';
import { readEntry, removeEntry, writeEntry } from '../run/study-entry.js';

const hashOf = (value: unknown) =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32);

/** The end of a path that tells files apart and is the same on every machine. */
const ending = (path: string) => join(basename(dirname(path)), basename(path));

/** What is asked of a sweep, wherever its files are and whatever computes it. */
export function askedOf(words: SweepWords): string {
  const { threads: _, device: __, batch: ___, ...choices } = words.sweepChoices;
  const { cache: ____, cacheSize: _____, ...images } = words.imageChoices;
  return hashOf(
    withPaths({ ...words, sweepChoices: choices, imageChoices: images }, { model: ending, data: ending }),
  );
}

/** The files of a sweep as they are now; null where they may change without a trace. */
export async function filesOf(words: SweepWords): Promise<string | null> {
  if (!addressesIn(words).every(isPinned)) return null;
  const paths: string[] = [];
  const note = (path: string) => {
    paths.push(path);
    return path;
  };
  withPaths(words, { model: note, data: note });
  return hashOf(await Promise.all(paths.map(found)));
}

/** A commit, or a hash. */
function isPinned(address: string): boolean {
  const word = parseRemote(address);
  return word.kind === 'url' ? word.sha256 !== undefined : /^[0-9a-f]{40}$/.test(word.revision);
}

type Found = [path: string, size?: number, mtimeMs?: number];

async function found(path: string): Promise<Found[]> {
  const info = await stat(path).catch(() => null);
  const of = (names: readonly string[], folder: string) =>
    Promise.all(
      [...names].sort().map(async (name): Promise<Found> => {
        const { size = -1, mtimeMs = 0 } = await stat(join(folder, name)).catch(() => ({}) as Partial<Stat>);
        return [name, size, mtimeMs];
      }),
    );
  const list = (folder: string) => readdir(folder).catch(() => []);
  // A glob, of which the files count.
  if (!info) {
    const folder = dirname(path);
    return [[path], ...(await of((await list(folder)).filter(fileGlob(basename(path))), folder))];
  }
  const own: Found = [path, info.size, info.mtimeMs];
  if (info.isDirectory()) {
    const names = await list(path);
    // Of images the folder alone: there may be millions.
    return names.length > MOST_FILES ? [own] : [own, ...(await of(names, path))];
  }
  // With what lies beside it: an ONNX file's external data.
  const stem = basename(path, extname(path));
  const beside = extname(path) === '.onnx' ? await list(dirname(path)) : [];
  return [
    own,
    ...(await of(
      beside.filter((name) => name.startsWith(stem)),
      dirname(path),
    )),
  ];
}

interface Stat {
  size: number;
  mtimeMs: number;
}

/** Of a folder that is a model. */
const MOST_FILES = 1000;

/** @param isPart - a part of a sweep has no summary */
export async function isFinished(place: string, words: SweepWords, isPart: boolean): Promise<boolean> {
  const entry = await readEntry(place);
  if (!entry || entry.asked !== askedOf(words) || entry.files === null) return false;
  if (entry.files !== (await filesOf(words))) return false;
  try {
    if (!isPart) await readRunSummary(place);
    return (await readInfo(place)).status === 'done';
  } catch {
    // It is computed again, or said to be damaged when its turn has come.
    return false;
  }
}

/** @param before - {@link filesOf} before they were opened */
export async function finish(place: string, words: SweepWords, before: string | null): Promise<void> {
  const files = before !== null && before === (await filesOf(words)) ? before : null;
  await writeEntry(place, { asked: askedOf(words), files });
}

/**
 * What a sweep that failed came to before does not count any more: it may be of other files. What was asked for in another
 * way counts for nothing now, and does again once the study asks for it.
 */
export async function forget(place: string, words: SweepWords): Promise<void> {
  const entry = await readEntry(place);
  if (!entry || entry.asked === askedOf(words)) await removeEntry(place).catch(() => {});
}
