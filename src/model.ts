/** A trained model, ready to be swept: its file, what it takes and gives, and its layers. */
import { basename } from 'node:path';
import { indexGraph } from './onnx/graph.js';
import { type ModelIo, modelIo } from './onnx/io.js';
import { findLayers, type Layer } from './onnx/layers.js';
import { type OnnxFile, readOnnx } from './onnx/model.js';
import { floats } from './onnx/tensors.js';

export interface Model {
  /** File name without its ending, or the name given. */
  name: string;
  file: OnnxFile;
  io: ModelIo;
  /** In graph order. */
  layers: readonly Layer[];
  /** The trained values of a stored tensor, in storage order. Not to be written to. */
  values(tensor: string): Float32Array;
}

/**
 * Reads an ONNX model and finds its layers. The file is never written to.
 *
 * @param path an `.onnx` file; external data is read from beside it
 * @throws CritmapError with code `ERR_MODEL`: no such file, damaged, no layers, inputs that are not images
 */
export async function loadModel(path: string, options: { name?: string } = {}): Promise<Model> {
  const file = await readOnnx(path);
  const index = indexGraph(file.graph);
  const layers = findLayers(file, index);
  const io = modelIo(file, index);
  return {
    name: options.name ?? basename(path).replace(/\.onnx$/i, ''),
    file,
    io,
    layers,
    values(tensor) {
      const proto = index.tensors.get(tensor);
      if (!proto) throw new RangeError(`${path} has no stored tensor named ${tensor}`);
      return floats(proto);
    },
  };
}
