/** What a run keeps of its whole sweep, and what every layer costs: of the model alone, the same on every machine. */
import type { ImageSet } from '../images/index.js';
import type { Model } from '../model/model.js';
import type { Layer } from '../onnx/layers.js';
import { ownGraph } from '../plan/base-graph.js';
import { planGraph } from '../plan/graph-plan.js';
import { drawnWords } from '../resets/drawn.js';
import type { ShardPlan } from '../run/shard-plan.js';
import type { Settings } from './settings.js';

type Costs = { forward: number; layers: readonly number[] };

/** @param layers - those that are reset, in graph order */
export async function planOf(
  model: Model,
  { shape }: Pick<ImageSet, 'shape'>,
  settings: Settings,
  layers: readonly Layer[],
): Promise<ShardPlan> {
  const positions = new Map(model.layers.map(({ name }, i) => [name, i]));
  const words = drawnWords(model, settings);
  const random = settings.resets.some(({ kind }) => kind === 'random');
  const costs = await costsOf(model, shape, settings, layers);
  return {
    chunk: settings.chunk,
    classes: model.io.classes,
    forward: costs.forward,
    layers: layers.map((layer, i) => ({
      name: layer.name,
      op: layer.op,
      shape: [...layer.weight.shape],
      groups: layer.groups,
      parameters: layer.parameters,
      position: positions.get(layer.name)!,
      init: random ? words(layer.name) : null,
      macs: costs.layers[i]!,
    })),
  };
}

/** From a layer's first step to the logits, were the graph cut everywhere; all alike where the graph cannot be planned. */
async function costsOf(
  model: Model,
  shape: ImageSet['shape'],
  { norm, engine }: Settings,
  layers: readonly Layer[],
): Promise<Costs> {
  try {
    const { macs } = await planGraph(ownGraph(model, norm), {
      size: shape,
      batch: model.io.batch ?? 1,
      layers,
      parametersOf: (layer) => [layer.weight.tensor, ...(layer.bias ? [layer.bias.tensor] : [])],
      choose: (candidates) => [...candidates],
    });
    // The reference engine computes every cell from the images on.
    return engine === 'reference' ? { ...macs, layers: layers.map(() => macs.forward) } : macs;
  } catch {
    return { forward: 1, layers: layers.map(() => 1) };
  }
}
