/** The difference of one layer between two models, by the test that fits what is known of both. Pure. */
import {
  type Difference,
  type KnownMean,
  meanOfGroups,
  meanOfNumbers,
  paired,
  untested,
  welch,
} from '../statistics/difference.js';
import type { LayerNumbers, Measurements, ModelNumbers } from './numbers.js';

/**
 * - `paired`: Student's, over slices that have the same images or the same draws; covers new draws and images (new
 *   images, of a reset without draws)
 * - `welch-slices`: Welch's, over slices that have nothing in common; covers the same
 * - `welch-crossed`: Welch's, with the variances of crossed random effects; covers new draws and images
 * - `welch-draws`: Welch's, over the means of draws that have seen the same images; covers new draws
 */
export type Test = 'paired' | 'welch-slices' | 'welch-crossed' | 'welch-draws';

export interface LayerDifference extends Omit<Difference, 'difference'> {
  model: string;
  category: string | null;
  layer: string;
  reset: string;
  /** Criticality of the model and of the baseline, percent. */
  mean: number | null;
  baselineMean: number | null;
  /** Percentage points, model minus baseline; of pairs it is over the slices that both have. */
  difference: number | null;
  /** Null where there is none. */
  test: Test | null;
  /** What slices of a paired test have in common. */
  sameImages: boolean;
  sameDraws: boolean;
}

export function layerDifference(
  model: ModelNumbers,
  layer: LayerNumbers,
  base: ModelNumbers,
  baseLayer: LayerNumbers,
  confidence: number,
): LayerDifference {
  const sameDesign = same(model.shared.design, base.shared.design);
  const sameImages = same(model.shared.images, base.shared.images);
  const { numbers } = layer;
  // What is not drawn has none in common.
  const isDrawn = numbers.kind !== 'slices' || numbers.isRandom;
  const sameDraws =
    isDrawn &&
    sameDesign &&
    same(model.shared.draws, base.shared.draws) &&
    same(layer.drawn ?? null, baseLayer.drawn ?? null);
  const head = {
    model: model.id,
    category: model.category,
    layer: layer.layer,
    reset: layer.reset,
    mean: layer.mean,
    baselineMean: baseLayer.mean,
    sameImages,
    sameDraws,
  };
  if (layer.mean === null || baseLayer.mean === null) {
    return { ...head, ...untested(0), difference: null, test: null };
  }
  const { test, found } = tested(
    layer.numbers,
    baseLayer.numbers,
    sameDesign && (sameImages || sameDraws),
    confidence,
  );
  const result = found ?? untested(layer.mean - baseLayer.mean);
  return { ...head, ...result, test: result.p === null ? null : test };
}

const same = (a: string | null, b: string | null) => a !== null && a === b;

function tested(
  a: Measurements,
  b: Measurements,
  arePairs: boolean,
  confidence: number,
): { test: Test; found: Difference | null } {
  if (arePairs && a.kind === 'slices' && b.kind === 'slices') {
    const both = [...a.slices.keys()].filter((slice) => b.slices.has(slice));
    const [left, right] = [a, b].map(({ slices }) => both.map((slice) => slices.get(slice)!));
    return { test: 'paired', found: paired(left!, right!, confidence) };
  }
  const kinds = [a.kind, b.kind];
  const test = kinds.includes('draws')
    ? 'welch-draws'
    : kinds.includes('mean')
      ? 'welch-crossed'
      : 'welch-slices';
  const [left, right] = [meanOf(a), meanOf(b)];
  return { test, found: left && right && welch(left, right, confidence) };
}

function meanOf(numbers: Measurements): KnownMean | null {
  if (numbers.kind === 'draws') return meanOfNumbers(numbers.values);
  return numbers.kind === 'mean' ? numbers : meanOfGroups([...numbers.slices.values()]);
}
