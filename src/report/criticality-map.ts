/** The criticality map: layers × models, the figure that compares models. */
import type { TopLevelSpec } from 'vega-lite';
import type { Summary } from '../run/summary.js';
import { chart, clamp, layerAxis, nameWidth, rowHeight } from './frame.js';
import { rowsOf, valuesOf } from './rows.js';

const MAX_WIDTH = 680;
const LEGEND_WIDTH = 90;

/**
 * Criticality of every layer of every model as colour, 0 dark and 100 bright. Rows are layer names in order of
 * first appearance; a model without that layer, or without a value, leaves its cell empty.
 */
export function criticalityMap(summaries: readonly Summary[]): TopLevelSpec {
  const rows = rowsOf(summaries);
  const layers = valuesOf(rows, 'layer');
  const models = valuesOf(rows, 'model');
  const columnWidth = Math.max(10, Math.min(64, Math.floor(MAX_WIDTH / Math.max(1, models.length))));
  const cells = rows.map(({ numbers, layer, model }) => ({
    layer,
    model,
    criticality: clamp(numbers.criticality.mean),
  }));
  const y = layerAxis(layers) as { axis: object };
  return chart(
    {
      width: models.length * columnWidth,
      height: Math.max(1, layers.length) * rowHeight(layers.length),
      padding: { left: nameWidth(layers) + 14, right: LEGEND_WIDTH, top: nameWidth(models) + 14, bottom: 8 },
    },
    cells,
    [
      {
        name: 'cells',
        mark: { type: 'rect' },
        encoding: {
          y: { ...y, scale: { domain: layers, padding: 0.03 } },
          x: {
            field: 'model',
            type: 'nominal',
            scale: { domain: models, padding: 0.03 },
            axis: {
              orient: 'top',
              title: null,
              grid: false,
              labelAngle: -90,
              labelLimit: 0,
              labelOverlap: false,
            },
          },
          color: {
            field: 'criticality',
            type: 'quantitative',
            scale: { domain: [0, 100], scheme: 'cividis' },
            legend: {
              orient: 'right',
              title: 'criticality (%)',
              titleFontWeight: 'normal',
              gradientLength: 200,
            },
          },
        },
      },
    ],
  );
}
