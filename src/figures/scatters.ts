/** A point for each model: mean criticality against accuracy, against other numbers, against the budget of an attack. */
import type { TopLevelSpec } from 'vega-lite';
import { probability } from '../page/numbers.js';
import { printable } from '../report/text.js';
import { largest } from '../statistics/extremes.js';
import type { FigureData, FigureModel } from './data.js';
import type { CorrelationRow } from './rows.js';
import {
  byCategory,
  type Drawing,
  figure,
  GRID,
  INK,
  MUTED,
  type Part,
  percentAxis,
  SHAPES,
  type Style,
} from './style.js';
import { textWidth } from './typeface.js';

const PLOT_HEIGHT = 320;
/** Px below which a plot gets the whole width. */
const NARROW = 260;
/** What has no category. */
const NONE = 'no category';

export function scatters(data: FigureData, style: Style): Drawing[] {
  const numeric = new Set(
    data.models.flatMap(({ attributes }) =>
      Object.entries(attributes).flatMap(([name, value]) => (typeof value === 'number' ? [name] : [])),
    ),
  );
  const isShown = (name: string) => name !== 'accuracy' && name !== 'top1' && name !== 'budget';
  const found = [
    against(data, style, 'accuracy', ({ accuracy }) => accuracy),
    budgetFigure(data, style),
    ...[...numeric]
      .filter(isShown)
      .map((name) => against(data, style, name, ({ attributes }) => attributes[name])),
  ];
  return found.filter((one) => one !== null);
}

/** @returns null for fewer than three models that have the number */
function against(
  data: FigureData,
  style: Style,
  name: string,
  numberOf: (model: FigureModel) => unknown,
): Drawing | null {
  const labelOf = new Map(data.categories.map(({ id, label }) => [id, printable(label)]));
  const points = data.models.flatMap((model) => {
    const x = numberOf(model);
    if (typeof x !== 'number' || model.mean === null) return [];
    const category = model.category === null ? NONE : labelOf.get(model.category)!;
    return [{ x, y: model.mean, category, name: printable(model.name) }];
  });
  if (points.length < 3) return null;
  const isAccuracy = name === 'accuracy';
  const rows = data.correlations.filter((row) => row.attribute === name);
  const xs = points.map(({ x }) => x);
  return {
    id: isAccuracy ? 'accuracy' : `attribute-${fileName(name)}`,
    title: `Criticality and ${printable(name)}`,
    caption:
      `A point for each model: mean criticality of its layers against ${isAccuracy ? 'its accuracy' : printable(name)}.` +
      (rows.length > 0
        ? ' Beside: Spearman’s ρ and Kendall’s τ-b with two-sided p, over all models and without each category.'
        : ''),
    spec: scatter(data, points, rows, style, {
      field: 'x',
      type: 'quantitative',
      scale: { zero: false, nice: true, padding: 8 },
      axis: {
        title: isAccuracy ? 'accuracy (%)' : printable(name),
        tickCount: Math.min(8, new Set(xs).size + 3),
      },
    }),
  };
}

function scatter(
  data: FigureData,
  points: readonly { x: number; y: number; category: string; name: string }[],
  rows: readonly CorrelationRow[],
  style: Style,
  x: Part,
): TopLevelSpec {
  const used = new Set(points.map(({ category }) => category));
  const known = data.categories.filter(({ label }) => used.has(printable(label)));
  const labels = [...known.map(({ label }) => printable(label)), ...(used.has(NONE) ? [NONE] : [])];
  const colors = [...known.map(({ color }) => color), ...(used.has(NONE) ? [MUTED] : [])];
  const table = correlationTable(data, rows, style);
  // Below the plot where there is no room beside it.
  const isBeside = style.width - table.width - 110 >= NARROW;
  const room = isBeside ? style.width - table.width - 110 : style.width - 80;
  const width = Math.max(200, Math.min(560, room));
  const legend =
    labels.length > 1 ? { title: null, orient: 'top', columns: legendColumns(labels, width, style) } : null;
  const plot: Part = {
    width,
    height: Math.min(PLOT_HEIGHT, width),
    data: { values: points },
    name: 'models',
    mark: { type: 'point', filled: true, size: 60, opacity: 0.85 },
    encoding: { x, y: percentAxis('y', 'mean criticality (%)'), ...byCategory(labels, colors, legend) },
  };
  return figure(
    style,
    rows.length > 0 ? { [isBeside ? 'hconcat' : 'vconcat']: [plot, table.part], spacing: 24 } : plot,
  );
}

export function legendColumns(labels: readonly string[], width: number, { fontSize }: Style): number {
  const widest = largest(labels.map((label) => textWidth(label, fontSize))) + 34;
  return Math.max(1, Math.min(labels.length, Math.floor(width / widest)));
}

const HEAD = ['n', 'ρ', 'p', 'τ-b', 'p'];

