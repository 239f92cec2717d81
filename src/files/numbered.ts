/** Files that a glob in the last part of a path means, as people number them. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileGlob } from './glob.js';

/** 2 before 10. */
const { compare } = new Intl.Collator('en', { numeric: true });

/**
 * @returns the path itself where it is there or is no glob; else what matches, in the order of its numbers
 * @throws what reading the folder throws
 */
export async function numberedFiles(path: string): Promise<string[]> {
  if (!/[*?[{]/.test(basename(path)) || existsSync(path)) return [path];
  const folder = dirname(path);
  const matches = fileGlob(basename(path));
  const names = (await readdir(folder)).filter((name) => matches(name)).sort(compare);
  return names.map((name) => join(folder, name));
}
