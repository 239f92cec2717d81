/** The plan of a model's graph: its data flow, shapes, cuts and parts, and what they come to in MACs. */
import { setImmediate } from 'node:timers/promises';
import type { Resettable } from '../model/layer-group.js';
import type { Precision } from '../native/cards.js';
import { elementCount } from '../onnx/tensors.js';
import type { TensorShape } from '../onnx/value-info.js';
import { type BaseGraph, BLOCKED } from './base-graph.js';
import { type Cut, candidateCuts, chooseCuts } from './cuts.js';
import { type Dataflow, dataflowOf, dependents } from './dataflow.js';
import { type PlanLimits, processorLimits } from './limits.js';
import { stepMacs } from './macs.js';
import { type Parts, partsOf, type Replaced } from './parts.js';
import { type ImageSize, shapesOf } from './shapes.js';
import type { SharedParts } from './shared-parts.js';
import { slicedParts } from './sliced-parts.js';

export interface GraphPlan {
  flow: Dataflow;
  shapes: ReadonlyMap<string, TensorShape>;
  cuts: Cut[];
  parts: Parts;
  /** Where sessions are shared. */
  shared?: SharedParts;
  /** Multiply-accumulates of one image: of one plain forward pass, and of one cell of every layer or group. */
  macs: {
    forward: number;
    suffixes: number;
    /** One cell of each, in their order. */
    layers: readonly number[];
    /** What depends on each of them, which no plan computes less of; only where sessions are shared. */
    least: readonly number[];
    /** Of one cell in which a tensor is replaced, by its name; not in `suffixes`. */
    activations: ReadonlyMap<string, number>;
  };
}

export interface GraphPlanOptions {
  size: ImageSize;
  batch: number;
  layers: readonly Resettable[];
  /** The graph's tensors of a layer or group that some reset of the sweep replaces. */
  parametersOf: (layer: Resettable) => readonly string[];
  /** Tensors that other resets of the sweep replace. */
  replaced?: readonly Replaced[];
  /** Bytes that copies of weights may take; default twice the model's weights and at least 64 MB. */
  budget?: number | undefined;
  /** Default the processor's. */
  limits?: PlanLimits | undefined;
  /** Of a batch, where weights are drawn anew for each; only where sessions are shared, default 1. */
  slices?: number | undefined;
  /** What will be computed in. */
  precision?: Precision | undefined;
  /** Chooses among all possible cuts instead of the cost model; the first and the last must stay. */
  choose?: (candidates: readonly Cut[]) => Cut[];
}

export async function planGraph(source: BaseGraph, options: GraphPlanOptions): Promise<GraphPlan> {
  const { size, batch, layers, parametersOf, replaced = [], limits = processorLimits } = options;
  const flow = dataflowOf(source.graph, source.input, source.output);
  const shapes = await shapesOf(source, flow, size, batch);
  await setImmediate();
  const macs = flow.steps.map((step) => (step.dynamic ? stepMacs(step.node, shapes) / batch : 0));
  const bytesOf = (name: string) => (4 * elementCount(shapes.get(name)?.dims ?? [])) / batch;
  const { sessions } = limits;
  if (sessions !== null) {
    const { choose, slices = 1, precision } = options;
    const { cuts, shared } = await slicedParts(
      {
        ...{ source, flow, shapes, macs, bytesOf, batch, layers, parametersOf, replaced },
        ...{ slices, precision, choose, limits: { ...limits, sessions } },
      },
      size,
    );
    return {
      flow,
      shapes,
      cuts,
      parts: shared.parts,
      shared,
      macs: countMacs(flow, macs, shared.parts, cuts, shared),
    };
  }
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
    bytesOf,
    weightBytes,
    layerStarts: [
      ...layers.map((layer) => firstDynamic(flow, parametersOf(layer))),
      ...replaced.map(({ output }) => firstDynamic(flow, [output])),
    ],
    budget,
    keep: limits.kept / batch,
  };
  const cuts = options.choose ? options.choose(candidateCuts(problem)) : chooseCuts(problem);
  await setImmediate();
  const parts = partsOf(flow, cuts, layers, parametersOf, replaced);
  return { flow, shapes, cuts, parts, macs: countMacs(flow, macs, parts, cuts) };
}

function firstDynamic(flow: Dataflow, parameters: readonly string[]): number {
  return dependents(flow, parameters).find((position) => flow.steps[position]?.dynamic) ?? flow.steps.length;
}

function countMacs(
  flow: Dataflow,
  macs: readonly number[],
  parts: Parts,
  cuts: readonly Cut[],
  shared?: SharedParts,
): GraphPlan['macs'] {
  const sum = (positions: readonly number[]) => positions.reduce((total, at) => total + (macs[at] ?? 0), 0);
  const after = (cut: number) =>
    macs.slice(cuts[cut]?.before ?? macs.length).reduce((total, m) => total + m, 0);
  const least = (names: readonly string[]) => sum(dependents(flow, names));
  const layers = parts.layers.map((part) => {
    if (part.outputs.length === 0) return 0;
    const begin = shared?.begins.get(part.layer);
    return begin ? sum(begin.steps) + after(part.segment + 1) : sum(part.steps) + after(part.next);
  });
  return {
    forward: macs.reduce((total, m) => total + m, 0),
    suffixes: layers.reduce((total, m) => total + m, 0),
    layers,
    least: shared ? parts.layers.map(({ parameters }) => least(parameters)) : [],
    activations: new Map(
      parts.activations.map((part) => [
        part.output,
        sum((shared?.replaces.get(part.output) ?? part).steps) + after(part.next),
      ]),
    ),
  };
}
