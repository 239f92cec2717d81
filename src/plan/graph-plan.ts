/** The plan of a model's graph: its data flow, shapes, cuts and parts, and what they come to in MACs. */
import { setImmediate } from 'node:timers/promises';
import type { Resettable } from '../model/layer-group.js';
import { elementCount } from '../onnx/tensors.js';
import type { TensorShape } from '../onnx/value-info.js';
import { type BaseGraph, BLOCKED } from './base-graph.js';
import { type Cut, candidateCuts, chooseCuts } from './cuts.js';
import { type Dataflow, dataflowOf, dependents } from './dataflow.js';
import { stepMacs } from './macs.js';
import { type Parts, partsOf, type Replaced } from './parts.js';
import { type ImageSize, shapesOf } from './shapes.js';

export interface GraphPlan {
  flow: Dataflow;
  shapes: ReadonlyMap<string, TensorShape>;
  cuts: Cut[];
  parts: Parts;
  /** Multiply-accumulates of one image: of one plain forward pass, and of one cell of every layer or group. */
  macs: {
    forward: number;
    suffixes: number;
    /** One cell of each, in their order. */
    layers: readonly number[];
    /** Of one cell in which a tensor is replaced, by its name; not in `suffixes`. */
    activations: ReadonlyMap<string, number>;
  };
}

/** One worker's activations that wait for their layers' turns. */
const KEPT_BYTES = 80 * 2 ** 20;

export interface GraphPlanOptions {
  size: ImageSize;
  batch: number;
  layers: readonly Resettable[];
  /** The graph's tensors of a layer or group that some reset of the sweep replaces. */
  parametersOf: (layer: Resettable) => readonly string[];
  /** Tensors that other resets of the sweep replace. */
  replaced?: readonly Replaced[];
  /** Bytes that copies of weights may take; default twice the model's weights and at least 64 MB. */
  budget?: number;
  /** Chooses among all possible cuts instead of the cost model; the first and the last must stay. */
  choose?: (candidates: readonly Cut[]) => Cut[];
}

export async function planGraph(source: BaseGraph, options: GraphPlanOptions): Promise<GraphPlan> {
  const { size, batch, layers, parametersOf, replaced = [] } = options;
  const flow = dataflowOf(source.graph, source.input, source.output);
  const shapes = await shapesOf(source, flow, size, batch);
  await setImmediate();
  const stored = new Map(source.graph.initializer.map((tensor) => [tensor.name, tensor.rawData.byteLength]));
  // Blocked convolutions use weights as they are, and sessions share them; other kernels make copies for
  // themselves.
  const weightBytes = flow.steps.map(({ reads, node }) =>
    node.domain === BLOCKED ? 0 : reads.reduce((sum, name) => sum + (stored.get(name) ?? 0), 0),
  );
  const budget =
    options.budget ?? Math.max(64 * 2 ** 20, 2 * weightBytes.reduce((sum, bytes) => sum + bytes, 0));
  const problem = {
    flow,
    output: source.output,
    optimised: source.optimised,
    bytesOf: (name: string) => (4 * elementCount(shapes.get(name)?.dims ?? [])) / batch,
    weightBytes,
    layerStarts: [
      ...layers.map((layer) => firstDynamic(flow, parametersOf(layer))),
      ...replaced.map(({ output }) => firstDynamic(flow, [output])),
    ],
    budget,
    keep: KEPT_BYTES / batch,
  };
  const cuts = options.choose ? options.choose(candidateCuts(problem)) : chooseCuts(problem);
  await setImmediate();
  const parts = partsOf(flow, cuts, layers, parametersOf, replaced);
  return { flow, shapes, cuts, parts, macs: countMacs(flow, shapes, parts, cuts, batch) };
}

function firstDynamic(flow: Dataflow, parameters: readonly string[]): number {
  return dependents(flow, parameters).find((position) => flow.steps[position]?.dynamic) ?? flow.steps.length;
}

function countMacs(
  flow: Dataflow,
  shapes: ReadonlyMap<string, TensorShape>,
  parts: Parts,
  cuts: readonly Cut[],
  batch: number,
): GraphPlan['macs'] {
  const macs = flow.steps.map((step) => (step.dynamic ? stepMacs(step.node, shapes) / batch : 0));
  const sum = (positions: readonly number[]) => positions.reduce((total, at) => total + (macs[at] ?? 0), 0);
  const after = (cut: number) =>
    macs.slice(cuts[cut]?.before ?? macs.length).reduce((total, m) => total + m, 0);
  const layers = parts.layers.map((part) => sum(part.steps) + after(part.next));
  return {
    forward: macs.reduce((total, m) => total + m, 0),
    suffixes: layers.reduce((total, m) => total + m, 0),
    layers,
    activations: new Map(parts.activations.map((part) => [part.output, sum(part.steps) + after(part.next)])),
  };
}
