/** The maps of layers x models: criticality, difference to the baseline, spread between draws, width of intervals, cost. */

import { smallest } from '../statistics/extremes.js';
import { cellIndex, criticalityOf, type FigureCell, type FigureData, type FigurePanel } from './data.js';
import { columnsOf, DIVERGING, type MapContent, mapFigure, SEQUENTIAL } from './map-figure.js';
import type { Drawing, Style } from './style.js';

/** Of a depth map, at most; no more than the shallowest network has layers. */
const MOST_STRETCHES = 20;
const ALPHA = 0.05;

/** @param mostCells - of a panel that is drawn */
export function maps(data: FigureData, style: Style, mostCells: number): Drawing[] {
  const isOne = data.panels.length === 1;
  const perPanel = data.panels.flatMap((panel, i) => {
    const suffix = isOne ? '' : `-${i + 1}`;
    const of = isOne ? '' : `: ${panel.name}`;
    if (panel.models.length * panel.layers.length > mostCells) return [];
    return [
      criticalityMap(data, panel, style, suffix, of),
      differenceMap(data, panel, style, suffix, of),
      cellMap(data, panel, style, {
        id: `spread${suffix}`,
        title: `Spread between draws${of}`,
        caption:
          'Standard deviation between draws, in percentage points. Beside and above: means ± standard deviation.',
        legend: 'spread (points)',
        value: ({ spread }) => spread,
      }),
      cellMap(data, panel, style, {
        id: `interval-width${suffix}`,
        title: `Width of the intervals${of}`,
        caption: `From the lower to the upper end, in percentage points${data.intervals ? `; ${data.intervals}` : ''}.`,
        legend: 'width (points)',
        value: ({ low, high }) => (low === null || high === null ? null : high - low),
      }),
      data.cells.some(({ model, stoppedAt }) => stoppedAt !== null && panel.models.includes(model))
        ? cellMap(data, panel, style, {
            id: `cost${suffix}`,
            title: `Where each layer stopped${of}`,
            caption:
              'Images until the layer was known as well as asked for, or all that there were. Few images: a cheap layer.',
            legend: 'images',
            value: ({ stoppedAt, images }) => stoppedAt ?? images,
          })
        : null,
    ];
  });
  return [
    ...perPanel.filter((one) => one !== null),
    ...(isOne || data.models.length * MOST_STRETCHES > mostCells ? [] : [depthMap(data, style)]),
  ];
}

function criticalityMap(
  data: FigureData,
  panel: FigurePanel,
  style: Style,
  suffix: string,
  of: string,
): Drawing {
  const cellOf = cellIndex(data.cells);
  return {
    id: `map${suffix}`,
    title: `Criticality map${of}`,
    caption:
      'How far predictions move when a layer is reset: 0 not at all, 100 completely. Models by category, layers in network order; ' +
      'beside and above: means ± standard deviation over layers and over models.' +
      (data.models.some(({ accuracy }) => accuracy !== null) ? ' In brackets: accuracy in percent.' : ''),
    spec: mapFigure(
      data,
      {
        columns: columnsOf(panel),
        models: panel.models,
        value: (model, layer) => {
          const cell = cellOf(model, layer);
          return cell ? criticalityOf(cell) : null;
        },
        title: 'criticality (%)',
        domain: [0, 100],
        scheme: SEQUENTIAL,
      },
      style,
    ),
  };
}

