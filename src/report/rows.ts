/** A figure's rows: one per model and layer, with its label on the axis and the series that colours it. */
import type { LayerSummary, Summary } from '../run/summary.js';
import { groupsOf } from './groups.js';
import { rowName } from './overview.js';
import { distinct, shortenAll } from './text.js';

/** Columns a layer's label may take on an axis. */
const NAME_COLUMNS = 36;

export interface Row {
  summary: Summary;
  numbers: LayerSummary;
  /** The model's label, distinct among the models. */
  model: string;
  /** The layer's label, distinct among the names; layers of two models with one name share it. */
  layer: string;
  /** The kind of layer in a figure of one model, the model in a figure of several. */
  series: string;
}

/** The rows of all layers of all summaries, in graph order. */
export function rowsOf(summaries: readonly Summary[]): Row[] {
  const models = distinct(
    shortenAll(
      summaries.map(({ model }) => model.name),
      28,
    ),
  );
  const names = [...new Set(summaries.flatMap((one) => one.layers.map((layer) => rowName(layer, one))))];
  const labels = distinct(shortenAll(names, NAME_COLUMNS));
  const labelOf = new Map(names.map((name, i) => [name, labels[i]!]));
  return summaries.flatMap((summary, m) => {
    const groups = groupsOf(summary.layers);
    return summary.layers.map((numbers, i) => ({
      summary,
      numbers,
      model: models[m]!,
      layer: labelOf.get(rowName(numbers, summary))!,
      series: summaries.length > 1 ? models[m]! : groups[i]!,
    }));
  });
}

/** The distinct values of one text field of the rows, in order. */
export function valuesOf(rows: readonly Row[], field: 'model' | 'layer' | 'series'): string[] {
  return [...new Set(rows.map((row) => row[field]))];
}
