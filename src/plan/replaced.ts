/** Which stored tensors a sweep replaces. */
import type { Cell } from '../design/cells.js';
import type { Model } from '../model/model.js';
import type { Layer } from '../onnx/layers.js';
import { parameterResets, type ResetContext } from '../resets/reset.js';

/** The tensors of every layer's own that some cell replaces, in the order weight, bias. */
export async function replacedTensors(
  model: Model,
  cells: readonly Pick<Cell, 'layer' | 'reset' | 'trial'>[],
  context: ResetContext,
): Promise<Map<Layer, string[]>> {
  const replaced = new Map<Layer, Set<string>>();
  for (const { layer, reset, trial } of cells) {
    const tensors = replaced.get(layer) ?? new Set<string>();
    // A norm that is reset goes with the weight, also where a reset leaves that.
    if (context.norm === 'reset' && layer.norm) tensors.add(layer.weight.tensor);
    for (const { parameter } of await parameterResets(model, layer, reset, trial, context))
      tensors.add(parameter.tensor);
    replaced.set(layer, tensors);
  }
  return new Map([...replaced].map(([layer, tensors]) => [layer, [...tensors]]));
}
