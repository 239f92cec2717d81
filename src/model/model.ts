/** A trained model, ready to be swept: its file, what it takes and gives, and its layers. */
import { basename } from 'node:path';
import { CritmapError, messageOf } from '../errors.js';
import { type OnnxFile, readOnnx } from '../onnx/file.js';
import { indexGraph } from '../onnx/graph.js';
import { type ModelIo, modelIo } from '../onnx/io.js';
import { findLayers, type Layer } from '../onnx/layers.js';
import type { Tensor } from '../onnx/onnx_pb.js';
import { chooseEnds, type EndChoice } from '../onnx/passes/ends.js';
import { floats } from '../onnx/tensors.js';
import { doubtsOf } from '../onnx/warnings.js';
import { some } from '../weights/weights-error.js';
import { type LoadedWeights, overlay } from './overlay.js';

export interface Model {
  /** The name given, else that of the first checkpoint or of the file without its ending, or the architecture's. */
  name: string;
  file: OnnxFile;
  /** Of everything that decides its numbers, in hex: the file's, or over it and the weights' files. */
  sha256: string;
  /** Where its weights are from, when not from its file. */
  weights: LoadedWeights | null;
  /** Of a built-in architecture: its name, and the parameters (stored tensors) that are still random draws. */
  builtIn: { architecture: string; seed: number; random: ReadonlySet<string> } | null;
  io: ModelIo;
  /** In graph order. */
  layers: readonly Layer[];
  /** What may make a sweep mean less than it seems, one line each. */
  warnings: readonly string[];
  /** The trained values of a stored tensor, in storage order; always the same array. Not to be written to. */
  values(tensor: string): Float32Array;
}

export interface ModelOptions extends EndChoice {
  name?: string;
  /** Checkpoints (safetensors or torch.save) whose tensors replace the model's; the last that has one counts. */
  weights?: readonly string[];
  /** Load what fits of them, where otherwise every parameter must be there and nothing else. */
  allowPartial?: boolean;
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
  const model = modelOf(await readOnnx(path, options), options.name);
  return options.weights?.length ? withWeights(model, options.weights, options) : model;
}

/**
 * The same graph with the weights of checkpoints. The model given keeps its own; what is told of it, its name if it
 * was given one, and the weights that it has from earlier checkpoints, where these files have none, stay.
 *
 * @throws CritmapError (ERR_WEIGHTS) when a checkpoint cannot be read, or does not fit the model
 */
export async function withWeights(
  model: Model,
  paths: readonly string[],
  options: Pick<ModelOptions, 'allowPartial' | 'name'> = {},
): Promise<Model> {
  const { file, weights, sha256, warnings } = await overlay(model, paths, options);
  const isNamed = model.weights !== null || model.name !== defaultName(model);
  const name = options.name ?? (isNamed ? model.name : baseName(paths[0]!));
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

const without = (all: ReadonlySet<string>, some: ReadonlySet<string>) =>
  new Set([...all].filter((one) => !some.has(one)));

const defaultName = ({ file, builtIn }: Pick<Model, 'file' | 'builtIn'>) =>
  builtIn?.architecture ?? basename(file.path).replace(/\.onnx$/i, '');

/** Of a checkpoint, without `.pth.tar` and the like. */
const baseName = (path: string) =>
  basename(path).replace(/(?<=.)(\.(pth|pt|ckpt|bin|tar|th|pkl|safetensors))+$/i, '');

/** Said of a built-in architecture as long as some of its parameters are random draws. */
export function randomWarning({
  file,
  builtIn,
  weights,
}: Pick<Model, 'file' | 'builtIn' | 'weights'>): string[] {
  if (!builtIn || builtIn.random.size === 0) return [];
  const which =
    weights === null ? 'its weights' : `the weights that are missing (${some([...builtIn.random])})`;
  return [
    `${file.path}: ${which} are random (seed ${builtIn.seed}), which is good for benchmarks and tests; nothing in its results speaks of a trained model`,
  ];
}

/**
 * Finds the layers of a model that is in memory: read, or built.
 *
 * @throws CritmapError with code `ERR_MODEL`: damaged, no layers, inputs that are not images
 */
export function modelOf(file: OnnxFile, name?: string): Model {
  const { path } = file;
  const ends = file.ends ?? chooseEnds(path, file.graph);
  const index = indexGraph(file.graph);
  const layers = findLayers(file, index);
  const io = modelIo(file, ends);
  const values = new Map<string, Float32Array>();
  // A weight whose bytes are missing should be met here, not after hours.
  for (const { weight, bias } of layers) {
    for (const parameter of bias ? [weight, bias] : [weight]) {
      const proto = index.tensors.get(parameter.tensor);
      if (proto) values.set(parameter.tensor, readable(path, proto));
    }
  }
  return {
    name: name ?? defaultName({ file, builtIn: null }),
    file,
    sha256: file.sha256,
    weights: null,
    builtIn: null,
    io,
    layers,
    warnings: doubtsOf({ file, index, io, ends, layers }),
    values(tensor) {
      const known = values.get(tensor);
      if (known) return known;
      const proto = index.tensors.get(tensor);
      if (!proto) throw new RangeError(`${path} has no stored tensor named ${tensor}`);
      const found = floats(proto);
      values.set(tensor, found);
      return found;
    },
  };
}

function readable(path: string, proto: Tensor): Float32Array {
  try {
    return floats(proto);
  } catch (cause) {
    throw new CritmapError('ERR_MODEL', `${path}: ${messageOf(cause)}`, { cause });
  }
}
