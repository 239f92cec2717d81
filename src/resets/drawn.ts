/** What random resets draw from, in words, and what there is to say of it. */
import { basename } from 'node:path';
import { initialsOf, initWarnings } from '../initialisation/initials.js';
import type { Model } from '../model/model.js';
import type { ResetContext } from './kinds.js';

type Drawn = Pick<ResetContext, 'init' | 'initFrom'>;

/** By layer: `trunc-normal(0.02) bias 0`, or `fresh-1.safetensors and 9 more`. */
export function drawnWords(model: Model, { init, initFrom = [] }: Drawn): (layer: string) => string | null {
  const [first, ...others] = initFrom.map(({ file }) => basename(file.path));
  if (first !== undefined) {
    const words = others.length > 0 ? `${first} and ${others.length} more` : first;
    return () => words;
  }
  const initials = initialsOf(model, init);
  return (layer) => initials.get(layer)?.words ?? null;
}

/** Of the fresh models' files, or that what is drawn is a guess. */
export function drawnWarnings(model: Model, { init, initFrom }: Drawn): string[] {
  return initFrom ? initFrom.flatMap(({ warnings }) => warnings) : initWarnings(model, init);
}
