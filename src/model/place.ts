/** `FILE#PLACE`: which of the sets of weights in a checkpoint is meant, by the dict or the prefix that it lies in. */
import { access } from 'node:fs/promises';
import { type LocalFile, locate } from '../fetch/local.js';
import type { FetchOptions } from '../fetch/options.js';
import { isRemote } from '../fetch/words.js';
import type { Scope } from './scope.js';

export interface Address extends Readonly<LocalFile> {
  /** What is behind the `#`; undefined when nothing is. */
  readonly place?: string;
}

/** A file whose name has a `#` is taken as it is, where it is there. */
export async function addressOf(text: string): Promise<Address> {
  const at = text.lastIndexOf('#');
  if (at < 1 || at === text.length - 1 || (await isThere(text))) return { path: text };
  return { path: text.slice(0, at), place: text.slice(at + 1) };
}

/**
 * The files that words name: checkpoints, folders with one, and addresses of either, which are fetched.
 * @throws CritmapError: ERR_WEIGHTS for a folder without weights, ERR_OPTION and ERR_FETCH as {@link locate}
 */
export async function addressesOf(
  texts: readonly string[],
  options: FetchOptions = {},
): Promise<{ addresses: Address[]; warnings: string[] }> {
  const addresses: Address[] = [];
  const warnings: string[] = [];
  for (const text of texts) {
    const given = isRemote(text) ? { path: text } : await addressOf(text);
    const {
      file,
      folder,
      warnings: told,
      ...found
    } = await locate(given.path, { ...options, config: false });
    const files = folder ? await folder.weights() : [file!];
    for (const one of files) addresses.push({ ...given, ...found, ...one });
    warnings.push(...told);
  }
  return { addresses, warnings };
}

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** `state_dict.module.encoder_q`; the file's top level is a dot. */
export function nameOfPlace({ table, prefix }: Scope): string {
  return [...table.path, prefix.replace(/\.$/, '')].filter(Boolean).join('.') || '.';
}

/**
 * Those of the places that are meant: the one of just that name, else those that end so, else those that have it as
 * parts of theirs.
 */
export function scopesAt<S extends Scope>(scopes: readonly S[], place: string): S[] {
  const wanted = place === '.' ? '.' : `.${place.replace(/^\.|\.$/g, '')}.`;
  const framed = (scope: S) => (nameOfPlace(scope) === '.' ? '.' : `.${nameOfPlace(scope)}.`);
  const kinds = [
    (scope: S) => framed(scope) === wanted,
    (scope: S) => wanted !== '.' && framed(scope).endsWith(wanted),
    (scope: S) => wanted !== '.' && framed(scope).includes(wanted),
  ];
  for (const isMeant of kinds) {
    const found = scopes.filter(isMeant);
    if (found.length > 0) return found;
  }
  return [];
}
