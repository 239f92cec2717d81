/** From a model and the cells of a sweep to the program that computes them. */
import { setImmediate } from 'node:timers/promises';
import type { Cell } from '../design/cells.js';
import { CritmapError, messageOf } from '../errors.js';
import { membersOf } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import type { Precision } from '../native/cards.js';
import { isActivation } from '../resets/activation.js';
import { isRandom, type ResetContext, replacementIn } from '../resets/kinds.js';
import { type BaseGraph, ownGraph } from './base-graph.js';
import { type GraphPlan, type GraphPlanOptions, planGraph } from './graph-plan.js';
import { planHalf } from './half-plan.js';
import { processorLimits } from './limits.js';
import { optimisedGraph } from './optimised.js';
import { placesOf } from './placed.js';
import { type Compiled, type CompileInput, compile, isStep } from './program.js';
import { replacedTensors } from './replaced.js';
import type { ImageSize } from './shapes.js';
import { compileShared } from './shared-program.js';

export interface SweepPlan extends GraphPlan, Compiled {
  source: BaseGraph;
  /** Why the runtime's own graph could not be cut, when it is the model's that is. */
  why: string | null;
  classes: number;
  /** Of a batch; null where nothing in the whole sweep is drawn, so that all images are alike. */
  slices: number | null;
}

export interface SweepPlanOptions extends Pick<GraphPlanOptions, 'budget' | 'choose' | 'limits' | 'slices'> {
  cells: readonly Cell[];
  /**
   * All cells of the sweep, where `cells` are a part of them. The runtime fuses nodes of the model's own graph up to its cuts
   * and the tensors that layers start from: these must be the same in all parts, or the last bits of their numbers differ.
   */
  whole?: readonly Cell[] | undefined;
  context: ResetContext;
  size: ImageSize;
  batch: number;
  /** `model` cuts the model's own graph, which is otherwise done only where the runtime's does not serve. */
  graph?: 'runtime' | 'model' | undefined;
  /** With `fp16` products and what lies between them are computed in float16; needs the model's own graph. */
  precision?: Precision | undefined;
  signal?: AbortSignal;
}

/**
 * @throws CritmapError (ERR_MODEL), RangeError when the graph cannot be planned; CritmapError (ERR_NATIVE) when the
 *   machine has no room for planning; the signal's reason
 */
export async function planSweep(model: Model, options: SweepPlanOptions): Promise<SweepPlan> {
  const { cells, whole = cells, context, size, batch, signal, precision, graph = 'runtime' } = options;
  const { budget, choose, limits = processorLimits } = options;
  const isShared = limits.sessions !== null;
  const activations = whole.filter(({ reset }) => isActivation(reset));
  const found =
    graph === 'model' || isShared || activations.length > 0
      ? activations.length > 0
        ? 'skip and mean need tensors that it may not have'
        : 'it was asked for'
      : model.file.apart
        ? 'it has more than the 2 GB that the runtime writes'
        : await optimisedGraph(model, size, batch, context.norm);
  signal?.throwIfAborted();
  const source = typeof found === 'string' ? ownGraph(model, context.norm) : found;
  // Nodes of the runtime's graph are computed one by one wherever it is cut.
  const planned = source.optimised ? cells : whole;
  const weights = planned.filter(({ reset }) => !isActivation(reset));
  const replaced = await replacedTensors(model, weights, context);
  const isDrawn = weights.some(({ layer, reset }) => isRandom(reset, layer));
  // All of a cascade's steps have the same draws, of nearly all layers: nothing is left to compute together.
  const slices = isDrawn && !weights.some(({ layer }) => isStep(layer)) ? options.slices : 1;
  const plan = await planGraph(source, {
    budget,
    choose,
    limits,
    slices,
    precision,
    size,
    batch,
    layers: [...replaced.keys()],
    parametersOf: (layer) => {
      const places = membersOf(layer).map((member) => source.places.get(member));
      return places
        .flatMap((placed) => (placed ? placesOf(placed) : []))
        .flatMap((place) => (replaced.get(layer)?.includes(place.parameter.tensor) ? [place.tensor] : []));
    },
    replaced: activations.map((cell) => replacementIn(context, cell)),
  });
  refuseOtherOutputs(model, plan.shapes.get(source.output)?.dims ?? [], batch);
  signal?.throwIfAborted();
  await setImmediate();
  const { shapes, rewrite }: Pick<CompileInput, 'shapes' | 'rewrite'> =
    precision === 'fp16' ? planHalf(model, source, plan.flow, plan.shapes) : plan;
  const input = { model, source, ...plan, shapes, rewrite, cells, planned: planned.length, context, limits };
  return {
    ...plan,
    shapes,
    ...(await (plan.shared ? compileShared(input, plan.shared) : compile(input))),
    source,
    why: typeof found === 'string' ? found : null,
    classes: plan.shapes.get(source.output)?.dims[1] ?? 0,
    slices: isDrawn ? (plan.shared?.slices ?? 1) : null,
  };
}

/** Multiply-accumulates of one image in each of some cells of the plan. */
export function macsOfCells(
  { macs, parts }: Pick<SweepPlan, 'macs' | 'parts'>,
  cells: readonly Cell[],
  context: ResetContext,
): number[] {
  const ofLayer = new Map(parts.layers.map(({ layer }, i) => [layer, macs.layers[i]!]));
  return cells.map((cell) =>
    isActivation(cell.reset)
      ? macs.activations.get(replacementIn(context, cell).output)!
      : ofLayer.get(cell.layer)!,
  );
}

/** @throws CritmapError (ERR_MODEL) unless the logits are batch x classes */
function refuseOtherOutputs({ io }: Model, dims: readonly number[], batch: number): void {
  if (dims.length === 2 && dims[0] === batch) return;
  const remedy =
    batch > 1
      ? 'a node inside may fix the batch: try --batch 1, or export it with an open batch'
      : 'name the logits with --output';
  throw new CritmapError(
    'ERR_MODEL',
    `its output ${io.output} is [${dims.join(', ')}] for ${batch} images, not images x classes; ${remedy}`,
  );
}

/** Why a model could not be planned, and the way out where there is one: what does not run at all has none. */
export function planProblem(error: unknown): string {
  const why = messageOf(error);
  return error instanceof CritmapError
    ? why
    : `it cannot be cut for the fast engine (${why}); --engine reference runs it whole`;
}
