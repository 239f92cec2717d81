/** One model from its first layer to its last: criticality and agreement with their intervals, by type of layer. */
import { clamp } from '../report/frame.js';
import { PALETTE } from '../report/groups.js';
import { printable } from '../report/text.js';
import { cellIndex, criticalityOf, type FigureData } from './data.js';
import { legendColumns } from './scatters.js';
import { type Drawing, figure, INK, type Part, percentAxis, SHAPES, type Style } from './style.js';

const HEIGHT = 200;

/** @throws RangeError when there is no such model */
export function profile(data: FigureData, id: string, style: Style): Drawing {
  const model = data.models.find((one) => one.id === id);
  if (!model) throw new RangeError(`there is no model ${id}`);
  const { layers } = data.panels[model.panel]!;
  const cellOf = cellIndex(data.cells.filter((cell) => cell.model === id));
  const rows = layers.flatMap(({ layer, label, kind, depth }) => {
    const cell = cellOf(id, layer);
    if (!cell) return [];
    const { agreement } = cell;
    return [
      {
        ...{ layer: label, depth, kind: kind ?? 'layer' },
        criticality: criticalityOf(cell),
        low: clamp(cell.low),
        high: clamp(cell.high),
        agreement: agreement?.mean ?? null,
        agreementLow: clamp(agreement?.low ?? null),
        agreementHigh: clamp(agreement?.high ?? null),
      },
    ];
  });
  const counts = new Map<string, number>();
  for (const { kind } of rows) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const common = [...counts].sort((a, b) => b[1] - a[1]).slice(0, SHAPES.length - 1);
  const kept = new Set((counts.size > SHAPES.length ? common : [...counts]).map(([kind]) => kind));
  const values = rows.map((row) => ({ ...row, kind: kept.has(row.kind) ? row.kind : 'other' }));
  const kinds = [...new Set(values.map(({ kind }) => kind))];
  const width = Math.min(style.width - 90, Math.max(120, rows.length * 3 * style.fontSize));
  const step = width / Math.max(1, rows.length);
  const field = { field: 'kind', type: 'nominal' };
  const legend =
    kinds.length > 1 ? { title: null, orient: 'top', columns: legendColumns(kinds, width, style) } : null;
  const color = { ...field, scale: { domain: kinds, range: PALETTE.slice(0, kinds.length) }, legend };
  const shape = { ...field, scale: { domain: kinds, range: SHAPES.slice(0, kinds.length) }, legend };
  const x = {
    field: 'layer',
    type: 'nominal',
    scale: { domain: rows.map(({ layer }) => layer) },
    axis: {
      title: null,
      grid: false,
      labelAngle: -90,
      labelFontSize: Math.min(style.fontSize, Math.max(6, step - 1)),
      labelOverlap: step < 7 ? 'greedy' : false,
    },
  };
  const plot = (mean: string, low: string, high: string, title: string, isLast: boolean): Part => ({
    width,
    height: HEIGHT,
    layer: [
      {
        name: `${mean} intervals`,
        transform: [{ filter: `isValid(datum.${low}) && isValid(datum.${high})` }],
        mark: { type: 'rule', strokeWidth: 1.2, stroke: INK },
        encoding: {
          x: isLast ? x : { ...x, axis: null },
          y: percentAxis(low, title),
          y2: { field: high },
        },
      },
      {
        name: mean,
        mark: { type: 'point', filled: true, size: 55, opacity: 1 },
        encoding: { x: isLast ? x : { ...x, axis: null }, y: percentAxis(mean, title), color, shape },
      },
    ],
  });
  const hasAgreement = rows.some(({ agreement }) => agreement !== null);
  const plots = [
    plot('criticality', 'low', 'high', 'criticality (%)', !hasAgreement),
    ...(hasAgreement ? [plot('agreement', 'agreementLow', 'agreementHigh', 'agreement (%)', true)] : []),
  ];
  return {
    id: `profile-${fileNameOf(id)}`,
    title: `Profile of ${printable(model.name)}`,
    caption:
      `From the first layer to the last.${data.intervals ? ` Lines: ${data.intervals}.` : ''}` +
      (hasAgreement ? ' Agreement: images whose predicted class stays.' : ''),
    spec: figure(style, {
      data: { values },
      resolve: { legend: { color: 'shared', shape: 'shared' } },
      vconcat: plots,
    }),
  };
}

/** A model's id where it names a file. */
export const fileNameOf = (id: string) =>
  id
    .replace(/[^\p{L}\p{N}._-]+/gu, '-')
    .replace(/^\.+/, '')
    .slice(0, 80);