function differenceMap(
  data: FigureData,
  panel: FigurePanel,
  style: Style,
  suffix: string,
  of: string,
): Drawing | null {
  if (data.baseline === null || !panel.models.includes(data.baseline)) return null;
  const differenceOf = cellIndex(data.differences);
  const largest = data.differences.reduce(
    (most, { difference }) => Math.max(most, Math.abs(difference ?? 0)),
    0,
  );
  if (largest === 0) return null;
  const edge = Math.min(100, Math.ceil(largest / 10) * 10);
  const content: MapContent = {
    columns: columnsOf(panel),
    models: panel.models.filter((id) => id !== data.baseline),
    value: (model, layer) => differenceOf(model, layer)?.difference ?? null,
    mark: (model, layer) => {
      const found = differenceOf(model, layer);
      if (!found || found.difference === null || !((found.pBh ?? 1) < ALPHA)) return null;
      return { shape: found.difference > 0 ? 'up' : 'down', isStrong: (found.pHolm ?? 1) < ALPHA };
    },
    title: 'difference (points)',
    domain: [-edge, edge],
    scheme: DIVERGING,
  };
  return {
    id: `difference${suffix}`,
    title: `Difference to ${data.baseline}${of}`,
    caption:
      `Criticality minus that of ${data.baseline}, in percentage points. Triangles point up where it is more, down where less: ` +
      'filled where the difference survives Holm’s correction over all layers, models and resets of the images, open where it survives Benjamini and Hochberg’s ' +
      '(both at 0.05).',
    spec: mapFigure(data, content, style),
  };
}

interface CellMap {
  id: string;
  title: string;
  caption: string;
  legend: string;
  value: (cell: FigureCell) => number | null;
}

/** @returns null where no cell has a value */
function cellMap(data: FigureData, panel: FigurePanel, style: Style, map: CellMap): Drawing | null {
  const cellOf = cellIndex(data.cells);
  const value = (model: string, layer: string) => {
    const cell = cellOf(model, layer);
    return cell ? map.value(cell) : null;
  };
  const largest = panel.models.reduce(
    (most, model) => panel.layers.reduce((more, { layer }) => Math.max(more, value(model, layer) ?? 0), most),
    0,
  );
  if (largest === 0) return null;
  const content: MapContent = {
    columns: columnsOf(panel),
    models: panel.models,
    value,
    title: map.legend,
    domain: [0, roundUp(largest)],
    scheme: SEQUENTIAL,
  };
  return { id: map.id, title: map.title, caption: map.caption, spec: mapFigure(data, content, style) };
}

/** To one leading digit: an axis ends at a number that is easily read. */
function roundUp(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  return Number((Math.ceil(value / unit) * unit).toPrecision(3));
}

/** All models on one axis, whatever layers they have. */
function depthMap(data: FigureData, style: Style): Drawing {
  const cellOf = cellIndex(data.cells);
  const fewest = smallest(data.panels.map(({ layers }) => layers.length));
  const stretches = Math.min(MOST_STRETCHES, Math.max(4, fewest));
  const columns = Array.from({ length: stretches }, (_, i) => ({
    id: String(i),
    label: `${((100 / stretches) * i).toFixed(0)}–${((100 / stretches) * (i + 1)).toFixed(0)} %`,
    stage: '',
  }));
  const panelOf = new Map(data.models.map(({ id, panel }) => [id, data.panels[panel]!]));
  const value = (model: string, column: string): number | null => {
    const values = panelOf.get(model)!.layers.flatMap(({ layer, depth }) => {
      const cell = cellOf(model, layer);
      const isIn = Math.min(stretches - 1, Math.floor(depth * stretches)) === Number(column);
      return isIn && cell ? (criticalityOf(cell) ?? []) : [];
    });
    return values.length > 0 ? values.reduce((sum, one) => sum + one, 0) / values.length : null;
  };
  const order = new Map(data.categories.map(({ id }, i) => [id, i]));
  const rankOf = (id: string) => {
    const { category } = data.models.find((model) => model.id === id)!;
    return category === null ? order.size : order.get(category)!;
  };
  const models = data.models.map(({ id }) => id).sort((a, b) => rankOf(a) - rankOf(b));
  return {
    id: 'depth-map',
    title: 'Criticality by relative depth',
    caption: `Models of different architectures side by side: means over the layers in each of ${stretches} stretches of depth, the input at the left. Blank: no layer there.`,
    spec: mapFigure(
      data,
      {
        columns,
        models,
        value,
        title: 'criticality (%)',
        columnTitle: 'relative depth',
        domain: [0, 100],
        scheme: SEQUENTIAL,
      },
      style,
    ),
  };
}
