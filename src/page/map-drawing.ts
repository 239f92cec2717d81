/** Draws the part of a map that a window shows: names, means and scales stay where they are while cells are scrolled. */
import { colorAt, type Theme } from './colours.js';
import { cellOf } from './dataset.js';
import { areaOf, labelOf, type MapLayout, NAME_SIZE, type Window } from './map-layout.js';
import { fixed } from './numbers.js';
import { fitted, type Surface, type TextStyle } from './surface.js';
import { type Shown, shareOf, valueAt } from './view.js';

export interface Cursor {
  row: number;
  column: number;
}

type Area = ReturnType<typeof areaOf>;

interface Scene {
  surface: Surface;
  shown: Shown;
  layout: MapLayout;
  theme: Theme;
  area: Area;
  /** First and one after the last that are seen. */
  rows: [number, number];
  columns: [number, number];
  xOf: (column: number) => number;
  yOf: (row: number) => number;
}

export function drawMap(
  surface: Surface,
  shown: Shown,
  layout: MapLayout,
  theme: Theme,
  window: Window,
  cursor: Cursor | null = null,
): void {
  const area = areaOf(layout, window);
  const { stepX, stepY } = layout;
  const seen = (from: number, length: number, step: number, count: number): [number, number] => [
    Math.max(0, Math.floor(from / step)),
    Math.min(count, Math.ceil((from + length) / step)),
  ];
  const scene: Scene = {
    ...{ surface, shown, layout, theme, area },
    rows: seen(window.top, area.bottom - area.top, stepY, shown.rows.length),
    columns: seen(window.left, area.right - area.left, stepX, shown.columns.length),
    // Whole pixels: edges are sharp, and cells one pixel wider or narrower than their neighbours.
    xOf: (column) => area.left - Math.round(window.left) + Math.round(column * stepX),
    yOf: (row) => area.top - Math.round(window.top) + row * stepY,
  };
  surface.rect(0, 0, Math.max(window.width, 1), Math.max(window.height, 1), theme.page);
  surface.clipped(area.left, area.top, area.right - area.left, area.bottom - area.top, () =>
    cells(scene, cursor),
  );
  surface.clipped(0, area.top, area.left, area.bottom - area.top, () => names(scene, cursor));
  surface.clipped(area.left, 0, area.right - area.left, area.top, () => columnMeans(scene));
  surface.clipped(area.left, area.bottom, area.right - area.left, layout.bottom, () =>
    columnNames(scene, cursor),
  );
  scales(scene);
  surface.clipped(area.right, area.top, layout.side + layout.categories + 8, area.bottom - area.top, () =>
    rowMeans(scene),
  );
  legend(scene);
}

function* between([from, to]: [number, number]): Generator<number> {
  for (let i = from; i < to; i++) yield i;
}

function cells(
  { surface, shown, layout, theme, area, rows, columns, xOf, yOf }: Scene,
  cursor: Cursor | null,
): void {
  const { stepX, stepY } = layout;
  const gap = stepX >= 6 ? 1 : 0;
  const { data, choices } = shown;
  const isTested = data.isTested(choices.metric, choices.compare, choices.imageSet);
  for (const row of between(rows)) {
    const { at: model } = shown.rows[row]!;
    for (const column of between(columns)) {
      const layer = shown.columns[column]!.at;
      const value = valueAt(shown, model, layer);
      const [x, y] = [xOf(column), yOf(row)];
      const width = xOf(column + 1) - x - gap;
      if (Number.isNaN(value)) {
        surface.rect(x, y, width, stepY - 1, theme.panel);
        continue;
      }
      surface.rect(x, y, width, stepY - 1, colorAt(shown.ramp, shareOf(shown, value)));
      if (!isTested || stepX < 7) continue;
      const survives = data.survives(choices.imageSet, cellOf({ panel: shown.panel, model, layer }));
      if (survives === null) continue;
      const r = Math.min(stepX, stepY) * 0.26;
      const [cx, cy, up] = [x + width / 2, y + (stepY - 1) / 2, value > 0 ? -r : r];
      const corners = [
        [cx - r, cy - up],
        [cx + r, cy - up],
        [cx, cy + up],
      ] as const;
      surface.polygon(corners, survives === 'holm' ? '#222222' : null, '#222222');
    }
  }
  for (const column of between(columns)) {
    const isFirst =
      column > 0 && shown.columns[column]!.layer.stage !== shown.columns[column - 1]!.layer.stage;
    if (isFirst)
      surface.line(
        xOf(column) - gap / 2,
        area.top,
        xOf(column) - gap / 2,
        area.bottom,
        theme.page,
        Math.min(2, stepX / 5),
      );
  }
  for (const y of boundaries({ shown, rows, yOf })) surface.line(area.left, y, area.right, y, theme.ink, 1);
  if (cursor === null) return;
  const [x, y] = [xOf(cursor.column), yOf(cursor.row)];
  const right = xOf(cursor.column + 1) - gap;
  for (const [inset, color] of [
    [0, '#ffffff'],
    [1.5, '#111111'],
  ] as const) {
    const [left, top, end, bottom] = [x + inset, y + inset, right - inset, y + stepY - 1 - inset];
    surface.polygon(
      [
        [left, top],
        [end, top],
        [end, bottom],
        [left, bottom],
      ],
      null,
      color,
    );
  }
}

