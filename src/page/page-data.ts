/**
 * What a page carries as JSON for its script. Cells lie panel by panel, in each model by model, in each layer by layer:
 * cell (panel, m, l) of `columns` is number `panel.start + m * panel.layers.length + l`.
 */

/** A number for each cell: base64 of little-endian float32 (NaN: not measured), or one number that all of them have. */
export type PackedColumn = string | number;

export interface PageMetric {
  /** Names its columns: `ID`, and where it has intervals `ID.low`, `ID.high`. */
  id: string;
  label: string;
  /** `%`, `points`, or empty. */
  unit: string;
  decimals: number;
  /** Of its colours; null: from the data. */
  range: [number, number] | null;
  /** Whether large values are of layers that hardly matter. */
  isReversed: boolean;
  /** One sentence. */
  meaning: string;
}

export interface PageModel {
  id: string;
  name: string;
  /** Index of its category. */
  category: number | null;
  /** Percent. */
  accuracy: number | null;
}

export interface PageLayer {
  /** As files name it. */
  layer: string;
  /** For a reader, distinct in its panel. */
  label: string;
  stage: string;
  kind: string | null;
}

export interface PagePanel {
  name: string;
  layers: PageLayer[];
  /** Indices of models, in the order in which they are drawn. */
  models: number[];
  /** Number of its first cell. */
  start: number;
}

export interface PageData {
  version: 1;
  title: string;
  reset: string;
  /** What intervals cover. */
  intervals: string | null;
  /** Index of the model whose differences were tested: columns `difference`, `.low`, `.high`, `p`, `pHolm`, `pBh`. */
  baseline: number | null;
  categories: { label: string; color: string }[];
  models: PageModel[];
  panels: PagePanel[];
  metrics: PageMetric[];
  /** One at least; the one that still figures show first. */
  imageSets: { name: string; columns: Record<string, PackedColumn> }[];
  /** For whoever reads downloaded data. */
  methods: string;
}

export const PAGE_DATA_ID = 'page-data';
