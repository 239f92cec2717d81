/** A model of whatever kind a path or an address names: an ONNX file, or a folder as the Hugging Face hub lays it out. */
import { CritmapError } from '../errors.js';
import { type LocalFolder, locate } from '../fetch/local.js';
import { loadFile, type ModelOptions, modelOptions, overlaid, withFiles } from '../model/load.js';
import type { Model } from '../model/model.js';
import { refuseMisuse } from '../options.js';
import { buildModel } from './build.js';
import { readHubFolder } from './hub-folder.js';

/**
 * Reads a model, finds its layers and, if asked to, puts the weights of checkpoints in place of its own. No file of a
 * model is ever written to.
 *
 * @param path an `.onnx` file (external data is read from beside it); a folder with `config.json` and weights; or the
 *   address of either: `hf:OWNER/NAME[@REVISION][/FILE]`, `https://...[#sha256=HEX]`, fetched into a cache if it is not
 *   there
 * @throws CritmapError with code `ERR_MODEL`: no such file, damaged, no layers, inputs that are not images;
 *   `ERR_WEIGHTS`: a checkpoint cannot be read, or does not fit the model; `ERR_FETCH`: an address cannot be fetched;
 *   `ERR_OPTION`: a bad address, or an option that the folder decides
 */
export async function loadAnyModel(path: string, options: ModelOptions = {}): Promise<Model> {
  if (typeof path !== 'string' || path === '') {
    throw new TypeError('loadModel takes the path or the address of a model, and options');
  }
  refuseMisuse('loadModel', options, modelOptions);
  const found = await locate(path, options);
  return found.folder
    ? openFolder(found.folder, path, found.warnings, options)
    : loadFile(found, path, options);
}

/**
 * The same without the weights of a folder, which are not fetched then: for its layers and what they cost.
 * @throws CritmapError as {@link loadAnyModel}
 */
export async function loadNetwork(path: string, options: ModelOptions = {}): Promise<Model> {
  const found = await locate(path, options);
  if (!found.folder) return loadFile(found, path, options);
  return openFolder({ ...found.folder, weights: async () => [] }, path, found.warnings, options);
}

async function openFolder(
  folder: LocalFolder,
  text: string,
  told: readonly string[],
  { weights, allowPartial, rename, ...options }: ModelOptions,
): Promise<Model> {
  for (const option of ['channels', 'input', 'output'] as const) {
    if (options[option] === undefined) continue;
    throw new CritmapError('ERR_OPTION', `--${option} does not go with ${text}, whose config.json says it`);
  }
  const { architecture, options: own, warnings } = await readHubFolder(folder.path, folder.name);
  const { name = own.name, size, ...fetching } = options;
  const built = await buildModel(architecture, { ...own, name, ...(size !== undefined && { size }) });
  const model = { ...built, warnings: [...told, ...built.warnings, ...warnings] };
  const choices = { name, ...given({ allowPartial, rename }) };
  if (weights?.length) return overlaid(model, weights, { ...choices, ...fetching });
  const files = await folder.weights();
  return files.length > 0 ? withFiles(model, files, choices) : model;
}

/** The entries that have a value. */
const given = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
