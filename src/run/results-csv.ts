/** `results.csv`: one row per cell, in the columns of the published study, so that its notebooks read it. */
import { csvField, type Field } from '../files/csv.js';
import type { LayerSummary, Summary, TrialSummary } from './summary.js';

interface Row {
  summary: Summary;
  layer: LayerSummary;
  trial: TrialSummary;
}

/** `batch_acc` stays empty, as in the published data; `recovered_acc` is a share of the baseline's top-1. */
const COLUMNS: readonly (readonly [name: string, field: (row: Row) => Field])[] = [
  ['top1_acc', ({ trial }) => trial.top1],
  ['top5_acc', ({ trial }) => trial.top5],
  ['loss', ({ trial }) => trial.loss],
  ['batch_acc', () => null],
  ['layer', ({ layer }) => layer.layer],
  ['pred_cos_sim', ({ trial }) => trial.cosine],
  ['pred_l1_err', ({ trial }) => trial.l1],
  ['pred_l2_err', ({ trial }) => trial.l2],
  ['pred_ce_loss', ({ trial }) => trial.publishedCrossEntropy],
  ['trial', ({ trial }) => trial.trial],
  ['recovered_acc', ({ trial, summary }) => recovered(trial.top1, summary.baseline?.top1)],
  ['model_id', ({ summary }) => summary.model.name],
];

export function resultsCsv(summary: Summary): string {
  const header = COLUMNS.map(([name]) => name).join(',');
  const rows = summary.layers.flatMap((layer) =>
    layer.perTrial.map((trial) =>
      COLUMNS.map(([, field]) => csvField(field({ summary, layer, trial }))).join(','),
    ),
  );
  return `${[header, ...rows].join('\n')}\n`;
}

const recovered = (top1: number | null, baseline: number | undefined) =>
  top1 !== null && baseline ? top1 / baseline : null;
