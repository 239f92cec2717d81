/** Makes directories where mkdir alone would not return. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a directory and its parents. Not mkdir's `recursive`: that never returns where a parent exists and yet
 * cannot take a directory (/proc answers ENOENT for ever).
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path || (await exists(parent))) throw error;
    await makeDirectory(parent);
    await mkdir(path);
  }
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );
