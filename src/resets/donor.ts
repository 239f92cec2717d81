/** How far a model's weights are from another's of the same architecture, layer by layer. */
import { type LayerParts, membersOf, type Resettable } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import { native } from '../native/addon.js';
import { donorValues } from './donor-values.js';
import { parametersOf } from './parameters.js';

/**
 * Euclidean norms of a layer's own parameters, or of all of a group's together, of the donor's, and of their differences.
 * @throws CritmapError (ERR_RESET) when the donor does not fit
 */
export function donorDistance(
  model: Model,
  layer: Resettable,
  donor: Model,
  parts: LayerParts = 'both',
): { own: number; theirs: number; difference: number } {
  let [own, theirs, difference] = [0, 0, 0];
  for (const member of membersOf(layer)) {
    for (const [role, parameter] of parametersOf(member, parts)) {
      const there = donorValues(donor, member, role, parameter);
      const norms = native().norms(model.values(parameter.tensor), there);
      own += norms.original ** 2;
      theirs += native().norms(there, there).original ** 2;
      difference += norms.difference ** 2;
    }
  }
  return { own: Math.sqrt(own), theirs: Math.sqrt(theirs), difference: Math.sqrt(difference) };
}
