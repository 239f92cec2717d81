/** From the word that names a model or a checkpoint to a path on this machine. */
import { basename, resolve } from 'node:path';
import { Budget } from '../concurrency.js';
import { isFolder, weightsIn } from '../weights/folder.js';
import { Repository } from './hub.js';
import type { FetchOptions } from './options.js';
import { fetchUrl } from './url.js';
import { isRemote, parseRemote, shownUrl } from './words.js';

export interface LocalFile {
  path: string;
  /** What means the same file for ever, of one that was fetched: with its commit or its SHA-256. */
  source?: string;
  /** What to call what is in it, where the file's own name says little. */
  name?: string;
}

export interface LocalFolder {
  path: string;
  /** What to call what is in it. */
  name: string;
  /** The files of its weights; those of a repository are fetched now. */
  weights: () => Promise<LocalFile[]>;
}

export interface Located {
  /** Exactly one of the two. */
  file?: LocalFile;
  folder?: LocalFolder;
  /** What is behind the `#` of an address. */
  place?: string;
  /** What may not be the newest, in words. */
  warnings: readonly string[];
}

/** Files come in one by one: who asks for the same one next finds it. */
const oneByOne = new Budget(1);

/**
 * A path is itself; an address is fetched, unless it is there. Of a repository as a folder only its
 * configuration is, its weights when they are asked for.
 *
 * @param text a path, `hf:OWNER/NAME[@REVISION][/FILE]` or `https://...[#sha256=HEX]`
 * @throws CritmapError: ERR_OPTION for a bad address, ERR_FETCH when it cannot be fetched; the signal's reason
 */
export async function locate(
  text: string,
  { config = true, ...options }: FetchOptions & { config?: boolean } = {},
): Promise<Located> {
  if (!isRemote(text)) {
    if (!(await isFolder(text))) return { file: { path: text }, warnings: [] };
    const name = basename(resolve(text));
    const weights = async () => (await weightsIn(text)).map((path) => ({ path, name }));
    return { folder: { path: text, name, weights }, warnings: [] };
  }
  const word = parseRemote(text);
  const place = word.place === undefined ? {} : { place: word.place };
  return oneByOne.run(1, async (): Promise<Located> => {
    if (word.kind === 'url') {
      const { path, sha256, warnings } = await fetchUrl(word, options);
      return { file: { path, source: `${shownUrl(word.url)}#sha256=${sha256}` }, ...place, warnings };
    }
    const repository = await Repository.open(word, options);
    const { pinned, warnings } = repository;
    const name = word.repository.split('/').at(-1)!;
    const found = (file: string, path: string): LocalFile => ({
      path,
      source: `${pinned}/${file}`,
      // Others are called as their authors call them.
      ...(/^(pytorch_)?model[.-]/.test(basename(file)) && { name }),
    });
    if (word.file !== undefined) {
      return { file: found(word.file, await repository.file(word.file)), ...place, warnings };
    }
    if (config) await repository.config();
    const weights = () =>
      oneByOne.run(1, async () =>
        (await repository.weights()).map(({ name: file, path }) => ({ ...found(file, path), name })),
      );
    return { folder: { path: repository.folder, name, weights }, ...place, warnings };
  });
}
