/**
 * One process at a time writes to a run: it holds a lock of the operating system on a file, which ends with it, however
 * it ends. What is in the file only says who holds it, for people.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { z } from 'zod';
import { CritmapError } from '../errors.js';
import { cannotWrite } from '../files/problems.js';
import { readRegular } from '../files/regular-file.js';
import { native } from '../native/addon.js';

/** Locks that this thread of this process holds, or is about to. */
const ours = new Set<string>();

const holder = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  /** Of the kernel: the same in all of a machine's containers, another after it was started anew. */
  boot: z.string().nullable().default(null),
});
type Holder = z.infer<typeof holder>;

export interface Lock {
  /** Where nothing could be held: what that means. */
  warnings: string[];
  release(): Promise<void>;
}

/**
 * Takes the directory of the lock `path` for this process, also from one that is gone (kill -9).
 * @throws CritmapError (ERR_RUN) when another holds it, or the file cannot be written
 */
export async function lock(path: string): Promise<Lock> {
  const directory = dirname(path);
  const own = resolve(path);
  if (ours.has(own)) throw inUseHere(directory);
  // At once: another of this process may come before anything is awaited.
  ours.add(own);
  try {
    const { warnings, release } = await take(path, directory);
    return { warnings, release: () => release().finally(() => ours.delete(own)) };
  } catch (error) {
    ours.delete(own);
    throw error;
  }
}

async function take(path: string, directory: string): Promise<Lock> {
  const release = hold(path);
  if (release === 'in use') {
    const holder = await holderOf(path);
    throw holder && isThisProcess(holder) ? inUseHere(directory) : inUse(directory, holder);
  }
  const remove = async () => {
    // The name goes first: whoever opened the file meanwhile sees that it is not the one of that name any more.
    await rm(path, { force: true }).finally(release === 'unsupported' ? undefined : release);
  };
  const mine: Holder = { pid: process.pid, host: hostname(), boot: await bootOf() };
  const before = await holderOf(path);
  if (before && !isOfThisMachine(before, mine)) {
    // Locks of some network file systems do not reach from machine to machine.
    if (release !== 'unsupported') release();
    throw inUse(directory, before, `delete ${path} if that process is gone`);
  }
  try {
    await writeFile(path, JSON.stringify(mine));
  } catch (error) {
    await remove().catch(() => {});
    throw cannotWrite(directory, error);
  }
  const warnings =
    release === 'unsupported'
      ? [`the file system of ${directory} knows no locks; see to it that no other critmap writes there`]
      : [];
  return { warnings, release: remove };
}

function hold(path: string): (() => void) | 'in use' | 'unsupported' {
  try {
    return native().lockFile(path);
  } catch (error) {
    throw error instanceof CritmapError ? error : cannotWrite(path, withCode(error));
  }
}

/** The addon's error with the code that Node.js gives such errors. */
function withCode(error: unknown): unknown {
  const { errno } = error as { errno?: number };
  if (errno === undefined || process.platform === 'win32') return error;
  return Object.assign(error as Error, { code: getSystemErrorName(-errno) });
}

/** What the system says is held has a holder that lives: only what is left of another machine's may be deleted. */
function inUse(
  directory: string,
  holder: Holder | undefined,
  remedy = 'choose another directory',
): CritmapError {
  const who = holder ? ` (process ${holder.pid} on ${holder.host})` : '';
  return new CritmapError(
    'ERR_RUN',
    `${directory} is in use by another critmap${who}; wait for it, or ${remedy}`,
  );
}

function inUseHere(directory: string): CritmapError {
  return new CritmapError(
    'ERR_RUN',
    `${directory} is already in use by this process; wait until it is done there, or choose another directory`,
  );
}

const isThisProcess = ({ pid, host }: Holder) => pid === process.pid && host === hostname();

async function holderOf(path: string): Promise<Holder | undefined> {
  try {
    return holder.parse(JSON.parse(String(await readRegular(path))));
  } catch {
    return undefined;
  }
}

const isOfThisMachine = (before: Holder, mine: Holder) =>
  before.host === mine.host || (before.boot !== null && before.boot === mine.boot);

/** Linux names every start of a kernel. */
async function bootOf(): Promise<string | null> {
  const text = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return text.trim() || null;
}
