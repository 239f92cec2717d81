/**
 * `summary.csv`: one row per layer and reset, the same columns for every model. Numbers keep their shortest
 * exact form, null is an empty field, quoting follows RFC 4180; lines end in \n, as in `results.csv`.
 */
import { csvField, type Field } from '../files/csv.js';
import { measures } from '../native/columns.js';
import type { LayerSummary, Summary } from './summary.js';

type Column = readonly [name: string, field: (layer: LayerSummary) => Field];

function estimateColumns(of: 'criticality' | 'agreement'): Column[] {
  return [
    [of, (layer) => layer[of].mean],
    [`${of}_low`, (layer) => layer[of].low],
    [`${of}_high`, (layer) => layer[of].high],
    [`${of}_interval`, (layer) => layer[of].interval],
    [`${of}_sd_draws`, (layer) => layer[of].sdDraws],
    [`${of}_sd_images`, (layer) => layer[of].sdImages],
    [`${of}_sd_trial`, (layer) => layer[of].sdTrial],
  ];
}

const COLUMNS: readonly (readonly [name: string, field: (layer: LayerSummary) => Field])[] = [
  ['layer', (layer) => layer.layer],
  ['op', (layer) => layer.op],
  ['shape', (layer) => layer.shape.join('x')],
  ['parameters', (layer) => layer.parameters],
  ['depth', (layer) => layer.depth],
  ['reset', (layer) => layer.reset],
  ['images', (layer) => layer.images],
  ['draws', (layer) => layer.draws],
  ['passes', (layer) => layer.passes],
  ['stopped_at', (layer) => layer.stoppedAt],
  ['invalid', (layer) => layer.invalid],
  ['change', (layer) => layer.change],
  ...estimateColumns('criticality'),
  ...estimateColumns('agreement'),
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
