/** Cells against cells: a set of images against another, and how metrics order the cells alike. */
import { fixed } from '../report/numbers.js';
import { printable } from '../report/text.js';
import { spearman } from '../statistics/correlation.js';
import { cellIndex, type FigureData } from './data.js';
import { legendColumns } from './scatters.js';
import { byCategory, type Drawing, figure, INK, MUTED, type Part, percentAxis, type Style } from './style.js';

export interface ImageSetAgreement {
  imageSet: string;
  otherSet: string;
  /** Cells that both have. */
  n: number;
  meanDifference: number;
  spearman: number | null;
  spearmanP: number | null;
}

function pairsOf({ imageSets: [first, ...others] }: FigureData) {
  if (!first) return [];
  const firstOf = cellIndex(first.cells);
  return others.map((other) => ({
    first,
    other,
    pairs: other.cells.flatMap(({ model, layer, mean }) => {
      const x = firstOf(model, layer)?.mean ?? null;
      return x === null || mean === null ? [] : [{ model, x, y: mean }];
    }),
  }));
}

/** Each other set against the one that is shown. */
export function imageSetAgreement(data: FigureData): ImageSetAgreement[] {
  return pairsOf(data).map(({ first, other, pairs }) => {
    const [x, y] = [pairs.map((pair) => pair.x), pairs.map((pair) => pair.y)];
    const found = pairs.length > 2 ? spearman(x, y) : null;
    const sum = pairs.reduce((total, pair) => total + pair.y - pair.x, 0);
    return {
      ...{ imageSet: other.id, otherSet: first.id, n: pairs.length },
      meanDifference: pairs.length > 0 ? sum / pairs.length : 0,
      spearman: found?.coefficient ?? null,
      spearmanP: found?.p ?? null,
    };
  });
}

/** @returns null where a study has one set of images */
export function imageSetFigure(data: FigureData, style: Style): Drawing | null {
  const sets = pairsOf(data).filter(({ pairs }) => pairs.length > 0);
  if (sets.length === 0) return null;
  const categoryOf = new Map(data.models.map(({ id, category }) => [id, category]));
  const labelOf = new Map(data.categories.map(({ id, label }) => [id, printable(label)]));
  const label = (model: string) => labelOf.get(categoryOf.get(model) ?? '') ?? 'no category';
  const labels = [...new Set(sets.flatMap(({ pairs }) => pairs.map(({ model }) => label(model))))];
  const colors = labels.map(
    (one) => data.categories.find((category) => printable(category.label) === one)?.color ?? MUTED,
  );
  const columns = Math.min(3, sets.length);
  const side = Math.min(320, Math.floor((style.width - 40) / columns) - 70);
  const legend =
    labels.length > 1 ? { title: null, orient: 'top', columns: legendColumns(labels, side, style) } : null;
  const plots = sets.map(
    ({ first, other, pairs }): Part => ({
      width: side,
      height: side,
      layer: [
        {
          data: { values: [{ x: 0, y: 0, x2: 100, y2: 100 }] },
          mark: { type: 'rule', stroke: MUTED, strokeDash: [4, 3] },
          encoding: {
            x: { field: 'x', type: 'quantitative' },
            y: { field: 'y', type: 'quantitative' },
            x2: { field: 'x2' },
            y2: { field: 'y2' },
          },
        },
        {
          name: 'cells',
          data: { values: pairs.map(({ model, x, y }) => ({ x, y, category: label(model) })) },
          mark: { type: 'point', filled: true, size: 34, opacity: 0.75 },
          encoding: {
            x: percentAxis('x', `criticality on ${printable(first.name)} (%)`),
            y: percentAxis('y', `on ${printable(other.name)} (%)`),
            ...byCategory(labels, colors, legend),
          },
        },
      ],
    }),
  );
  return {
    id: 'image-sets',
    title: 'Criticality on other images',
    caption:
      'A point for each layer of each model. Dashed: the same on both. Above it the layer matters more on the other images.',
    spec: figure(style, { columns, spacing: 24, concat: plots }),
  };
}

export interface MetricAgreement {
  metric: string;
  other: string;
  n: number;
  spearman: number | null;
}

/** Spearman's rank correlation over cells, of each pair of metrics. */
export function metricAgreement({ cells }: FigureData): MetricAgreement[] {
  const names = [...new Set(cells.flatMap(({ metrics }) => Object.keys(metrics)))];
  return names.flatMap((metric) =>
    names.map((other) => {
      const pairs = cells.flatMap(({ metrics }) => {
        const [x, y] = [metrics[metric] ?? null, metrics[other] ?? null];
        return x === null || y === null ? [] : [{ x, y }];
      });
      const found =
        pairs.length > 2
          ? spearman(
              pairs.map(({ x }) => x),
              pairs.map(({ y }) => y),
            )
          : null;
      return { metric, other, n: pairs.length, spearman: found?.coefficient ?? null };
    }),
  );
}

/** @returns null where only one metric is known */
export function metricFigure(data: FigureData, style: Style): Drawing | null {
  const rows = metricAgreement(data).filter((row) => row.spearman !== null);
  const names = [...new Set(rows.map(({ metric }) => metric))];
  if (names.length < 2) return null;
  const side = names.length * style.fontSize * 3.2;
  const axis = { title: null, grid: false, labelOverlap: false };
  const scale = { domain: names, padding: 0.04 };
  const place = {
    x: { field: 'other', type: 'nominal', scale, axis: { ...axis, labelAngle: -45 } },
    y: { field: 'metric', type: 'nominal', scale, axis },
  };
  const values = rows.map(({ metric, other, spearman: rho }) => ({
    ...{ metric, other, rho },
    text: fixed(rho, 2).replace('-', '−'),
    strength: Math.abs(rho!),
  }));
  return {
    id: 'metrics',
    title: 'How metrics agree',
    caption:
      'Spearman’s ρ over all layers of all models: 1 where two metrics put the layers into the same order, −1 where into the opposite one.',
    spec: figure(style, {
      width: side,
      height: side,
      data: { values },
      layer: [
        {
          mark: { type: 'rect' },
          encoding: {
            ...place,
            color: {
              field: 'strength',
              type: 'quantitative',
              scale: { domain: [0, 1], range: ['#FFFFFF', '#9EBAD4'] },
              legend: null,
            },
          },
        },
        { mark: { type: 'text', fill: INK }, encoding: { ...place, text: { field: 'text' } } },
      ],
    }),
  };
}