/** Correlations as text beside a plot. */
function correlationTable(data: FigureData, rows: readonly CorrelationRow[], style: Style) {
  const { fontSize } = style;
  const labelOf = new Map(data.categories.map(({ id, label }) => [id, printable(label)]));
  const names = rows.map(({ without }) =>
    without === null ? 'all models' : `without ${labelOf.get(without) ?? printable(without)}`,
  );
  const wide = largest(
    names.map((name) => textWidth(name, fontSize)),
    0,
  );
  const step = fontSize * 4.6;
  const starts = HEAD.map((_, i) => wide + fontSize * 2.8 + step * i);
  const line = fontSize * 1.7;
  const at = (row: number) => line * (row + 0.5);
  const texts = [
    ...HEAD.map((text, i) => ({ text, x: starts[i]!, y: at(0), align: 'right' })),
    ...rows.flatMap(({ models, spearman, kendall }, i) => [
      { text: names[i]!, x: 0, y: at(i + 1), align: 'left' },
      ...[
        String(models),
        ...[spearman, kendall].flatMap((one) =>
          one === null ? ['–', '–'] : [signed(one.coefficient), probability(one.p)],
        ),
      ].map((text, column) => ({ text, x: starts[column]!, y: at(i + 1), align: 'right' })),
    ]),
  ];
  const width = starts.at(-1)! + 2;
  const position = (field: string) => ({ field, type: 'quantitative', scale: null, axis: null });
  const column = (align: string): Part => ({
    transform: [{ filter: { field: 'align', equal: align } }],
    mark: { type: 'text', align, baseline: 'middle' },
    encoding: { x: position('x'), y: position('y'), text: { field: 'text' } },
  });
  const part: Part = {
    name: 'correlations',
    width,
    height: line * (rows.length + 1),
    data: { values: texts },
    layer: [
      column('left'),
      column('right'),
      {
        data: { values: [{}] },
        mark: { type: 'rule', stroke: MUTED, strokeWidth: 0.8 },
        encoding: { x: { value: 0 }, x2: { value: width }, y: { value: line } },
      },
    ],
  };
  return { part, width };
}

const signed = (value: number) => `${value < 0 ? '−' : ''}${Math.abs(value).toFixed(3)}`;

/** Names of attributes come from files. */
const fileName = (name: string) => name.replace(/[^\p{L}\p{N}_-]+/gu, '-').slice(0, 60);

const NORMS: Readonly<Record<string, string>> = { l1: 'L1', l2: 'L2', linf: 'L∞' };

/** The norm of a model's attack, as a figure calls it. */
export function normOf({ attributes }: FigureModel): string {
  const norm = attributes.norm ?? attributes.attack;
  return typeof norm === 'string' ? (NORMS[norm.toLowerCase()] ?? printable(norm)) : 'budget';
}

/** Mean criticality against the budget, a line for each norm. @returns null for fewer than three budgets */
function budgetFigure(data: FigureData, style: Style): Drawing | null {
  const points = data.models.flatMap((model) => {
    const { budget } = model.attributes;
    return typeof budget === 'number' && model.mean !== null
      ? [{ x: budget, y: model.mean, norm: normOf(model) }]
      : [];
  });
  const budgets = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  if (budgets.length < 3) return null;
  const norms = [...new Set(points.map(({ norm }) => norm))];
  const colors = ['#0072B2', '#D55E00', '#009E73', '#CC79A7'];
  const smallest = budgets.find((budget) => budget > 0) ?? 1;
  const field = { field: 'norm', type: 'nominal' };
  const legend = norms.length > 1 ? { title: 'norm', orient: 'top' } : null;
  const x = {
    field: 'x',
    type: 'quantitative',
    scale: { type: 'symlog', constant: 2 * smallest, nice: false, padding: 8 },
    axis: {
      title: 'budget of the attack (ε)',
      values: budgets,
      labelOverlap: 'greedy',
      labelExpr: "format(datum.value, '~g')",
      gridColor: GRID,
    },
  };
  const y = percentAxis('y', 'mean criticality (%)');
  const color = { ...field, scale: { domain: norms, range: norms.map((_, i) => colors[i % 4]!) }, legend };
  const width = Math.max(200, Math.min(560, style.width - 110));
  return {
    id: 'budget',
    title: 'Criticality and the budget of adversarial training',
    caption:
      'Mean criticality of each model against the budget that it was trained with, by norm. Budgets of two norms do not compare.',
    spec: figure(style, {
      width,
      height: Math.min(PLOT_HEIGHT, width),
      data: { values: points },
      layer: [
        {
          mark: { type: 'line', strokeWidth: 1.5 },
          encoding: {
            ...{ x, y, color },
            strokeDash: {
              ...field,
              scale: {
                domain: norms,
                range: norms.map(
                  (_, i) =>
                    [
                      [1, 0],
                      [6, 3],
                      [2, 2],
                      [8, 2, 2, 2],
                    ][i % 4]!,
                ),
              },
              legend,
            },
          },
        },
        {
          name: 'models',
          mark: { type: 'point', filled: true, size: 60, opacity: 1, stroke: INK, strokeWidth: 0 },
          encoding: {
            ...{ x, y, color },
            shape: {
              ...field,
              scale: { domain: norms, range: norms.map((_, i) => SHAPES[i % SHAPES.length]!) },
              legend,
            },
          },
        },
      ],
    }),
  };
}
