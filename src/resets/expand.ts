/** One word of `--reset` that stands for several resets: a list of numbers, a glob of donors, or both. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { CritmapError, messageOf } from '../errors.js';
import { isRemote } from '../fetch/words.js';
import { numberedFiles } from '../files/numbered.js';

/** Kinds whose argument may be a list, as `prune=0.1,0.3,0.5`. */
const listed: ReadonlySet<string> = new Set([
  ...['constant', 'noise', 'quantize', 'prune', 'prune-channels', 'lowrank'],
]);

/**
 * The words of single resets, in order: `noise=0.1,0.2` is two, `donor=step-*.pth` one for every file, by the numbers in
 * their names, `interpolate=step-*.pth@0,0.5,1` three for every file.
 *
 * @throws CritmapError (ERR_OPTION) when a glob matches no file
 */
export async function expandResets(texts: readonly string[]): Promise<string[]> {
  return (await Promise.all(texts.map(expanded))).flat();
}

/** The same without a look at files: a glob stays as it is. */
export function singleWords(text: string): string[] {
  const { kind, argument, file, ends } = split(text);
  if (listed.has(kind)) return argument.split(',').map((part) => `${kind}=${part}`);
  return file === '' ? [text] : ends.map((end) => `${kind}=${file}${end}`);
}

async function expanded(text: string): Promise<string[]> {
  const { kind, file, ends } = split(text);
  if (file === '') return singleWords(text);
  const files = await filesOf(text, file);
  return files.flatMap((path) => ends.map((end) => `${kind}=${path}${end}`));
}

function split(text: string) {
  const [, kind = '', argument = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const [, file = '', alphas] =
    (kind === 'interpolate' && /^(.+)@([^@]*)$/s.exec(argument)) ||
    (kind === 'donor' && [argument, argument]) ||
    [];
  const ends = alphas === undefined ? [''] : alphas.split(',').map((alpha) => `@${alpha}`);
  return { kind, argument, file, ends };
}

/** `FILE#PLACE` is one of a file's sets of weights. */
async function filesOf(text: string, words: string): Promise<string[]> {
  if (isRemote(words)) return [words];
  const at = existsSync(words) ? -1 : words.lastIndexOf('#');
  const [path, place] = at < 0 ? [words, ''] : [words.slice(0, at), words.slice(at)];
  const found = await numberedFiles(path).catch((cause: unknown) => {
    throw new CritmapError('ERR_OPTION', `--reset ${text}: ${messageOf(cause)}`, { cause });
  });
  if (found.length === 0) {
    throw new CritmapError('ERR_OPTION', `--reset ${text}: it matches no file; look into ${dirname(path)}`);
  }
  return found.map((one) => `${one}${place}`);
}
