/** The columns of the HTML report's table of layers, with what a reader is told about each. */
import type { LayerSummary, Summary } from '../run/summary.js';
import { fixed, grouped, intervalText, shapeText } from './numbers.js';
import { intervalsText, invalidLayers, resetsOf } from './overview.js';

/** A column: its text per layer, and the number behind the text where it is sorted by one. */
export interface ReportColumn {
  title: string;
  /** A sentence for the title's tooltip. */
  meaning: string;
  text: (layer: LayerSummary) => string;
  /** Given for numbers: the exact value, null sorts last. */
  value?: (layer: LayerSummary) => number | null;
}

function numeric(
  title: string,
  meaning: string,
  value: (layer: LayerSummary) => number | null,
  decimals: number,
): ReportColumn {
  return { title, meaning, value, text: (layer) => fixed(value(layer), decimals) };
}

function count(title: string, meaning: string, value: (layer: LayerSummary) => number): ReportColumn {
  return { title, meaning, value, text: (layer) => grouped(value(layer)) };
}

/**
 * The columns for one summary: those about labels only with labels, the reset only where kinds differ, the
 * count of invalid outputs only where there are any.
 */
export function columnsOfReport(summary: Summary): ReportColumn[] {
  const columns: ReportColumn[] = [
    { title: 'op', meaning: 'Operator in the model file.', text: (layer) => layer.op },
    {
      title: 'shape',
      meaning: 'Shape of the weight.',
      text: (layer) => shapeText(layer.shape),
    },
    count('parameters', 'Number of parameters that were reset.', (layer) => layer.parameters),
    numeric('criticality %', '100 × (1 − mean cosine).', (layer) => layer.criticality.mean, 2),
    {
      title: 'interval',
      meaning: `${intervalsText(summary) ?? 'Interval'}; sorted by its lower end.`,
      text: ({ criticality }) => intervalText(criticality, 2),
      value: ({ criticality }) => criticality.low,
    },
    numeric(
      'sd draws',
      'Standard deviation between draws, of their means over endless images.',
      (layer) => layer.criticality.sdDraws,
      2,
    ),
    numeric(
      'sd images',
      'Standard deviation between images of one draw.',
      (layer) => layer.criticality.sdImages,
      2,
    ),
    numeric('agreement %', 'Images whose top-1 class did not change.', (layer) => layer.agreement.mean, 2),
    numeric('cosine', 'Mean cosine similarity of the probabilities.', (layer) => layer.cosine, 4),
    numeric('L1', 'Mean L1 distance of the probabilities.', (layer) => layer.l1, 4),
    numeric('L2', 'Mean L2 distance of the probabilities.', (layer) => layer.l2, 4),
    numeric('KL', 'Mean Kullback–Leibler divergence, in nats.', (layer) => layer.kl, 3),
    numeric('JS', 'Mean Jensen–Shannon divergence, 0 to 1.', (layer) => layer.js, 4),
  ];
  if (summary.baseline !== null) {
    columns.push(
      numeric('top-1 %', 'Top-1 accuracy after the reset.', (layer) => layer.top1, 2),
      numeric('top-5 %', 'Top-5 accuracy after the reset.', (layer) => layer.top5, 2),
      numeric('loss', 'Mean cross-entropy after the reset, in nats.', (layer) => layer.loss, 3),
    );
  }
  columns.push(
    numeric('change', 'How far the weights moved: ‖W′ − W‖ / ‖W‖.', (layer) => layer.change, 3),
    count('draws', 'Independent draws of the reset.', (layer) => layer.draws),
    count('images', 'Images that the layer was measured on.', (layer) => layer.images),
    count('passes', 'Images under a draw: what the layer cost.', (layer) => layer.passes),
  );
  if (summary.options.tolerance !== undefined) {
    columns.push({
      title: 'stopped at',
      meaning: 'Images after which the layer was known as well as asked for.',
      text: ({ stoppedAt }) => (stoppedAt === null ? 'not reached' : grouped(stoppedAt)),
      value: ({ stoppedAt }) => stoppedAt,
    });
  }
  if (invalidLayers(summary).length > 0) {
    columns.push(count('invalid', 'Outputs that were NaN or infinite.', (layer) => layer.invalid));
  }
  if (resetsOf(summary).length > 1) {
    columns.unshift({
      title: 'reset',
      meaning: 'What was done to the weights.',
      text: (layer) => layer.reset,
    });
  }
  return columns;
}
