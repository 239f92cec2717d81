/** One model from layer to layer, or one layer from model to model: points with intervals, drawn on any surface. */
import { KINDS, type Theme } from './colours.js';
import { fitted, type Surface, textWidth } from './surface.js';
import { cellLines, intervalAt, type Shown, shareOf, valueAt } from './view.js';

export interface ProfilePoint {
  label: string;
  /** What it is selected by. */
  at: number;
  value: number;
  low: number;
  high: number;
  /** What it is drawn beside: the mean of all that are shown, or the model that others are compared with. */
  reference: number;
  group: string;
  lines: string[];
}

export interface Profile {
  title: string;
  points: ProfilePoint[];
  groups: { name: string; color: string }[];
  axis: string;
  range: [number, number];
  /** What the line is; null: there is none. */
  reference: string | null;
  shareOf: (value: number) => number;
}

const OTHER = 'other';

/** The most common kinds get colours, the rest is one. */
function groupsOf(kinds: readonly string[]): { name: string; color: string }[] {
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const names = [...counts.keys()];
  if (names.length <= KINDS.length) return names.map((name, i) => ({ name, color: KINDS[i]! }));
  const common = [...counts].sort((a, b) => b[1] - a[1]).slice(0, KINDS.length - 1);
  return [...common.map(([name]) => name), OTHER].map((name, i) => ({ name, color: KINDS[i]! }));
}

export function modelProfile(shown: Shown, model: number): Profile {
  const { panel, data } = shown;
  const row = shown.rows.find(({ at }) => at === model);
  const groups = groupsOf(shown.columns.map(({ layer }) => layer.kind ?? 'layer'));
  const known = new Set(groups.map(({ name }) => name));
  const isOnly = shown.rows.length < 2;
  return {
    title: data.page.models[panel.models[model]!]!.name,
    points: shown.columns.map(({ at, layer, mean }) => {
      const [low, high] = intervalAt(shown, model, at);
      const kind = layer.kind ?? 'layer';
      return {
        ...{ label: layer.label, at, value: valueAt(shown, model, at), low, high, reference: mean },
        group: known.has(kind) ? kind : OTHER,
        lines: cellLines(shown, model, at),
      };
    }),
    groups,
    axis: shown.title,
    range: shown.range,
    reference: row && isOnly ? null : 'mean of all models shown',
    shareOf: (value) => shareOf(shown, value),
  };
}

export function layerProfile(shown: Shown, layer: number): Profile {
  const { panel, data } = shown;
  const { categories } = data.page;
  const nameOf = (category: number | null) =>
    category === null ? 'no category' : categories[category]!.label;
  const used = new Set(shown.rows.map(({ model }) => nameOf(model.category)));
  const groups = [
    ...categories.map(({ label, color }) => ({ name: label, color })),
    { name: 'no category', color: '#7A7A7A' },
  ];
  return {
    title: panel.layers[layer]!.label,
    points: shown.rows.map(({ at, model, mean }) => {
      const [low, high] = intervalAt(shown, at, layer);
      return {
        ...{ label: model.name, at, value: valueAt(shown, at, layer), low, high, reference: mean },
        group: nameOf(model.category),
        lines: cellLines(shown, at, layer),
      };
    }),
    groups: groups.filter(({ name }) => used.has(name)),
    axis: shown.title,
    range: shown.range,
    reference: shown.columns.length < 2 ? null : 'mean of the model’s layers',
    shareOf: (value) => shareOf(shown, value),
  };
}

const SIZE = 11;
const PLOT = 220;
const LEFT = 54;
const RIGHT = 12;

export interface ProfileLayout {
  width: number;
  height: number;
  top: number;
  step: number;
  labelSize: number;
  xOf: (i: number) => number;
  yOf: (value: number) => number;
}

/** @param width - px that there are; wider where points would come too close */
export function profileLayout({ points, groups, shareOf: share }: Profile, width: number): ProfileLayout {
  const least = points.length <= 120 ? 9 : points.length <= 400 ? 4 : 2;
  const step = Math.min(96, Math.max(least, (width - LEFT - RIGHT) / Math.max(1, points.length)));
  const labelSize = Math.min(SIZE, Math.max(8, step - 1));
  const labels = Math.min(
    190,
    points.reduce((most, { label }) => Math.max(most, textWidth(label, labelSize)), 0),
  );
  const legend = rowsOfLegend(groups, Math.max(width, 200)).length * 18;
  const top = legend + 14;
  return {
    width: Math.max(width, LEFT + points.length * step + RIGHT),
    height: top + PLOT + labels + 14,
    ...{ top, step, labelSize },
    xOf: (i) => LEFT + (i + 0.5) * step,
    yOf: (value) => top + (1 - share(value)) * PLOT,
  };
}

