/** Globs over layer names, matched against whole names; `*` also spans dots and slashes. */
import { CritmapError } from '../errors.js';
import { glob } from '../files/glob.js';
import type { Layer } from '../onnx/layers.js';
import { nearestNames } from './nearest-names.js';

export function matcher(pattern: string): (name: string) => boolean {
  const isMatch = glob(pattern);
  // A name may itself hold glob characters (`conv[0]`): the literal name always matches.
  return (name) => name === pattern || isMatch(name);
}

export function matchesNothing(
  option: string,
  pattern: string,
  layers: readonly Pick<Layer, 'name'>[],
): CritmapError {
  const nearest = nearestNames(
    pattern,
    layers.map(({ name }) => name),
  );
  return new CritmapError(
    'ERR_OPTION',
    `${option} ${pattern} matches none of the ${layers.length} layers; the nearest are ${nearest.join(', ')}`,
  );
}
