/** Figures with one row per layer, from the first at the top to the last: criticality and accuracy. */
import type { TopLevelSpec } from 'vega-lite';
import type { Summary } from '../run/summary.js';
import {
  chart,
  clamp,
  INK,
  layerAxis,
  legendHeight,
  nameWidth,
  percent,
  rowHeight,
  seriesColor,
} from './frame.js';
import { stageStarts } from './groups.js';
import { type Row, rowsOf, valuesOf } from './rows.js';

const PLOT_WIDTH = 720;
/** Room for the tick labels and the title of an axis on top. */
const TOP_AXIS_HEIGHT = 44;

/** A mark of a chart with a row per layer; where it gives no `y`, the layer axis is its y. */
interface LayerMark {
  name: string;
  data?: { values: readonly object[] };
  mark: object;
  encoding: Record<string, object>;
}

/**
 * Criticality per layer of one model: a bar to the mean, a line over the interval. What lies outside 0-100 is
 * drawn at the edge.
 */
export function criticalityBars(summary: Summary): TopLevelSpec {
  const rows = rowsOf([summary]);
  const color = seriesColor(valuesOf(rows, 'series'), PLOT_WIDTH);
  const means = rows.map(({ numbers: { criticality }, layer, series }) => ({
    layer,
    series,
    criticality: clamp(criticality.mean),
    low: clamp(criticality.low),
    high: clamp(criticality.high),
  }));
  return layerChart(rows, means, [
    {
      name: 'means',
      mark: { type: 'bar', height: { band: 1 }, opacity: 0.38 },
      encoding: { x: percent('criticality', 'criticality (%)', 'top'), color },
    },
    {
      name: 'intervals',
      mark: { type: 'rule', stroke: INK, strokeWidth: 1.2 },
      encoding: { x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' } },
    },
  ]);
}

/**
 * Top-1 accuracy after each reset, with a line from the untouched model's accuracy, which is dashed.
 * @returns null where no summary has labels
 */
export function accuracyFigure(summaries: readonly Summary[]): TopLevelSpec | null {
  const rows = rowsOf(summaries).filter(({ summary }) => summary.baseline !== null);
  if (rows.length === 0) return null;
  const color = seriesColor(valuesOf(rows, 'series'), PLOT_WIDTH);
  const accuracies = rows.map(({ numbers, summary, layer, series }) => ({
    layer,
    series,
    top1: numbers.top1,
    baseline: numbers.top1 === null ? null : summary.baseline!.top1,
  }));
  const baselines = [...new Set(rows.map(({ summary }) => summary.baseline!.top1))];
  return layerChart(rows, accuracies, [
    {
      name: 'losses',
      mark: { type: 'rule', strokeWidth: 2, opacity: summaries.length === 1 ? 0.38 : 0 },
      encoding: {
        x: percent('top1', 'top-1 accuracy after the reset (%); dashed: untouched model', 'top'),
        x2: { field: 'baseline' },
        color,
      },
    },
    {
      name: 'accuracies',
      mark: { type: 'circle', size: 46, opacity: 1 },
      encoding: { x: { field: 'top1', type: 'quantitative' }, color },
    },
    {
      name: 'baselines',
      data: { values: baselines.map((baseline) => ({ baseline })) },
      mark: { type: 'rule', stroke: INK, strokeDash: [4, 3], strokeWidth: 1.2 },
      encoding: { x: { field: 'baseline', type: 'quantitative' }, y: { value: 0 }, y2: { value: 'height' } },
    },
  ]);
}

/** Lays out marks over layers, with a line above each stage of a single model. */
function layerChart(
  rows: readonly Row[],
  data: readonly object[],
  marks: readonly LayerMark[],
): TopLevelSpec {
  const labels = valuesOf(rows, 'layer');
  const models = valuesOf(rows, 'model');
  const left = nameWidth(labels) + 14;
  const step = rowHeight(labels.length);
  const starts = models.length === 1 ? stageStarts(rows.map(({ numbers }) => numbers)) : [];
  const stages: LayerMark = {
    name: 'stages',
    data: { values: starts.map((i) => ({ layer: rows[i]!.layer })) },
    mark: { type: 'rule', stroke: '#BDBDBD', strokeWidth: 1, yOffset: -0.15 * step },
    encoding: {
      y: { ...layerAxis(labels), bandPosition: 0 },
      x: { value: -left },
      x2: { value: 'width' },
    },
  };
  const withAxis = (mark: LayerMark): object => ({
    ...mark,
    encoding: 'y' in mark.encoding ? mark.encoding : { y: layerAxis(labels), ...mark.encoding },
  });
  const top = TOP_AXIS_HEIGHT + legendHeight(valuesOf(rows, 'series'), PLOT_WIDTH);
  return chart(
    {
      width: PLOT_WIDTH,
      height: Math.max(1, labels.length) * step,
      padding: { left, right: 20, top, bottom: 8 },
    },
    data,
    [...(starts.length > 0 ? [stages] : []), ...marks].map(withAxis),
  );
}
