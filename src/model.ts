/** A trained model, ready to be swept: its file, what it takes and gives, and its layers. */
import { basename } from 'node:path';
import { CritmapError, messageOf } from './errors.js';
import { doubtsOf } from './onnx/doubts.js';
import { chooseEnds, type EndChoice } from './onnx/ends.js';
import { indexGraph } from './onnx/graph.js';
import { type ModelIo, modelIo } from './onnx/io.js';
import { findLayers, type Layer } from './onnx/layers.js';
import { type OnnxFile, readOnnx } from './onnx/model.js';
import type { Tensor } from './onnx/onnx_pb.js';
import { floats } from './onnx/tensors.js';

export interface Model {
  /** File name without its ending, or the name given. */
  name: string;
  file: OnnxFile;
  io: ModelIo;
  /** In graph order. */
  layers: readonly Layer[];
  /** What may make a sweep mean less than it seems, one line each. */
  warnings: readonly string[];
  /** The trained values of a stored tensor, in storage order; always the same array. Not to be written to. */
  values(tensor: string): Float32Array;
}

/** The model's name; what its images and logits are called, by rule unless given ({@link EndChoice}). */
export interface ModelOptions extends EndChoice {
  name?: string;
}

/**
 * Reads an ONNX model and finds its layers. The file is never written to.
 *
 * @param path an `.onnx` file; external data is read from beside it
 * @throws CritmapError with code `ERR_MODEL`: no such file, damaged, no layers, inputs that are not images
 */
export async function loadModel(path: string, options: ModelOptions = {}): Promise<Model> {
  const file = await readOnnx(path, options);
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
    name: options.name ?? basename(path).replace(/\.onnx$/i, ''),
    file,
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
