/**
 * The Hugging Face hub's cache folder, in the layout that its own libraries write and read:
 *
 *     models--OWNER--NAME/refs/main                  the commit that a revision was last
 *                         snapshots/COMMIT/FILE      a link to
 *                         blobs/ETAG                 its bytes
 *                         .no_exist/COMMIT/FILE      empty: there is no such file
 */
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { makeDirectory } from '../files/make-directory.js';
import { readRegular } from '../files/regular-file.js';
import { replaceFile } from '../files/replace.js';

const expanded = (path: string) =>
  path
    .replace(/^~(?=$|[/\\])/, homedir())
    .replace(/\$(?:\{(\w+)\}|(\w+))/g, (all, braced, plain) => process.env[braced ?? plain] ?? all);

export function hubHome(): string {
  const { HF_HOME, XDG_CACHE_HOME } = process.env;
  return expanded(HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface'));
}

function hubCache(): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE } = process.env;
  return expanded(HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(hubHome(), 'hub'));
}

const COMMIT = /^[0-9a-f]{40}$/;
export const isCommit = (revision: string) => COMMIT.test(revision);

export class CachedRepository {
  readonly root: string;

  constructor(repository: string) {
    this.root = join(hubCache(), `models--${repository.replace('/', '--')}`);
  }

  snapshot(commit: string): string {
    return join(this.root, 'snapshots', commit);
  }

  /** Where a file is, if it is there. */
  async path(commit: string, file: string): Promise<string | undefined> {
    const path = join(this.snapshot(commit), file);
    return (await isFile(path)) ? path : undefined;
  }

  names(commit: string): Promise<string[]> {
    return readdir(this.snapshot(commit)).catch(() => []);
  }

  /** The commit that a revision was when it was last asked for. */
  async commitOf(revision: string): Promise<string | undefined> {
    const text = String(await readRegular(join(this.root, 'refs', revision)).catch(() => ''));
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  /** A cache that may not be written to has what it has. */
  async setCommit(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || (await this.commitOf(revision)) === commit) return;
    const path = join(this.root, 'refs', revision);
    await makeDirectory(dirname(path))
      .then(() => replaceFile(path, commit))
      .catch(() => {});
  }

  /** Whether it was seen that the repository has no such file. */
  lacks(commit: string, file: string): Promise<boolean> {
    return isFile(join(this.root, '.no_exist', commit, file));
  }

  async setLacks(commit: string, file: string): Promise<void> {
    const path = join(this.root, '.no_exist', commit, file);
    await mkdir(dirname(path), { recursive: true })
      .then(() => writeFile(path, '', { flag: 'wx' }))
      .catch(() => {});
  }

  /** Where the bytes go; its folder is made. @throws the file system's error */
  async blob(etag: string): Promise<string> {
    await makeDirectory(join(this.root, 'blobs'));
    return join(this.root, 'blobs', etag);
  }

  /** Puts a file into a snapshot. @throws the file system's error */
  async link(commit: string, file: string, blob: string): Promise<string> {
    const path = join(this.snapshot(commit), file);
    await makeDirectory(dirname(path));
    // In one step, whoever does it too.
    const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
    try {
      await symlink(relative(dirname(path), blob), temporary).catch(() => copyFile(blob, temporary));
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    return path;
  }
}

export const isFile = (path: string) =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
