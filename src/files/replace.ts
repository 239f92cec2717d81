/** Whole files that are there completely or not at all, and stay so when the power fails. */
import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cannotWrite } from './problems.js';

/** What a file is called while it is written. */
const temporaryName = () => `critmap-${randomBytes(6).toString('hex')}.tmp`;
const TEMPORARY = /^critmap-[0-9a-f]{12}\.tmp$/;
export const isTemporary = (name: string) => TEMPORARY.test(name);
/** A path that nobody has, in the directory of another. */
export const temporaryBeside = (path: string) => join(dirname(path), temporaryName());

/** What becomes a file: all of it, or piece by piece. */
export type Content = string | Uint8Array | Iterable<string>;

/**
 * Puts `content` in place of what `path` holds, atomically. A link is replaced, not followed.
 * @throws CritmapError (ERR_RUN) when it cannot; the old file stays
 */
export async function replaceFile(path: string, content: Content): Promise<void> {
  const directory = dirname(path);
  const temporary = temporaryBeside(path);
  try {
    // Exclusively: a file or a link that someone put there is not written to.
    const handle = await open(temporary, 'wx');
    try {
      const pieces = typeof content === 'string' || content instanceof Uint8Array ? [content] : content;
      for (const piece of pieces) await handle.appendFile(piece);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncDirectory(directory);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw cannotWrite(path, error);
  }
}

/**
 * The same for a path that a person gave as the output, where it names a file; what else is there (a device, a pipe) is
 * written to.
 */
export async function writeOutput(path: string, content: string | Uint8Array): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (!found || found.isFile()) return replaceFile(path, content);
  await writeFile(path, content).catch((error) => Promise.reject(cannotWrite(path, error)));
}

/** Removes what writers that were killed have left. Only for who is the directory's one writer. */
export async function removeTemporary(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (isTemporary(name)) await rm(join(directory, name), { force: true });
  }
}

/** A new name is on the disk when its directory is. */
async function syncDirectory(directory: string): Promise<void> {
  // Windows opens no directories, and writes names through.
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems cannot.
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error;
  } finally {
    await handle.close();
  }
}
