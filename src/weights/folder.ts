/** Which files of a folder are its weights, as the Hugging Face hub names them. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { some } from '../errors.js';
import { fileProblem } from '../files/problems.js';
import { readRegular } from '../files/regular-file.js';
import { weightsError } from './weights-error.js';

const INDEX = '.index.json';
/** The hub's names, the preferred first. An index lists the files that large weights are divided into. */
export const usualWeights = [
  'model.safetensors',
  `model.safetensors${INDEX}`,
  'pytorch_model.bin',
  `pytorch_model.bin${INDEX}`,
] as const;

export const isIndex = (name: string) => name.endsWith(INDEX);
const isWeights = (name: string) => /\.(safetensors|pth|pt|ckpt|bin|tar)$/i.test(name);

export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/**
 * The file of weights, or the index of several, among a folder's names.
 * @param folder in words, for messages
 * @throws CritmapError (ERR_WEIGHTS) when there is none, or several that could be meant
 */
export function weightsAmong(names: readonly string[], folder: string): string {
  const others = names.filter(isWeights);
  const found =
    usualWeights.find((name) => names.includes(name)) ?? (others.length === 1 ? others[0] : undefined);
  if (found !== undefined) return found;
  throw others.length > 0
    ? weightsError(folder, `has several files of weights (${some(others)})`, 'name one of them')
    : weightsError(
        folder,
        'is a folder without model.safetensors or pytorch_model.bin',
        'give the checkpoint file',
      );
}

/**
 * The files of weights in a folder: one, or those that its index lists.
 * @throws CritmapError (ERR_WEIGHTS) as {@link weightsAmong}, or when the index is damaged
 */
export async function weightsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw weightsError(folder, ...fileProblem(cause), cause);
  });
  const name = weightsAmong(names, folder);
  const path = join(folder, name);
  return isIndex(name) ? (await filesInIndex(path)).map((shard) => join(folder, shard)) : [path];
}

/** Each tensor's file. Nothing but names: an index leads nowhere out of its folder. */
const indexSchema = z.object({
  weight_map: z.record(z.string(), z.string().regex(/^(?!\.{1,2}$)[\w.-]+$/, 'is no plain file name')),
});

/**
 * The names of the files that an index lists, each once, in order.
 * @throws CritmapError (ERR_WEIGHTS) when it is damaged, or names files elsewhere
 */
export async function filesInIndex(path: string): Promise<string[]> {
  const text = await readRegular(path).catch((cause: unknown) => {
    throw weightsError(path, ...fileProblem(cause), cause);
  });
  const damaged = (why: string, cause: unknown) => weightsError(path, why, 'download it again', cause);
  let value: unknown;
  try {
    value = JSON.parse(text.toString('utf8'));
  } catch (cause) {
    throw damaged('is not JSON', cause);
  }
  const checked = indexSchema.safeParse(value);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw damaged(
      `is no index of weights (${issue!.path.join('.') || 'the whole'}: ${issue!.message})`,
      checked.error,
    );
  }
  const files = [...new Set(Object.values(checked.data.weight_map))].sort();
  if (files.length === 0) throw damaged('is an index without files', undefined);
  return files;
}
