/** One process at a time writes to a run: a file that names its holder. */
import { open, readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { z } from 'zod';
import { CritmapError } from '../errors.js';
import { cannotWrite } from '../files/problems.js';

const holder = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  /** When the process started, in the kernel's count; tells it from a later one of the same number. */
  start: z.string().nullable().default(null),
});
type Holder = z.infer<typeof holder>;

/** Takes the directory of the lock `path` for this process; a lock whose process is gone (kill -9) is taken over. */
export async function lock(path: string): Promise<() => Promise<void>> {
  const directory = dirname(path);
  const start = await startOf(process.pid);
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), start });
  for (let attempt = 0; ; attempt++) {
    const made = await open(path, 'wx').catch((error: NodeJS.ErrnoException) => error);
    if (!(made instanceof Error)) {
      const release = () => rm(path, { force: true });
      try {
        await made.writeFile(mine).finally(() => made.close());
        return release;
      } catch (error) {
        // A full disk has a place for its name and none for its content.
        await release().catch(() => {});
        throw cannotWrite(directory, error);
      }
    }
    if (made.code !== 'EEXIST') throw cannotWrite(directory, made);
    const holder = await holderOf(path);
    if (attempt > 0 || (holder && (await isAlive(holder)))) {
      throw new CritmapError(
        'ERR_RUN',
        `${directory} is in use by another critmap (process ${holder?.pid ?? '?'} on ${holder?.host ?? '?'}); wait for it, or delete ${path} if that process is gone`,
      );
    }
    await rm(path, { force: true });
  }
}

async function holderOf(path: string): Promise<Holder | undefined> {
  try {
    return holder.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

async function isAlive({ pid, host, start }: Holder): Promise<boolean> {
  // Another machine's processes cannot be asked; the person decides.
  if (host !== hostname()) return true;
  if (start !== null && start !== (await startOf(pid))) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Linux tells when a process started; elsewhere, and for a process that is gone, null. */
async function startOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The 22nd field; the second, the program's name, may itself hold spaces and ends at the last parenthesis.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}
