/**
 * What figures of many models are drawn from, whatever it was read from: models by category, layers in network order,
 * cells, differences to a baseline. Percentages are 0-100; null stands for "not measured" or "not defined".
 */
import type { CellNumbers, DifferenceNumbers } from '../report/page-columns.js';
import type { CategoryRow, CorrelationRow } from './rows.js';

export interface FigureCategory {
  id: string;
  /** For a reader: without underscores. */
  label: string;
  /** `#rrggbb` or any CSS colour. */
  color: string;
}

export interface FigureModel {
  id: string;
  name: string;
  category: string | null;
  /** Percent. */
  accuracy: number | null;
  attributes: Readonly<Record<string, number | string | boolean | null>>;
  /** Index of its panel. */
  panel: number;
  /** Mean criticality over its layers; a destroyed layer counts as 100. */
  mean: number | null;
}

export interface FigureLayer {
  layer: string;
  /** `layer3.2 conv2 3×3`; distinct within its panel. */
  label: string;
  /** The part of the network it is in: `layer3`. */
  stage: string;
  /** What colours it: `Conv 3×3`, `linear`; null where nothing is known of its weight. */
  kind: string | null;
  /** 0 for the first layer, 1 for the last. */
  depth: number;
}

/** Models that have the same layers. */
export interface FigurePanel {
  name: string;
  /** In network order. */
  layers: FigureLayer[];
  /** Ids, by category, in the order in which they are drawn. */
  models: string[];
}

export interface FigureCell extends CellNumbers {
  model: string;
  layer: string;
}

export interface FigureDifference extends DifferenceNumbers {
  model: string;
  layer: string;
}

/** The same cells on one of a study's sets of images. */
export interface FigureImageSet {
  id: string;
  name: string;
  cells: FigureCell[];
  differences: FigureDifference[];
}

export interface FigureData {
  title: string;
  /** The reset that is shown. */
  reset: string;
  baseline: string | null;
  /** What cells' intervals cover, for a caption; null without intervals. */
  intervals: string | null;
  categories: FigureCategory[];
  /** In the order in which they are drawn, panel by panel. */
  models: FigureModel[];
  panels: FigurePanel[];
  cells: FigureCell[];
  differences: FigureDifference[];
  correlations: CorrelationRow[];
  categoryMeans: CategoryRow[];
  /** Where a study has several: the one shown in all other figures first. */
  imageSets: FigureImageSet[];
  notes: string[];
  /** How all of it was measured, as a paper says it. */
  methods: string;
}

/** A cell's criticality as means count it: 100 where every output was NaN or infinite. */
export const criticalityOf = ({ mean, isDestroyed }: Pick<FigureCell, 'mean' | 'isDestroyed'>) =>
  isDestroyed ? 100 : mean;

/** Cells of one panel by model and layer. */
export function cellIndex<T extends { model: string; layer: string }>(
  cells: readonly T[],
): (model: string, layer: string) => T | undefined {
  const found = new Map<string, Map<string, T>>();
  for (const cell of cells) {
    const ofModel = found.get(cell.model);
    if (ofModel) ofModel.set(cell.layer, cell);
    else found.set(cell.model, new Map([[cell.layer, cell]]));
  }
  return (model, layer) => found.get(model)?.get(layer);
}