/** Where another category begins, of models in the order of categories. */
function boundaries({ shown, rows, yOf }: Pick<Scene, 'shown' | 'rows' | 'yOf'>): number[] {
  if (shown.choices.order !== 'category') return [];
  return [...between(rows)].flatMap((row) =>
    row > 0 && shown.rows[row]!.model.category !== shown.rows[row - 1]!.model.category
      ? [yOf(row) - 0.5]
      : [],
  );
}

function names(scene: Scene, cursor: Cursor | null): void {
  const { surface, shown, layout, theme, rows, yOf } = scene;
  for (const row of between(rows)) {
    const isCurrent = cursor?.row === row;
    const style: TextStyle = { size: NAME_SIZE, fill: theme.ink, align: 'right', isBold: isCurrent };
    const label = fitted(labelOf(shown.rows[row]!), NAME_SIZE, layout.names - (isCurrent ? 18 : 10));
    surface.text(layout.names - 6, yOf(row) + layout.stepY / 2 - 0.5, label, style);
  }
  for (const y of boundaries(scene)) surface.line(0, y, layout.names, y, theme.ink, 1);
}

/** Every how many labels there is room for one. */
const strideOf = (step: number, size: number) => Math.max(1, Math.ceil((size + 1) / step));

function columnNames(
  { surface, shown, layout, theme, area, columns, xOf }: Scene,
  cursor: Cursor | null,
): void {
  const stride = strideOf(layout.stepX, layout.labelSize);
  for (const column of between(columns)) {
    const isCurrent = cursor?.column === column;
    if (column % stride !== 0 && !isCurrent) continue;
    const label = fitted(shown.columns[column]!.layer.label, layout.labelSize, layout.bottom - 8);
    const style: TextStyle = {
      size: layout.labelSize,
      fill: theme.ink,
      align: 'right',
      isUpright: true,
      isBold: isCurrent,
    };
    surface.text(xOf(column) + (layout.stepX - 1) / 2, area.bottom + 5, label, style);
  }
}

const TOP_EDGE = 8;
/** Px on the axis above, between the lines of the ends of the range. */
const heightOf = ({ area }: Scene) => area.top - TOP_EDGE - 8;
const topOf = (scene: Scene, value: number) => TOP_EDGE + (1 - shareOf(scene.shown, value)) * heightOf(scene);

const ticksOf = ({ range: [low, high] }: Shown) => [low, (low + high) / 2, high];
/** As short as the number allows. */
const tickText = (value: number) => String(Number(value.toPrecision(3))).replace('-', '−');

