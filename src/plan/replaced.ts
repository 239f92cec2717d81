/** Which stored tensors a sweep replaces. */
import type { Cell } from '../design/cells.js';
import { membersOf, type Resettable } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import { isNormOp } from '../onnx/norm-ops.js';
import type { Reset, ResetContext } from '../resets/kinds.js';
import { parameterResets } from '../resets/parameter-resets.js';

/**
 * The tensors of every layer's own, and of groups' members', that some cell replaces, in the order weight, bias. What looks
 * at a weight as a whole may find that it leaves it as it is; to ask that of all of a sweep would take too long.
 */
export async function replacedTensors(
  model: Model,
  cells: readonly Pick<Cell, 'layer' | 'reset' | 'trial'>[],
  context: ResetContext,
): Promise<Map<Resettable, string[]>> {
  const replaced = new Map<Resettable, Set<string>>();
  for (const { layer, reset, trial } of cells) {
    const tensors = replaced.get(layer) ?? new Set<string>();
    // A norm that is reset goes with the weight, also where a reset leaves that.
    for (const { norm, weight } of context.norm === 'reset' ? membersOf(layer) : []) {
      if (norm) tensors.add(weight.tensor);
    }
    for (const member of membersOf(layer)) {
      if (looksAtWhole(reset) && !isNormOp(member.op)) {
        if (context.parts !== 'bias') tensors.add(member.weight.tensor);
        continue;
      }
      for (const { parameter } of await parameterResets(model, member, reset, trial, context))
        tensors.add(parameter.tensor);
    }
    replaced.set(layer, tensors);
  }
  return new Map([...replaced].map(([layer, tensors]) => [layer, [...tensors]]));
}

const looksAtWhole = ({ kind }: Reset) =>
  kind === 'quantize' || kind === 'prune' || kind === 'prune-channels' || kind === 'lowrank';
