/**
 * `results.csv`: one row per layer and draw, in the columns of the published study, so that its notebooks read it; what
 * was done to the layer comes after them.
 */
import { csvPieces, type Field } from '../files/csv.js';
import type { DrawRow, Results } from './summarise.js';
import type { Summary } from './summary.js';

/** `batch_acc` stays empty, as in the published data; `recovered_acc` is a share of the baseline's top-1. */
const COLUMNS: readonly (readonly [name: string, field: (row: DrawRow, summary: Summary) => Field])[] = [
  ['top1_acc', (row) => row.top1],
  ['top5_acc', (row) => row.top5],
  ['loss', (row) => row.loss],
  ['batch_acc', () => null],
  ['layer', ({ layer }) => layer],
  ['pred_cos_sim', (row) => row.cosine],
  ['pred_l1_err', (row) => row.l1],
  ['pred_l2_err', (row) => row.l2],
  ['pred_ce_loss', (row) => row.publishedCrossEntropy],
  ['trial', ({ draw }) => draw],
  ['recovered_acc', (row, summary) => recovered(row.top1, summary.baseline?.top1)],
  ['model_id', (_, summary) => summary.model.name],
  ['reset', ({ reset }) => reset],
];

/** Piece by piece, as `draws.csv`. */
export const resultsCsv = ({ summary, draws }: Results): Iterable<string> =>
  csvPieces(
    COLUMNS.map(([name]) => name),
    draws,
    (row) => COLUMNS.map(([, field]) => field(row, summary)),
  );

const recovered = (top1: number | null, baseline: number | undefined) =>
  top1 !== null && baseline ? top1 / baseline : null;