function columnMeans(scene: Scene): void {
  const { surface, shown, theme, area, layout, columns, xOf } = scene;
  for (const tick of ticksOf(shown))
    surface.line(area.left, topOf(scene, tick), area.right, topOf(scene, tick), theme.grid, 1);
  for (const column of between(columns)) {
    const { mean, sd } = shown.columns[column]!;
    if (Number.isNaN(mean)) continue;
    const x = xOf(column) + (layout.stepX - 1) / 2;
    surface.line(x, topOf(scene, mean - sd), x, topOf(scene, mean + sd), theme.muted, 1);
    surface.circle(x, topOf(scene, mean), Math.min(2.6, layout.stepX / 3), theme.ink);
  }
}

const sideOf = ({ shown, area, layout }: Scene, value: number) =>
  area.right + 14 + shareOf(shown, value) * (layout.side - 26);

function rowMeans(scene: Scene): void {
  const { surface, shown, layout, theme, area, rows, yOf } = scene;
  const { categories } = shown.data.page;
  if (layout.side > 0) {
    for (const tick of ticksOf(shown))
      surface.line(sideOf(scene, tick), area.top, sideOf(scene, tick), area.bottom, theme.grid, 1);
  }
  const left = area.right + 8 + layout.side;
  for (const row of between(rows)) {
    const { mean, sd, model } = shown.rows[row]!;
    const y = yOf(row) + (layout.stepY - 1) / 2;
    if (layout.side > 0 && !Number.isNaN(mean)) {
      surface.line(sideOf(scene, mean - sd), y, sideOf(scene, mean + sd), y, theme.muted, 1);
      surface.circle(sideOf(scene, mean), y, 2.6, theme.ink);
    }
    if (layout.categories > 0 && model.category !== null) {
      surface.rect(left, yOf(row) - 0.5, 5, layout.stepY, categories[model.category]!.color);
    }
  }
  if (layout.categories < 30) return;
  let before: number | null = null;
  for (const row of between(rows)) {
    const { category } = shown.rows[row]!.model;
    // Where rows are by another order, every one would get its name.
    const isNamed = category !== null && category !== before && shown.choices.order === 'category';
    before = category;
    if (!isNamed) continue;
    const label = fitted(categories[category]!.label, NAME_SIZE, layout.categories - 14);
    surface.text(left + 10, yOf(row) + layout.stepY / 2 - 0.5, label, { size: NAME_SIZE, fill: theme.ink });
  }
}

/** Numbers of both axes of means. */
function scales(scene: Scene): void {
  const { surface, shown, layout, theme, area } = scene;
  const style: TextStyle = { size: 10, fill: theme.muted, align: 'right' };
  for (const tick of ticksOf(shown)) surface.text(area.left - 5, topOf(scene, tick), tickText(tick), style);
  if (layout.side === 0) return;
  const [low, middle, high] = ticksOf(shown).map((tick) => ({
    x: sideOf(scene, tick),
    text: tickText(tick),
  }));
  for (const { x, text } of [low!, middle!, high!]) {
    surface.text(x, area.top - 9, text, { ...style, align: 'center' });
  }
}

/** What colours stand for, in the corner above the names. */
function legend({ surface, shown, layout, theme, area }: Scene): void {
  const width = Math.min(150, layout.names - 48);
  const steps = 48;
  const [x, y] = [8, 30];
  surface.text(x, 12, fitted(shown.title, NAME_SIZE, area.left - 34), { size: NAME_SIZE, fill: theme.ink });
  for (let step = 0; step < steps; step++) {
    const color = colorAt(shown.ramp, step / (steps - 1));
    surface.rect(x + (step * width) / steps, y - 6, width / steps + 0.5, 10, color);
  }
  const [low, middle, high] = ticksOf(shown).map(tickText);
  const style: TextStyle = { size: 10, fill: theme.muted };
  surface.text(x, y + 13, low!, style);
  if (width > 80) surface.text(x + width / 2, y + 13, middle!, { ...style, align: 'center' });
  surface.text(x + width, y + 13, high!, { ...style, align: 'right' });
}

/** For a screen reader. */
export function mapSummary({ rows, columns, title, range: [low, high] }: Shown): string {
  return `Map of ${title}: ${rows.length} models by ${columns.length} layers, colours from ${fixed(low, 1)} to ${fixed(high, 1)}.`;
}
