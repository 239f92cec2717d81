/**
 * `--init-from`: the files of several freshly built models, which are the draws of a random reset in place of critmap's
 * own. Draw t takes file t mod n.
 */
import { dirname, resolve } from 'node:path';
import { CritmapError, messageOf } from '../errors.js';
import type { FetchOptions } from '../fetch/options.js';
import { isRemote } from '../fetch/words.js';
import { numberedFiles } from '../files/numbered.js';
import type { Model } from '../model/model.js';
import type { EndChoice } from '../onnx/passes/ends.js';
import { refuseMisuse } from '../options.js';
import { endOptions, loadDonor } from './parse.js';

const refuse = (what: string, why: string, cause?: unknown) =>
  new CritmapError('ERR_OPTION', `--init-from ${what}: ${why}`, { cause });

/**
 * Loads the files that names and globs mean, each glob's in the order of their numbers. Memory holds them all.
 *
 * @param sources checkpoints of the model, or ONNX files of its architecture, or their addresses; `*` and `?` stand in file names
 * @throws CritmapError ERR_OPTION when a glob matches no file or two files are the same, ERR_WEIGHTS and ERR_MODEL as
 *   donors do
 */
export async function loadFresh(
  sources: readonly string[],
  model: Model,
  options: EndChoice & FetchOptions = {},
): Promise<Model[]> {
  refuseMisuse('loadFresh', options, endOptions);
  const { input, output, onFetch, signal } = options;
  if (!Array.isArray(sources) || !sources.every((source) => typeof source === 'string')) {
    throw new TypeError('loadFresh takes a list of file names and globs');
  }
  const paths = (await Promise.all(sources.map(filesOf))).flat();
  const models: Model[] = [];
  const places = new Map<string, string>();
  for (const path of paths) {
    const fresh = await loadDonor(path, model, { input, output, onFetch, signal });
    const twin = places.get(fresh.sha256);
    if (twin !== undefined) {
      const why =
        resolve(twin) === resolve(path)
          ? 'it is named twice'
          : `it is ${twin} once more; build each with a seed of its own`;
      throw refuse(path, why);
    }
    places.set(fresh.sha256, path);
    models.push(fresh);
  }
  return models;
}

async function filesOf(source: string): Promise<string[]> {
  if (isRemote(source)) return [source];
  const found = await numberedFiles(source).catch((thrown: unknown) => {
    throw refuse(source, messageOf(thrown), thrown);
  });
  if (found.length === 0) throw refuse(source, `matches no file; look into ${dirname(source)}`);
  return found;
}
