/** A run that is begun anew is kept under another name. */
import { readdir, rename } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { makeDirectory } from '../files/make-directory.js';
import { cannotWrite } from '../files/problems.js';
import { lock } from './lock.js';

/**
 * Renames a run directory to `DIRECTORY.old-TIME` and makes an empty one in its place.
 * @returns its new name; null when there was no run
 * @throws CritmapError (ERR_RUN) when another process writes to it, or it cannot be renamed
 */
export async function setAside(
  directory: string,
  files: { info: string; lock: string },
): Promise<string | null> {
  const place = resolve(directory);
  if (!(await readdir(place)).includes(files.info)) return null;
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const { release } = await lock(join(place, files.lock));
  await release();
  try {
    const taken = new Set(await readdir(join(place, '..')));
    const names = [time, ...Array.from({ length: 99 }, (_, i) => `${time}-${i + 2}`)].map(
      (suffix) => `${place}.old-${suffix}`,
    );
    const name = names.find((one) => !taken.has(basename(one))) ?? `${place}.old-${time}-${process.pid}`;
    await rename(place, name);
    await makeDirectory(place);
    return name;
  } catch (error) {
    throw cannotWrite(directory, error);
  }
}
