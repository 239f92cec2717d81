/** Makes directories where mkdir alone would not return. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a directory and its parents, which other processes may be making too. Not mkdir's `recursive`: that never
 * returns where a parent exists and yet cannot take a directory (/proc answers ENOENT for ever).
 */
export async function makeDirectory(path: string): Promise<void> {
  const failure = await makeOne(path);
  if (failure === null) return;
  const parent = dirname(path);
  if (failure.code !== 'ENOENT' || parent === path) throw failure;
  // It may be there by now.
  if (!(await exists(parent))) await makeDirectory(parent);
  const still = await makeOne(path);
  if (still !== null) throw still;
}

/** Null when the directory is there, whoever made it; else why not. */
async function makeOne(path: string): Promise<NodeJS.ErrnoException | null> {
  try {
    await mkdir(path);
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST' && (await stat(path)).isDirectory();
    return isThere ? null : (error as NodeJS.ErrnoException);
  }
  return null;
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );
