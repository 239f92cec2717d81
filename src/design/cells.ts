/** What a sweep will do: which layers, and the list of cells. Pure. */
import { CritmapError } from '../errors.js';
import { matcher, matchesNothing } from '../model/layer-globs.js';
import type { Resettable } from '../model/layer-group.js';
import type { Layer } from '../onnx/layers.js';
import { isRandom, type Reset } from '../resets/kinds.js';

/** The unit of work: one layer or group of layers, one reset, one trial. */
export interface Cell {
  /** Position in the plan. */
  index: number;
  layer: Resettable;
  reset: Reset;
  trial: number;
}

/**
 * The layers whose names match one of `include` and none of `exclude`. Globs are matched against whole names;
 * `*` also spans dots and slashes, so `layer1.*` is all of that stage.
 *
 * @throws CritmapError (ERR_OPTION) when a pattern matches nothing (with the nearest names) or no layer is left.
 */
export function selectLayers(
  layers: readonly Layer[],
  include: readonly string[] = [],
  exclude: readonly string[] = [],
): Layer[] {
  const matching = (option: string, pattern: string) => {
    const isMatch = matcher(pattern);
    // The name of a whole layer stands for its parts.
    const found = layers.filter(({ name, whole }) => isMatch(name) || (whole && isMatch(whole.name)));
    if (found.length === 0) throw matchesNothing(option, pattern, layers);
    return found;
  };
  const wanted = new Set(
    include.length > 0 ? include.flatMap((pattern) => matching('--layers', pattern)) : layers,
  );
  const unwanted = new Set(exclude.flatMap((pattern) => matching('--exclude', pattern)));
  const selected = layers.filter((layer) => wanted.has(layer) && !unwanted.has(layer));
  if (selected.length === 0) {
    throw new CritmapError('ERR_OPTION', '--exclude leaves no layer to reset');
  }
  return selected;
}

/** What the journal and results count in: a layer under one reset, with all trials. */
export interface Target<C extends Cell = Cell> {
  layer: Resettable;
  reset: Reset;
  /** By trial. */
  cells: readonly C[];
}

/** Cells of one layer and reset together, in plan order. */
export function targetsOf<C extends Cell>(cells: readonly C[]): Target<C>[] {
  const targets: { layer: Resettable; reset: Reset; cells: C[] }[] = [];
  for (const cell of cells) {
    const last = targets.at(-1);
    if (last?.layer === cell.layer && last.reset === cell.reset) last.cells.push(cell);
    else targets.push({ layer: cell.layer, reset: cell.reset, cells: [cell] });
  }
  return targets;
}

/** All of them are in memory, with their numbers of a chunk of images. */
export const MOST_CELLS = 1_000_000;

/**
 * Cells by layer, then reset, then trial. A reset without randomness has one trial.
 * @throws CritmapError (ERR_OPTION) for more cells than memory has room for
 * @param isTested - whether a layer is tested under a reset; default all under all
 */
export function planCells(
  layers: readonly Resettable[],
  resets: readonly Reset[],
  trials: number,
  isTested: (layer: Resettable, reset: Reset) => boolean = () => true,
): Cell[] {
  const cells: Cell[] = [];
  const most = layers.length * resets.length * trials;
  if (most > MOST_CELLS) {
    throw new CritmapError(
      'ERR_OPTION',
      `${layers.length} layers x ${resets.length} resets x ${trials} draws of the same images are ${most} cells, more than the ${MOST_CELLS} that a sweep holds; take fewer draws (--trials), or fresh ones for every few images (--images-per-draw)`,
    );
  }
  for (const layer of layers) {
    for (const reset of resets) {
      if (!isTested(layer, reset)) continue;
      const count = isRandom(reset, layer) ? trials : 1;
      for (let trial = 0; trial < count; trial++) cells.push({ index: cells.length, layer, reset, trial });
    }
  }
  return cells;
}

/** A planned cell with the proof that its reset changes the weights. */
export interface ProvenCell extends Cell {
  change: number | null;
}
