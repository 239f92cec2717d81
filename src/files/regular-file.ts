/**
 * Files that a person names, opened to be read only where they are regular ones: opening a named pipe waits for whoever
 * writes to it, a terminal for the person, and a device may do anything.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';

/** `code` is EISDIR for a folder, else `ENOTREG`; `what` says what it is. */
export class NotRegular extends Error {
  readonly code: 'EISDIR' | 'ENOTREG';

  constructor(
    path: string,
    readonly what: string,
  ) {
    super(`${path} is ${what}, not a file`);
    this.code = what === 'a folder' ? 'EISDIR' : 'ENOTREG';
  }
}

/** @throws NotRegular, without having opened it; what the file system says */
export async function openRegular(path: string): Promise<FileHandle> {
  await requireRegular(path);
  // Not to wait for one that has come in its place since.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    refuse(path, await handle.stat());
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

export async function requireRegular(path: string): Promise<void> {
  refuse(path, await stat(path));
}

/** The content of a regular file. @throws as {@link openRegular} */
export async function readRegular(path: string): Promise<Buffer> {
  const handle = await openRegular(path);
  try {
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

type Info = Awaited<ReturnType<typeof stat>>;

function refuse(path: string, info: Info): void {
  if (!info.isFile()) throw new NotRegular(path, kindOf(info));
}

function kindOf(info: Info): string {
  if (info.isDirectory()) return 'a folder';
  if (info.isFIFO()) return 'a named pipe';
  if (info.isSocket()) return 'a socket';
  return 'a device';
}
