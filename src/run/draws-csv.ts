/** `draws.csv`: one row per layer, reset and draw, with everything that is measured of it. */
import { csvField, type Field } from '../files/csv.js';
import { measures } from '../native/columns.js';
import type { DrawRow } from './summarise.js';

const COLUMNS: readonly (readonly [name: string, field: (row: DrawRow) => Field])[] = [
  ['layer', ({ layer }) => layer],
  ['reset', ({ reset }) => reset],
  ['draw', ({ draw }) => draw],
  ['slice', ({ slice }) => slice],
  ['images', ({ images }) => images],
  ['invalid', ({ invalid }) => invalid],
  ['agreement', ({ agreementCount }) => agreementCount],
  ['change', ({ change }) => change],
  ...measures.map(({ name }) => [name, (row: DrawRow) => row[name]] as const),
];

export function drawsCsv(draws: readonly DrawRow[]): string {
  const header = COLUMNS.map(([name]) => name).join(',');
  const rows = draws.map((row) => COLUMNS.map(([, field]) => csvField(field(row))).join(','));
  return `${[header, ...rows].join('\n')}\n`;
}
