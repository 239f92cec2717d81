/**
 * The model as the runtime optimises it for this processor. Cutting that graph instead of the model's own costs
 * nothing: convolutions keep their blocked channels across cuts, nodes stay fused, and all sessions share one
 * copy of the weights. Where a layer's parameters are in it is found by their values, so whatever the runtime
 * renames or reorders, a wrong guess is impossible; a graph in which one is not found is not used.
 */
import { setImmediate } from 'node:timers/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { CritmapError, messageOf } from '../errors.js';
import { lacksMemory, writeReason } from '../files/problems.js';
import type { Model } from '../model/model.js';
import { native } from '../native/addon.js';
import { onnxruntimeLibrary } from '../native/engine.js';
import { openScratchFile, type ScratchFile } from '../native/scratch-file.js';
import { alignTensors } from '../onnx/align.js';
import { storedBytes } from '../onnx/apart.js';
import { writeModel } from '../onnx/encode.js';
import { ModelSchema, type Model as Proto } from '../onnx/onnx_pb.js';
import { FLOAT } from '../onnx/tensors.js';
import { valueInfo } from '../onnx/value-info.js';
import type { ResetContext } from '../resets/kinds.js';
import type { BaseGraph } from './base-graph.js';
import { findPlaces } from './places.js';
import type { ImageSize } from './shapes.js';
import { withParts } from './split.js';

/**
 * ONNX Runtime's optimisers take time in proportion to the square of the nodes that they fold or lay out anew: 16 s for
 * this many, more than 6 minutes for 100,000. No network that somebody has trained has so many.
 */
const MOST_NODES = 20_000;

/**
 * @returns the graph, or why this model has none that can be used
 * @throws CritmapError (ERR_NATIVE) when it is the machine that has no room for it: another time there would be one,
 *   and numbers of the two graphs differ in their last bits
 */
export async function optimisedGraph(
  model: Model,
  size: ImageSize,
  batch: number,
  norm: ResetContext['norm'],
  openFile = openScratchFile,
): Promise<BaseGraph | string> {
  const nodes = model.file.graph.node.length;
  if (nodes > MOST_NODES) {
    return `it has ${nodes.toLocaleString('en')} nodes, and the runtime optimises more than ${MOST_NODES.toLocaleString('en')} too slowly`;
  }
  let proto: Proto;
  try {
    proto = await optimise(model, size, batch, openFile);
  } catch (error) {
    if (isTheMachines(error, model)) throw noRoom(error);
    return messageOf(error);
  }
  const { graph } = proto;
  if (!graph) return 'the runtime wrote no graph';
  await setImmediate();
  const places = await findPlaces(model, graph, norm);
  if (typeof places === 'string') return places;
  const { input, output } = model.io;
  return { proto, ...withParts(model, graph, places), input, output, optimised: true, apart: true };
}

/** Through files: ONNX Runtime hands an optimised model over in no other way, and reading one copies nothing here. */
async function optimise(
  model: Model,
  size: ImageSize,
  batch: number,
  openFile: () => Promise<ScratchFile>,
): Promise<Proto> {
  const { file, io } = model;
  const dims = [batch, size.channels, size.height, size.width];
  const graph = {
    ...file.graph,
    // Known shapes let it fold what computes with shapes.
    input: [valueInfo(io.input, { type: FLOAT, dims })],
    valueInfo: [],
  };
  const made = await openFile();
  try {
    const given = await openFile();
    try {
      await writeModel(given.handle, { ...file.proto, graph });
      await native().runtime.optimise(onnxruntimeLibrary(), given.reference, made.reference);
    } finally {
      // Before the other is read: two models are enough.
      await given.close();
    }
    const optimised = fromBinary(ModelSchema, await made.handle.readFile());
    if (optimised.graph) await alignTensors(optimised.graph);
    return optimised;
  } finally {
    await made.close();
  }
}

/** An optimised graph has weights of other sizes than the model's, which from here on may be more than one file holds. */
const MAY_NOT_FIT = 2 ** 30;

function isTheMachines(error: unknown, { file }: Model): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  const cannotBeWritten = code === 'ERR_FILE' && storedBytes(file.graph) < MAY_NOT_FIT;
  return syscall !== undefined || cannotBeWritten || lacksMemory(error);
}

function noRoom(error: unknown): CritmapError {
  return new CritmapError(
    'ERR_NATIVE',
    `the model as ONNX Runtime optimises it could not be kept for a moment (${writeReason(error)}); give memory and the temporary folder (TMPDIR) room, raise the limits of files (ulimit -f, -n), or use --engine reference`,
    { cause: error },
  );
}
