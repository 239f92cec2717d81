/**
 * A data set in several files: `shard-{000000..000009}.tar` and `test-*.parquet` name them, a folder holds them, or
 * one file is all. Files come in the pattern's order, those of a `*` or a folder in code-point order.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { expand } from 'brace-expansion';
import { fileGlob } from '../../files/glob.js';
import { fileError, imageError } from '../input-error.js';
import { compareCodePoints } from './folder-listing.js';

/** How shards end, and what they are. */
const SHARD = /\.(tar|parquet)$/i;
const MOST_SHARDS = 100_000;

export interface Shards {
  readonly kind: 'tar' | 'parquet';
  readonly files: readonly string[];
}

/** Whether a path that is no file itself may stand for several. */
export function isPattern(source: string): boolean {
  return /[{*?]/.test(source);
}

/**
 * The shards that a file or a pattern names.
 * @returns null when it names neither tar nor Parquet files
 * @throws CritmapError ERR_IMAGES when a shard of the pattern is not there
 */
export async function shardsOf(source: string): Promise<Shards | null> {
  if (!SHARD.test(source)) return null;
  const named = (await exists(source)) ? [source] : expand(source, { max: MOST_SHARDS });
  const files: string[] = [];
  for (const name of named) {
    const found = /[*?]/.test(name) && !(await exists(name)) ? await matching(name) : [name];
    for (const file of found) files.push(file);
  }
  return checked(source, files);
}

/**
 * The shards in a folder that holds no images itself.
 * @returns null when there are none
 * @throws CritmapError ERR_IMAGES when they are of both kinds or of several splits
 */
export async function shardsIn(folder: string): Promise<Shards | null> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((thrown: unknown) =>
    Promise.reject(fileError(folder, thrown)),
  );
  const shards = entries
    .filter((entry) => SHARD.test(entry.name) && !entry.name.startsWith('.') && !entry.isDirectory())
    .map(({ name }) => name)
    .sort(compareCodePoints);
  if (shards.length === 0) return null;
  // As the Hugging Face hub names them: train-00000-of-00014.parquet.
  const splits = new Set(shards.map((name) => /^(train|validation|valid|val|test)\b/i.exec(name)?.[1] ?? ''));
  if (splits.size > 1) {
    const first = shards[0]!.replace(/[-_.\d].*$/, '');
    const ending = SHARD.exec(shards[0]!)![0];
    throw imageError(
      folder,
      `holds several splits (${[...splits].map((split) => split || 'others').join(', ')})`,
      `name one, such as '${join(folder, `${first}*${ending}`)}'`,
    );
  }
  return checked(
    folder,
    shards.map((name) => join(folder, name)),
  );
}

async function matching(pattern: string): Promise<string[]> {
  const folder = dirname(pattern);
  const names = await readdir(folder).catch((thrown: unknown) => Promise.reject(fileError(folder, thrown)));
  const matches = fileGlob(basename(pattern));
  const found = names.filter((name) => matches(name)).sort(compareCodePoints);
  if (found.length === 0) throw imageError(pattern, 'matches no file', `look into ${folder}`);
  return found.map((name) => join(folder, name));
}

async function checked(source: string, files: readonly string[]): Promise<Shards> {
  for (const file of files) {
    const info = await stat(file).catch((thrown: unknown) => Promise.reject(fileError(file, thrown)));
    // Opening a named pipe would wait for whoever writes to it.
    if (!info.isFile()) throw imageError(file, 'is not a regular file', 'take it out, or name the others');
  }
  const kinds = new Set(files.map((file) => SHARD.exec(file)?.[1]?.toLowerCase()));
  const [kind] = kinds;
  if (kinds.size !== 1 || (kind !== 'tar' && kind !== 'parquet')) {
    throw imageError(source, 'names tar and Parquet files at once', 'give files of one kind');
  }
  const seen = new Set<string>();
  for (const file of files) {
    const path = resolve(file);
    if (seen.has(path)) throw imageError(source, `names ${file} twice`, 'name it once');
    seen.add(path);
  }
  return { kind, files };
}

/**
 * What the images' names begin with: the shards' own names or, where these repeat (`{train,val}/000.tar`), their
 * paths in the folder that holds all of them.
 */
export function shardNames(files: readonly string[]): string[] {
  const names = files.map((file) => basename(file));
  if (new Set(names).size === names.length) return names;
  const paths = files.map((file) => resolve(file));
  let common = dirname(paths[0]!);
  while (!paths.every((path) => path.startsWith(join(common, sep)))) {
    // Windows has several roots.
    if (dirname(common) === common) return paths;
    common = dirname(common);
  }
  return paths.map((path) => relative(common, path).replaceAll(sep, '/'));
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );
