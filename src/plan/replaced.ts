/** Which stored tensors a sweep replaces. */
import type { Cell } from '../design/cells.js';
import type { Resettable } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import { parameterResets, type ResetContext } from '../resets/reset.js';

/** The tensors of every layer's own, and of groups' members', that some cell replaces, in the order weight, bias. */
export function replacedTensors(
  model: Model,
  cells: readonly Pick<Cell, 'layer' | 'reset' | 'trial'>[],
  context: ResetContext,
): Map<Resettable, string[]> {
  const replaced = new Map<Resettable, Set<string>>();
  for (const { layer, reset, trial } of cells) {
    const tensors = replaced.get(layer) ?? new Set<string>();
    for (const { parameter } of parameterResets(model, layer, reset, trial, context))
      tensors.add(parameter.tensor);
    replaced.set(layer, tensors);
  }
  return new Map([...replaced].map(([layer, tensors]) => [layer, [...tensors]]));
}
