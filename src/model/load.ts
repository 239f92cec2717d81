/** A model from its file, and the weights of checkpoints laid over it. */
import { basename } from 'node:path';
import { CritmapError } from '../errors.js';
import { type Located, locate } from '../fetch/local.js';
import { type FetchOptions, fetchOptions } from '../fetch/options.js';
import { readOnnx } from '../onnx/file.js';
import type { EndChoice } from '../onnx/passes/ends.js';
import type { SizeChoice } from '../onnx/passes/sizes.js';
import { type OptionKinds, refuseMisuse } from '../options.js';
import { defaultName, type Model, modelOf, randomWarning } from './model.js';
import { type OverlayOptions, overlay } from './overlay.js';
import { type Address, addressesOf } from './place.js';
import { tryOut } from './trial.js';

/** What a model is called, and where its weights are from. */
export interface ModelOptions extends EndChoice, SizeChoice, FetchOptions {
  name?: string;
  /**
   * Checkpoints (safetensors or torch.save) whose tensors replace the model's; the last that has one counts.
   * `FILE#PLACE` takes those in the dict, or behind the prefix, of that name: `r50.pth#model_ema`. A file may also be a
   * folder with one, or the address of either: `hf:OWNER/NAME[@REVISION][/FILE]`, `https://...[#sha256=HEX]`.
   */
  weights?: readonly string[];
  /** Load what fits of them, where otherwise every parameter must be there. */
  allowPartial?: boolean;
  /** Other names for their tensors, each `REGEX=REPLACEMENT`, one after the other. */
  rename?: readonly string[];
}

/**
 * Reads an ONNX model, finds its layers and, if asked to, puts the weights of checkpoints in place of its own. No
 * file is ever written to.
 *
 * @param path an `.onnx` file, or the address of one; external data is read from beside it
 * @throws CritmapError with code `ERR_MODEL`: no such file, damaged, no layers, inputs that are not images;
 *   `ERR_WEIGHTS`: a checkpoint cannot be read, or does not fit the model; `ERR_FETCH`: an address cannot be fetched
 */
export async function loadModel(path: string, options: ModelOptions = {}): Promise<Model> {
  return loadFile(await locate(path, options), path, options);
}

/** The same of a file that is there. @param text - as it was named */
export async function loadFile(
  { file: found, place, warnings }: Located,
  text: string,
  options: ModelOptions,
): Promise<Model> {
  if (place !== undefined) {
    throw new CritmapError(
      'ERR_OPTION',
      `${text}: ${found?.path} is an ONNX model, which has one set of weights; leave out #${place}`,
    );
  }
  const file = { ...(await readOnnx(found?.path ?? text, options)), ...sourceOf(found) };
  let model = modelOf(file, options.name);
  if (await tryOut(model)) model = modelOf(file, options.name);
  if (warnings.length > 0) model = { ...model, warnings: [...warnings, ...model.warnings] };
  return options.weights?.length ? overlaid(model, options.weights, options) : model;
}

const overlayOptions = {
  ...{ name: 'text', allowPartial: 'boolean', rename: 'texts', idleRenames: null },
  ...fetchOptions,
} as const satisfies OptionKinds<Overlay & FetchOptions>;

/** Of `loadModel`; see `refuseMisuse`. */
export const modelOptions = {
  ...{ name: 'text', weights: 'texts', allowPartial: 'boolean', rename: 'texts' },
  ...{ input: 'text', output: 'text', channels: null, size: null },
  ...fetchOptions,
} as const satisfies OptionKinds<ModelOptions>;

const sourceOf = (file: { source?: string } | undefined) =>
  file?.source === undefined ? {} : { source: file.source };

type Overlay = Pick<ModelOptions, 'allowPartial' | 'name' | 'rename'> & Pick<OverlayOptions, 'idleRenames'>;

/**
 * The same graph with the weights of checkpoints. The model given keeps its own. Its warnings stay, so does its name if
 * it was given one, and so do weights from earlier checkpoints where these files have none.
 *
 * @param paths files, folders and addresses, as {@link ModelOptions.weights}
 * @throws CritmapError: ERR_WEIGHTS when a checkpoint cannot be read, or does not fit the model; ERR_FETCH when an
 *   address cannot be fetched
 */
export async function withWeights(
  model: Model,
  paths: readonly string[],
  options: Overlay & FetchOptions = {},
): Promise<Model> {
  refuseMisuse('withWeights', options, overlayOptions);
  const arePaths = Array.isArray(paths) && paths.every((path) => typeof path === 'string');
  if (!model?.layers || !arePaths) {
    throw new TypeError('withWeights takes a model (loadModel), a list of checkpoints and options');
  }
  return overlaid(model, paths, options);
}

/** The same for who has checked its options; others among them do not matter. */
export async function overlaid(
  model: Model,
  paths: readonly string[],
  options: Overlay & FetchOptions,
): Promise<Model> {
  const { addresses, warnings } = await addressesOf(paths, options);
  return withFiles(model, addresses, options, warnings);
}

/** The same with files that are there. */
export async function withFiles(
  model: Model,
  files: readonly Address[],
  options: Overlay = {},
  told: readonly string[] = [],
): Promise<Model> {
  const { file, weights, sha256, warnings } = await overlay(model, files, options);
  const isNamed = model.weights !== null || model.name !== defaultName(model);
  const [first] = files;
  const name = options.name ?? (isNamed ? model.name : (first!.name ?? baseName(first!.path)));
  const loaded = new Set(weights.mapping.map(({ tensor }) => tensor));
  const builtIn = model.builtIn && { ...model.builtIn, random: without(model.builtIn.random, loaded) };
  const made = { ...modelOf(file, name), sha256, weights, builtIn };
  const stale = randomWarning(model);
  const all = [
    ...randomWarning(made),
    ...model.warnings.filter((warning) => !stale.includes(warning)),
    ...made.warnings,
    ...told,
    ...warnings,
  ];
  return { ...made, warnings: [...new Set(all)] };
}

export const without = (all: ReadonlySet<string>, some: ReadonlySet<string>) =>
  new Set([...all].filter((one) => !some.has(one)));
/** A checkpoint's file name without `.pth.tar` and the like. */
const baseName = (path: string) =>
  basename(path).replace(/(?<=.)(\.(pth|pt|ckpt|bin|tar|th|pkl|safetensors))+$/i, '');
