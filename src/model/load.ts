/** A model from its file, and the weights of checkpoints laid over it. */
import { basename } from 'node:path';
import { readOnnx } from '../onnx/file.js';
import type { EndChoice } from '../onnx/passes/ends.js';
import type { SizeChoice } from '../onnx/passes/sizes.js';
import { defaultName, type Model, modelOf, randomWarning } from './model.js';
import { type OverlayOptions, overlay } from './overlay.js';
import { tryOut } from './trial.js';

export interface ModelOptions extends EndChoice, SizeChoice {
  name?: string;
  /**
   * Checkpoints (safetensors or torch.save) whose tensors replace the model's; the last that has one counts.
   * `FILE#PLACE` takes those in the dict, or behind the prefix, of that name: `r50.pth#model_ema`.
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
 * @param path an `.onnx` file; external data is read from beside it
 * @throws CritmapError with code `ERR_MODEL`: no such file, damaged, no layers, inputs that are not images;
 *   `ERR_WEIGHTS`: a checkpoint cannot be read, or does not fit the model
 */
export async function loadModel(path: string, options: ModelOptions = {}): Promise<Model> {
  const file = await readOnnx(path, options);
  let model = modelOf(file, options.name);
  if (await tryOut(model)) model = modelOf(file, options.name);
  return options.weights?.length ? withWeights(model, options.weights, options) : model;
}

/**
 * The same graph with the weights of checkpoints. The model given keeps its own. Its warnings stay, so does its name if
 * it was given one, and so do weights from earlier checkpoints where these files have none.
 *
 * @throws CritmapError (ERR_WEIGHTS) when a checkpoint cannot be read, or does not fit the model
 */
export async function withWeights(
  model: Model,
  paths: readonly string[],
  options: Pick<ModelOptions, 'allowPartial' | 'name' | 'rename'> & Pick<OverlayOptions, 'idleRenames'> = {},
): Promise<Model> {
  const { file, weights, sha256, warnings } = await overlay(model, paths, options);
  const isNamed = model.weights !== null || model.name !== defaultName(model);
  const name = options.name ?? (isNamed ? model.name : baseName(weights.files.at(-paths.length)!.path));
  const loaded = new Set(weights.mapping.map(({ tensor }) => tensor));
  const builtIn = model.builtIn && { ...model.builtIn, random: without(model.builtIn.random, loaded) };
  const made = { ...modelOf(file, name), sha256, weights, builtIn };
  const stale = randomWarning(model);
  const told = [
    ...randomWarning(made),
    ...model.warnings.filter((warning) => !stale.includes(warning)),
    ...made.warnings,
    ...warnings,
  ];
  return { ...made, warnings: [...new Set(told)] };
}

export const without = (all: ReadonlySet<string>, some: ReadonlySet<string>) =>
  new Set([...all].filter((one) => !some.has(one)));
/** A checkpoint's file name without `.pth.tar` and the like. */
const baseName = (path: string) =>
  basename(path).replace(/(?<=.)(\.(pth|pt|ckpt|bin|tar|th|pkl|safetensors))+$/i, '');
