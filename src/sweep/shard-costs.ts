/** What a run keeps of its whole sweep, and what every layer costs: of the model alone, the same on every machine. */

import type { ImageSet } from '../images/index.js';
import { factsOf, membersOf, type Resettable } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import { parameterCount } from '../model/targets.js';
import { ownGraph } from '../plan/base-graph.js';
import { planGraph } from '../plan/graph-plan.js';
import { type OwnMacs, ownMacs } from '../plan/macs.js';
import { drawnWords } from '../resets/drawn.js';
import { parametersOf } from '../resets/parameters.js';
import type { ShardPlan } from '../run/shard-plan.js';
import type { Settings } from './settings.js';
import type { Targets } from './targets.js';

/** Multiply-accumulates of one image: of the untouched model, and of each layer's cell. */
export type LayerCosts = { forward: number; layers: readonly number[] };

/** Where nothing is divided, no layer needs to be told from another. */
export const allAlike = (layers: readonly Resettable[]): LayerCosts => ({
  forward: 1,
  layers: layers.map(() => 1),
});

/**
 * @param costs - of {@link costsOf}, which takes seconds where shapes cannot be inferred
 * @param own - of {@link ownMacsOf}
 */
export function planOf(
  model: Model,
  settings: Settings,
  { layers, leftOut }: Pick<Targets, 'layers' | 'leftOut'>,
  costs: LayerCosts,
  own: OwnMacs | null,
): ShardPlan {
  const positions = new Map(model.layers.map(({ name }, i) => [name, i]));
  const words = drawnWords(model, settings);
  const random = settings.resets.some(({ kind }) => kind === 'random');
  return {
    chunk: settings.chunk,
    classes: model.io.classes,
    forward: costs.forward,
    layers: layers.map((layer, i) => {
      const { members, uses, ...facts } = factsOf(layer, positions, settings.parts);
      return {
        ...facts,
        init: random ? drawnIn(layer, words) : null,
        macs: costs.layers[i]!,
        ownMacs: own?.layers[i] ?? null,
        ...(members && { members }),
        ...(uses && { uses }),
      };
    }),
    model: {
      parameters: parameterCount(model),
      macs: own?.forward ?? null,
    },
    ...(leftOut.length > 0 && { leftOut: [...leftOut] }),
  };
}

/** Of a group what its layers draw from, each once. */
function drawnIn(layer: Resettable, words: (name: string) => string | null): string | null {
  const found = new Set(membersOf(layer).flatMap(({ name }) => words(name) ?? []));
  return found.size > 0 ? [...found].join('; ') : null;
}

/** What each layer or group multiplies by itself; null where the sizes of its tensors are not to be known. */
export async function ownMacsOf(
  model: Model,
  { shape }: Pick<ImageSet, 'shape'>,
  { norm }: Pick<Settings, 'norm'>,
  layers: readonly Resettable[],
): Promise<OwnMacs | null> {
  const single = [...new Set(layers.flatMap(membersOf))];
  const own = await ownMacs(ownGraph(model, norm), single, shape, model.io.batch ?? 1).catch(() => null);
  if (!own) return null;
  const macs = new Map(single.map((layer, i) => [layer, own.layers[i]!]));
  const sumOf = (layer: Resettable) => membersOf(layer).reduce((sum, one) => sum + macs.get(one)!, 0);
  return { forward: own.forward, layers: layers.map(sumOf) };
}

/** From a layer's first step to the logits, were the graph cut everywhere; all alike where the graph cannot be planned. */
export async function costsOf(
  model: Model,
  { shape }: Pick<ImageSet, 'shape'>,
  { norm, engine, parts }: Pick<Settings, 'norm' | 'engine' | 'parts'>,
  layers: readonly Resettable[],
): Promise<LayerCosts> {
  try {
    const { macs } = await planGraph(ownGraph(model, norm), {
      size: shape,
      batch: model.io.batch ?? 1,
      layers,
      parametersOf: (layer) =>
        membersOf(layer).flatMap((one) => parametersOf(one, parts).map(([, { tensor }]) => tensor)),
      choose: (candidates) => [...candidates],
    });
    // The reference engine computes every cell from the images on.
    return engine === 'reference' ? { ...macs, layers: layers.map(() => macs.forward) } : macs;
  } catch {
    return allAlike(layers);
  }
}
