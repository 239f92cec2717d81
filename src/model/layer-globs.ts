/** Globs over layer names, matched against whole names; `*` also spans dots and slashes. */
import picomatch from 'picomatch';
import { CritmapError } from '../errors.js';
import type { Layer } from '../onnx/layers.js';
import { nearestNames } from './nearest-names.js';

/** A picomatch `*` stops at slashes, which mean nothing in a layer's name. */
const flat = (text: string) => text.replaceAll('/', '\u2215');

export function matcher(pattern: string): (name: string) => boolean {
  const isMatch = picomatch(flat(pattern), { dot: true, nonegate: true });
  // A name may itself hold glob characters (`conv[0]`): the literal name always matches.
  return (name) => name === pattern || isMatch(flat(name));
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
