/**
 * Models x layers as colour: models by category from top to bottom, layers in network order from left to right, with
 * mean and spread of every layer above and of every model beside it.
 */
import type { TopLevelSpec } from 'vega-lite';
import { distinct, printable, shortenAll } from '../report/text.js';
import { largest } from '../statistics/extremes.js';
import type { FigureData, FigurePanel } from './data.js';
import { figure, INK, MUTED, PAPER, type Part, type Style } from './style.js';
import { textWidth } from './typeface.js';

/** A column: a layer, or a stretch of depth. */
export interface MapColumn {
  id: string;
  label: string;
  stage: string;
}

/** What a map shows. */
export interface MapContent {
  columns: readonly MapColumn[];
  /** Ids of models from top to bottom. */
  models: readonly string[];
  value: (model: string, column: string) => number | null;
  /** What marks a cell. */
  mark?: (model: string, column: string) => { shape: 'up' | 'down'; isStrong: boolean } | null;
  title: string;
  columnTitle?: string;
  domain: readonly [number, number];
  scheme: Part;
}

/** Of the margins, in sizes of the font. */
const SIDE = 6.7;
const TOP = 4.2;
/** Characters of a name, and what part of the figure names may take. */
const LONGEST_NAME = 46;
const NAMES = 0.3;

/** Percentages: dark is critical, as in the published figures, and darker in grey too. */
export const SEQUENTIAL = { scheme: 'viridis', reverse: true };
/** Blue below, white at 0, orange above. */
export const DIVERGING = {
  range: ['#08519C', '#6BAED6', '#F7F7F7', '#FD8D3C', '#A63603'],
  interpolate: 'lab',
};

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean and population standard deviation, as the published margins have them. */
function margin(values: readonly (number | null)[]) {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return null;
  const mean = meanOf(known);
  const sd = Math.sqrt(meanOf(known.map((value) => (value - mean) ** 2)));
  return { mean, low: mean - sd, high: mean + sd };
}

/** Labels of models, with their accuracy behind the name; distinct. */
export function modelLabels(data: FigureData, ids: readonly string[], style: Style): Map<string, string> {
  const models = new Map(data.models.map((model) => [model.id, model]));
  const names = shortenAll(
    // SVG draws several spaces as one.
    ids.map((id) => models.get(id)!.name.replace(/\s+/g, ' ')),
    Math.min(LONGEST_NAME, Math.max(12, Math.floor((NAMES * style.width) / (0.55 * style.fontSize)) - 6)),
  );
  const labels = distinct(
    ids.map((id, i) => {
      const { accuracy } = models.get(id)!;
      return accuracy === null ? names[i]! : `${names[i]} [${accuracy.toFixed(1)}]`;
    }),
  );
  return new Map(ids.map((id, i) => [id, labels[i]!]));
}

