/** `draws.csv`: one row per layer, reset and draw, with everything that is measured of it. */
import { csvPieces, type Field } from '../files/csv.js';
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

/** Piece by piece: of millions of draws it is longer than a string can be. */
export const drawsCsv = (draws: readonly DrawRow[]): Iterable<string> =>
  csvPieces(
    COLUMNS.map(([name]) => name),
    draws,
    (row) => COLUMNS.map(([, field]) => field(row)),
  );
