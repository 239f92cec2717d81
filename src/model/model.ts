/** A trained model, ready to be swept: its file, what it takes and gives, and its layers. */
import { basename } from 'node:path';
import { CritmapError, messageOf, some } from '../errors.js';
import { type Account, accountOf } from '../onnx/account.js';
import type { OnnxFile } from '../onnx/file.js';
import { indexGraph } from '../onnx/graph.js';
import { type ModelIo, modelIo } from '../onnx/io.js';
import { findLayers, type Layer, type Parameter } from '../onnx/layers.js';
import { findLeftOut, type LeftOut } from '../onnx/left-out.js';
import type { Tensor } from '../onnx/onnx_pb.js';
import { chooseEnds } from '../onnx/passes/ends.js';
import { floats } from '../onnx/tensors.js';
import { doubtsOf } from '../onnx/warnings.js';

/** A trained model as it is swept. */
export interface Model {
  /** The name given, else that of the first checkpoint or of the file without its ending, or the architecture's. */
  name: string;
  /** @internal */
  file: OnnxFile;
  /** SHA-256, in hex, of everything that decides its numbers: of its file, or of that and the weights' files. */
  sha256: string;
  /** Where its weights are from, when not from its file. */
  weights: LoadedWeights | null;
  /** For a built-in architecture, its name and the parameters (stored tensors) that are still random draws. */
  builtIn: {
    architecture: string;
    seed: number;
    random: ReadonlySet<string>;
    /** The options that it was built with: classes, channels, size, preparation of its images. */
    asked: object;
  } | null;
  /** @internal */
  io: ModelIo;
  /** In graph order. */
  layers: readonly Layer[];
  /** Nodes with a trained tensor, or one that may be, that are no layers; in graph order. */
  leftOut: readonly LeftOut[];
  /** Where its trained numbers are. */
  account(): Account;
  /** What may make a sweep mean less than it seems, one line each. */
  warnings: readonly string[];
  /** Of a donor from a checkpoint: the stored tensors that the checkpoint has; without it, all. */
  given?: ReadonlySet<string>;
  /** Norms that are reset with the layer right before them, by that layer. */
  behind?: ReadonlyMap<Layer, Layer>;
  /** Parameters that are parts of stored tensors, by the names that they have here. */
  slices?: ReadonlyMap<string, Parameter>;
  /** The trained values of a stored tensor, or of a part of one, in storage order; always the same array. Not to be written to. */
  values(tensor: string): Float32Array;
}

/** @internal */
export const defaultName = ({ file, builtIn }: Pick<Model, 'file' | 'builtIn'>) =>
  builtIn?.architecture ?? basename(file.path).replace(/\.onnx$/i, '');

/** Said of a built-in architecture as long as some of its parameters are random draws. @internal */
export function randomWarning({
  file,
  builtIn,
  weights,
}: Pick<Model, 'file' | 'builtIn' | 'weights'>): string[] {
  if (!builtIn || builtIn.random.size === 0) return [];
  const which =
    weights === null ? 'its weights' : `the weights that are missing (${some([...builtIn.random])})`;
  return [
    `${file.path}: ${which} are random (seed ${builtIn.seed}), which is good for benchmarks and tests; its results say nothing about a trained model`,
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
  const leftOut = findLeftOut(file, index, layers);
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
    leftOut,
    account: () => accountOf({ file, index, inputs: [io.input] }, layers, leftOut),
    warnings: doubtsOf({ file, index, io, ends, layers, leftOut }),
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

/** What was loaded from where; of a model that had weights of checkpoints before, also what is left of those. */
export interface LoadedWeights {
  files: {
    path: string;
    /** Its address, of one that was fetched, with its commit or its SHA-256. */
    source?: string;
    format: string;
    /** SHA-256 of the whole file, in hex. */
    sha256: string;
    /** The dict and the prefix in it, in words. */
    place: string;
    /** The place that was asked for, behind the file's `#`. */
    chosen?: string;
    /** What its tensors were renamed by, each `REGEX=REPLACEMENT`. */
    renames?: readonly string[];
    /** Whose names its tensors have, where they are not the model's: `transformers' ResNet`. */
    names?: string;
  }[];
  /** In the model's order. */
  mapping: {
    /** PyTorch's name in the model. */
    parameter: string;
    /** The graph's stored tensor. */
    tensor: string;
    /** PyTorch's shape. */
    shape: readonly number[];
    /** Position in `files`. */
    file: number;
    /** The name in that file. */
    key: string;
    /** PyTorch's name of the element type that became float32. */
    type: string;
    transposed: boolean;
  }[];
  /** Parameters that no file has. */
  missing: readonly string[];
  /** Tensors that the model does not have, with their file's position. */
  unexpected: readonly { file: number; key: string }[];
  /** Parameters whose tensor has another shape or type, in words. */
  misfit: readonly string[];
}