export function mapFigure(data: FigureData, content: MapContent, style: Style): TopLevelSpec {
  const { columns, models, domain, title } = content;
  const { fontSize } = style;
  const [sideWidth, topHeight] = [Math.round(SIDE * fontSize), Math.round(TOP * fontSize)];
  const labels = modelLabels(data, models, style);
  const categoryOf = new Map(data.models.map(({ id, category }) => [id, category]));
  const names = largest([...labels.values()].map((label) => textWidth(label, fontSize)));
  const categories = data.categories.filter(({ id }) => models.some((model) => categoryOf.get(model) === id));
  const words =
    largest(
      categories.map(({ label }) => textWidth(printable(label), fontSize)),
      0,
    ) + 12;
  const isColored = categories.length > 0;
  const room = style.width - names - sideWidth - (isColored ? words : 0) - 28;
  const fitting = Math.min(Math.max(160, room), columns.length * 4 * fontSize) / columns.length;
  // Whole pixels where nobody asks for a width: edges of cells are sharp, and the same in every program.
  const columnStep = style.isExact || fitting < 6 ? fitting : Math.floor(fitting);
  const step = Math.round(fontSize + 3);
  const gap = Math.min(1, columnStep / 10);
  const [width, height] = [columns.length * columnStep - gap, models.length * step - 1];
  const columnLabels = new Map(columns.map(({ id, label }) => [id, label]));
  const cells = models.flatMap((model) =>
    columns.flatMap(({ id }) => {
      const value = content.value(model, id);
      if (value === null) return [];
      const mark = content.mark?.(model, id);
      const shown = { model: labels.get(model)!, layer: columnLabels.get(id)!, value };
      return [mark ? { ...shown, direction: mark.shape, strong: mark.isStrong } : shown];
    }),
  );
  const ordered = [...labels.values()];
  const y = {
    field: 'model',
    type: 'nominal',
    scale: { domain: ordered, paddingInner: 1 / step, paddingOuter: 0 },
  };
  const x = {
    field: 'layer',
    type: 'nominal',
    scale: { domain: [...columnLabels.values()], paddingInner: gap / columnStep, paddingOuter: 0 },
  };
  const extent = { domain: [...domain], nice: false, clamp: true };
  const ticks = [domain[0], (domain[0] + domain[1]) / 2, domain[1]];
  const number = { type: 'quantitative', scale: extent };
  const marginAxis = { values: ticks, grid: true, title: null, labelColor: MUTED, labelFlush: true };

  const starts = columns.filter(({ stage }, i) => i > 0 && stage !== columns[i - 1]!.stage);
  const map: Part = {
    width,
    height,
    layer: [
      {
        name: 'cells',
        mark: { type: 'rect' },
        encoding: {
          x: {
            ...x,
            axis: {
              orient: 'bottom',
              title: content.columnTitle ?? null,
              labelAngle: -90,
              labelFontSize: Math.min(fontSize, Math.max(6, columnStep - 1)),
              labelOverlap: columnStep < 7 ? 'greedy' : false,
              grid: false,
            },
          },
          y: { ...y, axis: { title: null, grid: false, labelOverlap: false } },
          color: {
            field: 'value',
            type: 'quantitative',
            scale: { domain: colorDomain(content), clamp: true, ...content.scheme },
            legend: {
              orient: 'none',
              direction: 'horizontal',
              legendX: width + 10,
              legendY: -topHeight - 10,
              title,
              gradientLength: sideWidth + (isColored ? Math.max(30, words - 20) : 30),
              gradientThickness: 10,
              values: ticks,
            },
          },
        },
      },
      ...(cells.some((cell) => 'direction' in cell) ? [marksOf(x, y, Math.min(columnStep, step))] : []),
      {
        name: 'stages',
        data: { values: starts.map(({ label }) => ({ layer: label })) },
        mark: {
          type: 'rule',
          stroke: PAPER,
          strokeWidth: Math.min(2, columnStep / 5),
          xOffset: -gap / 2,
        },
        encoding: {
          x: { ...x, bandPosition: 0 },
          y: { value: 0 },
          y2: { value: height },
        },
      },
      {
        name: 'separators',
        data: { values: boundaries(models, categoryOf).map((model) => ({ model: labels.get(model)! })) },
        mark: { type: 'rule', stroke: INK, strokeWidth: 0.8 },
        encoding: { y: { ...y, bandPosition: 0 }, x: { value: -names - 8 }, x2: { value: width } },
      },
    ],
  };
  const perModel = models.flatMap((model) => {
    const found = margin(columns.map(({ id }) => content.value(model, id)));
    return found ? [{ model: labels.get(model)!, ...found }] : [];
  });
  const perColumn = columns.flatMap(({ id, label }) => {
    const found = margin(models.map((model) => content.value(model, id)));
    return found ? [{ layer: label, ...found }] : [];
  });
  const side: Part = {
    width: sideWidth,
    height,
    data: { values: perModel },
    layer: [
      ...(isColored ? categoryMarks(data, models, labels, categories, y, sideWidth) : []),
      {
        mark: { type: 'rule', stroke: MUTED, strokeWidth: 1 },
        encoding: {
          y: { ...y, axis: null },
          x: { ...number, field: 'low', axis: { ...marginAxis, orient: 'bottom' } },
          x2: { field: 'high' },
        },
      },
      {
        name: 'models',
        mark: { type: 'point', filled: true, size: 22, color: INK, opacity: 1 },
        encoding: { y: { ...y, axis: null }, x: { ...number, field: 'mean' } },
      },
    ],
  };
  const top: Part = {
    width,
    height: topHeight,
    data: { values: perColumn },
    layer: [
      {
        mark: { type: 'rule', stroke: MUTED, strokeWidth: 1 },
        encoding: {
          x: { ...x, axis: null },
          y: { ...number, field: 'low', axis: { ...marginAxis, orient: 'left' } },
          y2: { field: 'high' },
        },
      },
      {
        name: 'layers',
        mark: { type: 'point', filled: true, size: 22, color: INK, opacity: 1 },
        encoding: { x: { ...x, axis: null }, y: { ...number, field: 'mean' } },
      },
    ],
  };
  return figure(style, {
    data: { values: cells },
    bounds: 'flush',
    spacing: 10,
    vconcat: [top, { bounds: 'flush', spacing: 10, hconcat: [map, side] }],
  });
}