function rowsOfLegend(
  groups: Profile['groups'],
  width: number,
): { name: string; color: string; x: number }[][] {
  if (groups.length < 2) return [];
  const rows: { name: string; color: string; x: number }[][] = [[]];
  let x = LEFT;
  for (const group of groups) {
    const wide = textWidth(group.name, SIZE) + 34;
    if (x + wide > width && rows.at(-1)!.length > 0) {
      rows.push([]);
      x = LEFT;
    }
    rows.at(-1)!.push({ ...group, x });
    x += wide;
  }
  return rows;
}

const tickText = (value: number) => String(Number(value.toPrecision(3))).replace('-', '−');

/** @param current - the point that stands out */
export function drawProfile(
  surface: Surface,
  profile: Profile,
  layout: ProfileLayout,
  theme: Theme,
  current: number | null,
): void {
  const { points, groups, range } = profile;
  const { width, height, top, step, labelSize, xOf, yOf } = layout;
  surface.rect(0, 0, width, height, theme.page);
  for (const [i, row] of rowsOfLegend(groups, width).entries()) {
    for (const { name, color, x } of row) {
      mark(
        surface,
        groups.findIndex((group) => group.name === name),
        x + 5,
        9 + i * 18,
        4,
        color,
      );
      surface.text(x + 14, 9 + i * 18, name, { size: SIZE, fill: theme.ink });
    }
  }
  const [low, high] = range;
  for (let i = 0; i <= 4; i++) {
    const tick = low + ((high - low) * i) / 4;
    surface.line(LEFT, yOf(tick), width - RIGHT, yOf(tick), theme.grid, 1);
    surface.text(LEFT - 6, yOf(tick), tickText(tick), { size: 10, fill: theme.muted, align: 'right' });
  }
  if (low < 0) surface.line(LEFT, yOf(0), width - RIGHT, yOf(0), theme.muted, 1);
  surface.text(9, top + PLOT / 2, fitted(profile.axis, SIZE, PLOT + 20), {
    ...{ size: SIZE, fill: theme.ink, align: 'center', isUpright: true },
  });
  const stride = Math.max(1, Math.ceil((labelSize + 1) / step));
  for (const [i, point] of points.entries()) {
    const { label, value, low: from, high: to, reference, group } = point;
    const x = xOf(i);
    const isCurrent = point.at === current;
    if (isCurrent) surface.rect(x - step / 2, top, step, PLOT, theme.panel);
    if (profile.reference !== null && Number.isFinite(reference)) {
      surface.line(x - step / 2, yOf(reference), x + step / 2, yOf(reference), theme.muted, 1.5);
    }
    if (Number.isFinite(from)) surface.line(x, yOf(from), x, yOf(to), theme.ink, 1.2);
    if (Number.isFinite(value)) {
      const index = Math.max(
        0,
        groups.findIndex(({ name }) => name === group),
      );
      mark(
        surface,
        index,
        x,
        yOf(value),
        Math.min(4.5, Math.max(1.5, step * 0.4)),
        groups[index]?.color ?? theme.ink,
      );
    }
    if (i % stride !== 0 && !isCurrent) continue;
    surface.text(x, top + PLOT + 6, fitted(label, labelSize, 185), {
      ...{ size: labelSize, fill: theme.ink, align: 'right', isUpright: true, isBold: isCurrent },
    });
  }
}

/** A shape stands with each colour. */
function mark(surface: Surface, index: number, x: number, y: number, r: number, color: string): void {
  const shape = index % 5;
  if (shape === 0) surface.circle(x, y, r, color);
  else if (shape === 1) surface.rect(x - 0.85 * r, y - 0.85 * r, 1.7 * r, 1.7 * r, color);
  else if (shape === 2)
    surface.polygon(
      [
        [x - r, y + 0.8 * r],
        [x + r, y + 0.8 * r],
        [x, y - r],
      ],
      color,
      null,
    );
  else if (shape === 3)
    surface.polygon(
      [
        [x - 1.2 * r, y],
        [x, y - 1.2 * r],
        [x + 1.2 * r, y],
        [x, y + 1.2 * r],
      ],
      color,
      null,
    );
  else
    surface.polygon(
      [
        [x - r, y - 0.8 * r],
        [x + r, y - 0.8 * r],
        [x, y + r],
      ],
      color,
      null,
    );
}

export const captionOf = ({ reference }: Profile, intervals: string | null) =>
  [
    ...(intervals === null ? [] : [`Lines: ${intervals}.`]),
    ...(reference === null ? [] : [`Grey steps: ${reference}.`]),
  ].join(' ');
