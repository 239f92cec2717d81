/**
 * The model as the runtime optimises it for this processor. Cutting that graph instead of the model's own costs
 * nothing: convolutions keep their blocked channels across cuts, nodes stay fused, and all sessions share one
 * copy of the weights. Where a layer's parameters are in it is found by their values, so whatever the runtime
 * renames or reorders, a wrong guess is impossible; a graph in which one is not found is not used.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { messageOf } from '../errors.js';
import type { Model } from '../model/model.js';
import { native } from '../native/addon.js';
import { onnxruntimeLibrary } from '../native/engine.js';
import { alignTensors } from '../onnx/align.js';
import { writeModel } from '../onnx/encode.js';
import { ModelSchema, type Model as Proto } from '../onnx/onnx_pb.js';
import { FLOAT } from '../onnx/tensors.js';
import { valueInfo } from '../onnx/value-info.js';
import type { ResetContext } from '../resets/reset.js';
import type { BaseGraph } from './base-graph.js';
import { findPlaces } from './places.js';
import type { ImageSize } from './shapes.js';

/** @returns the graph, or why it cannot be used */
export async function optimisedGraph(
  model: Model,
  size: ImageSize,
  batch: number,
  norm: ResetContext['norm'],
): Promise<BaseGraph | string> {
  let proto: Proto;
  try {
    proto = await optimise(model, size, batch);
  } catch (error) {
    return messageOf(error);
  }
  const { graph } = proto;
  if (!graph) return 'the runtime wrote no graph';
  await setImmediate();
  const places = await findPlaces(model, graph, norm);
  if (typeof places === 'string') return places;
  const { input, output } = model.io;
  return { proto, graph, input, output, optimised: true, apart: true, places };
}

/** Through files: ONNX Runtime hands an optimised model over in no other way, and reading one copies nothing here. */
async function optimise(model: Model, size: ImageSize, batch: number): Promise<Proto> {
  const { file, io } = model;
  const dims = [batch, size.channels, size.height, size.width];
  const graph = {
    ...file.graph,
    // Known shapes let it fold what computes with shapes.
    input: [valueInfo(io.input, { type: FLOAT, dims })],
    valueInfo: [],
  };
  const folder = await mkdtemp(join(tmpdir(), 'critmap-'));
  try {
    const [given, made] = [join(folder, 'given.onnx'), join(folder, 'optimised.onnx')];
    await writeModel(given, { ...file.proto, graph });
    await native().runtime.optimise(onnxruntimeLibrary(), given, made);
    // Two models on the disk are enough.
    await rm(given);
    const optimised = fromBinary(ModelSchema, await readFile(made));
    if (optimised.graph) await alignTensors(optimised.graph);
    return optimised;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