/** Diverging colours need their middle at 0. */
function colorDomain({ domain, scheme }: MapContent): number[] {
  if (!('range' in scheme)) return [...domain];
  const [low, high] = domain;
  return [low, low / 2, 0, high / 2, high];
}

/** Models that open another category. */
function boundaries(models: readonly string[], categoryOf: ReadonlyMap<string, string | null>): string[] {
  return models.filter((model, i) => i > 0 && categoryOf.get(model) !== categoryOf.get(models[i - 1]!));
}

/** Triangles that point to where the difference goes: filled where it survives Holm, open where it survives BH. */
function marksOf(x: Part, y: Part, room: number): Part {
  return {
    name: 'tests',
    transform: [{ filter: 'isValid(datum.direction)' }],
    mark: { type: 'point', size: Math.max(5, (room * 0.42) ** 2), strokeWidth: 0.8, stroke: INK, opacity: 1 },
    encoding: {
      x,
      y,
      shape: {
        field: 'direction',
        type: 'nominal',
        scale: { domain: ['up', 'down'], range: ['triangle-up', 'triangle-down'] },
        legend: null,
      },
      fill: {
        field: 'strong',
        type: 'nominal',
        scale: { domain: [true, false], range: [INK, 'transparent'] },
        legend: null,
      },
    },
  };
}

/** A bar along each category's models, and its name. */
function categoryMarks(
  data: FigureData,
  models: readonly string[],
  labels: ReadonlyMap<string, string>,
  categories: FigureData['categories'],
  y: Part,
  right: number,
): Part[] {
  const categoryOf = new Map(data.models.map(({ id, category }) => [id, category]));
  const color = {
    field: 'category',
    type: 'nominal',
    scale: { domain: categories.map(({ id }) => id), range: categories.map((one) => one.color) },
    legend: null,
  };
  const firsts = categories.map(({ id, label }) => ({
    model: labels.get(models.find((model) => categoryOf.get(model) === id)!)!,
    category: id,
    label: printable(label),
  }));
  const members = models.flatMap((model) => {
    const category = categoryOf.get(model);
    return category == null ? [] : [{ model: labels.get(model)!, category }];
  });
  return [
    {
      name: 'categories',
      data: { values: members },
      mark: { type: 'bar', height: { band: 1.08 } },
      encoding: { y: { ...y, axis: null }, x: { value: right + 4 }, x2: { value: right + 9 }, color },
    },
    {
      name: 'category names',
      data: { values: firsts },
      mark: { type: 'text', align: 'left', baseline: 'middle', xOffset: right + 13 },
      encoding: { y: { ...y, axis: null }, x: { value: 0 }, text: { field: 'label' } },
    },
  ];
}

/** A panel's layers as columns. */
export const columnsOf = ({ layers }: FigurePanel): MapColumn[] =>
  layers.map(({ layer, label, stage }) => ({ id: layer, label, stage }));
