/** Figures with one point per layer: criticality against agreement, and against the number of parameters. */
import type { TopLevelSpec } from 'vega-lite';
import type { Summary } from '../run/summary.js';
import { largest, smallest } from '../statistics/extremes.js';
import { chart, INK, legendHeight, percent, seriesColor } from './frame.js';
import { placeLabels } from './label-placement.js';
import { rowName } from './overview.js';
import { type Row, rowsOf, valuesOf } from './rows.js';
import { unitOf } from './subject.js';
import { shortenAll } from './text.js';

const PLOT = { width: 440, height: 320 };
const MOST_NAMES = 6;

/** A point in the units of the axes, and how much it deserves a name. */
interface Point {
  row: Row;
  x: number;
  y: number;
  weight: number;
}

/**
 * Agreement against criticality. On the dashed diagonal a layer moves as many classes as its criticality says;
 * above it probabilities move while the class stays. The layers farthest from it are named.
 */
export function agreementFigure(summaries: readonly Summary[]): TopLevelSpec {
  const points = pointsOf(
    summaries,
    ({ numbers }) => numbers.criticality.mean,
    ({ numbers }) => numbers.agreement.mean,
    (x, y) => Math.abs(x + y - 100),
  );
  const diagonal = {
    name: 'diagonal',
    data: { values: [{ x: 0, y: 100, x2: 100, y2: 0 }] },
    mark: { type: 'rule', stroke: '#9A9A9A', strokeDash: [4, 3] },
    encoding: {
      x: { field: 'x', type: 'quantitative' },
      y: { field: 'y', type: 'quantitative' },
      x2: { field: 'x2' },
      y2: { field: 'y2' },
    },
  };
  return scatter(
    points,
    percent('x', 'criticality (%)', 'bottom'),
    percent('y', 'agreement (%)', 'left'),
    (x) => x / 100,
    [diagonal],
  );
}

/** Criticality against the layer's number of parameters, on a logarithmic axis. */
export function parametersFigure(summaries: readonly Summary[]): TopLevelSpec {
  const points = pointsOf(
    summaries,
    ({ numbers }) => (numbers.parameters > 0 ? numbers.parameters : null),
    ({ numbers }) => numbers.criticality.mean,
    (_, y) => y,
  );
  const logs = points.map(({ x }) => Math.log10(x));
  const low = Math.floor(smallest(logs, 6));
  const high = Math.max(low + 1, Math.ceil(largest(logs, 0)));
  const decades = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  const axis = {
    field: 'x',
    type: 'quantitative',
    scale: { type: 'log', domain: [10 ** low, 10 ** high], nice: false },
    axis: {
      orient: 'bottom',
      title: `parameters of the ${unitOf(summaries)}`,
      values: decades,
      format: '~s',
    },
  };
  const position = (x: number): number => (Math.log10(x) - low) / (high - low);
  return scatter(points, axis, percent('y', 'criticality (%)', 'left'), position, []);
}

function pointsOf(
  summaries: readonly Summary[],
  xOf: (row: Row) => number | null,
  yOf: (row: Row) => number | null,
  weightOf: (x: number, y: number) => number,
): Point[] {
  return rowsOf(summaries).flatMap((row) => {
    const x = xOf(row);
    const y = yOf(row);
    return x === null || y === null ? [] : [{ row, x, y, weight: weightOf(x, y) }];
  });
}

/** @param position where a value lies along the x axis, 0 at its start and 1 at its end */
function scatter(
  points: readonly Point[],
  x: object,
  y: object,
  position: (x: number) => number,
  under: readonly object[],
): TopLevelSpec {
  const rows = points.map(({ row }) => row);
  const series = valuesOf(rows, 'series');
  const names = shortenAll(
    rows.map(({ numbers, summary }) => rowName(numbers, summary)),
    28,
  );
  const pixels = points.map((point, i) => ({
    name: names[i]!,
    x: position(point.x) * PLOT.width,
    y: (1 - point.y / 100) * PLOT.height,
    weight: point.weight,
  }));
  const candidates = [...pixels].sort((a, b) => b.weight - a.weight);
  const isOneModel = valuesOf(rows, 'model').length === 1;
  const labels = isOneModel ? placeLabels(candidates, pixels, PLOT, MOST_NAMES) : [];
  return chart(
    { ...PLOT, padding: { left: 56, right: 20, top: 12 + legendHeight(series, PLOT.width), bottom: 46 } },
    points.map(({ row, x, y }) => ({ x, y, series: row.series })),
    [
      ...under,
      {
        name: 'layers',
        mark: { type: 'circle', size: 52, opacity: 0.8 },
        encoding: { x, y, color: seriesColor(series, PLOT.width) },
      },
      {
        name: 'names',
        data: { values: labels },
        mark: { type: 'text', align: 'left', baseline: 'middle', fontSize: 10, fill: INK },
        encoding: {
          x: { field: 'x', type: 'quantitative', scale: null },
          y: { field: 'y', type: 'quantitative', scale: null },
          text: { field: 'name' },
        },
      },
    ],
  );
}
