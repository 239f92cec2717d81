/**
 * `summary.csv`: one row per layer and reset, the same columns for every model. Numbers keep their shortest
 * exact form, null is an empty field, quoting follows RFC 4180; lines end in \n, as in `results.csv`.
 */
import { csvField, type Field } from '../files/csv.js';
import { measures } from '../native/columns.js';
import type { LayerSummary, Summary } from './summary.js';

const COLUMNS: readonly (readonly [name: string, field: (layer: LayerSummary) => Field])[] = [
  ['layer', (layer) => layer.layer],
  ['op', (layer) => layer.op],
  ['shape', (layer) => layer.shape.join('x')],
  ['parameters', (layer) => layer.parameters],
  ['depth', (layer) => layer.depth],
  ['reset', (layer) => layer.reset],
  ['trials', (layer) => layer.trials],
  ['images', (layer) => layer.images],
  ['invalid', (layer) => layer.invalid],
  ['change', (layer) => layer.change],
  ['criticality', (layer) => layer.criticality.mean],
  ['criticality_sd_trials', (layer) => layer.criticality.sdTrials],
  ['criticality_low', (layer) => layer.criticality.low],
  ['criticality_high', (layer) => layer.criticality.high],
  ['agreement', (layer) => layer.agreement.mean],
  ['agreement_sd_trials', (layer) => layer.agreement.sdTrials],
  ['agreement_low', (layer) => layer.agreement.low],
  ['agreement_high', (layer) => layer.agreement.high],
  ...measures
    .filter(({ name }) => name !== 'publishedCrossEntropy')
    .map(({ name }) => [name, (layer: LayerSummary) => layer[name as keyof LayerSummary] as Field] as const),
  ['recovered', (layer) => layer.recovered],
];

/**
 * The summary as CSV text with a header line.
 * @param summary one model's results; its name is the first column, so files of several models can be joined
 */
export function summaryCsv(summary: Summary): string {
  const header = ['model', ...COLUMNS.map(([name]) => name)];
  const rows = summary.layers.map((layer) => [
    summary.model.name,
    ...COLUMNS.map(([, field]) => field(layer)),
  ]);
  return [header, ...rows].map((row) => `${row.map(csvField).join(',')}\n`).join('');
}
