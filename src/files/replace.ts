/** Whole files that are there completely or not at all. */
import { open, rename, rm } from 'node:fs/promises';
import { cannotWrite } from './problems.js';

/**
 * Puts `text` in place of what `path` holds, atomically.
 * @throws CritmapError (ERR_RUN) when it cannot; the old file stays
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const handle = await open(temporary, 'w');
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw cannotWrite(path, error);
  }
}
