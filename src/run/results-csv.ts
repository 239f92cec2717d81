/** `results.csv`: one row per cell, in the columns of the published study, so that its notebooks read it. */
import type { Summary } from './summary.js';

const columns =
  'top1_acc,top5_acc,loss,batch_acc,layer,pred_cos_sim,pred_l1_err,pred_l2_err,pred_ce_loss,trial,recovered_acc,model_id';

/** `batch_acc` stays empty, as in the published data; `recovered_acc` is a share of the baseline's top-1. */
export function cellsCsv(summary: Summary): string {
  const rows = summary.layers.flatMap((layer) =>
    layer.perTrial.map((trial) => {
      const recovered =
        trial.top1 !== null && summary.baseline?.top1 ? trial.top1 / summary.baseline.top1 : null;
      return [
        trial.top1,
        trial.top5,
        trial.loss,
        null,
        layer.layer,
        trial.cosine,
        trial.l1,
        trial.l2,
        trial.publishedCrossEntropy,
        trial.trial,
        recovered,
        summary.model.name,
      ]
        .map(field)
        .join(',');
    }),
  );
  return `${[columns, ...rows].join('\n')}\n`;
}

function field(value: string | number | null): string {
  if (value === null) return '';
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
