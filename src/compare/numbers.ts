/** What is compared: the criticality of a model's layers, with what each source knows of how it varies. In percent. */
import type { Summary } from '../run/summary.js';
import type { Group } from '../statistics/student.js';

/**
 * - `slices`: sums per slice of images, by the slice's number; each has draws of its own, or the reset has none
 * - `draws`: means of draws that have all seen the same images, as in the published data
 * - `mean`: a mean with its variance over new draws and images, of a crossed design whose images are known
 */
export type Measurements =
  | { kind: 'slices'; slices: ReadonlyMap<number, Group>; isRandom: boolean }
  | { kind: 'draws'; values: readonly number[] }
  | { kind: 'mean'; mean: number; variance: number; freedom: number };

export interface LayerNumbers {
  layer: string;
  reset: string;
  /** Percent; null where nothing valid was measured. */
  mean: number | null;
  /** Whether every output was NaN or infinite: it counts as 100 in a model's mean. */
  isDestroyed: boolean;
  numbers: Measurements;
  /** What its draws are of, as far as the layer decides it: shape and scheme; null where that is not known. */
  drawn?: string | null;
}

/** What must be the same for two models' slices to be pairs. Null: nothing is known of it. */
export interface Shared {
  /** The images in their order. */
  images: string | null;
  /** How images are cut into slices. */
  design: string | null;
  /** What the draws are made from: seed and the rest; layers have their own words beside it. */
  draws: string | null;
}

export interface ModelNumbers {
  id: string;
  /** Where it was read from. */
  source: string;
  category: string | null;
  /** Numbers that criticality may go along with: accuracy, budget of an attack, ... */
  attributes: Readonly<Record<string, number>>;
  /** What is said of it in words: the norm of an attack, ... */
  words?: Readonly<Record<string, string>>;
  /** As a study calls it for figures. */
  name?: string;
  /** Of a run: all that it came to. */
  summary?: Summary;
  shared: Shared;
  layers: readonly LayerNumbers[];
  /** What a reader should know of how it was measured. */
  notes: readonly string[];
}

/** Layer and reset as one key. */
export const keyOf = ({ layer, reset }: { layer: string; reset: string }) => JSON.stringify([layer, reset]);

/** In the order in which keys appear. */
export function groupedBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
