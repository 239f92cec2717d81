/** Where the parts of a map are: names at the left, means above and at the right, layers' names below. In px. */
import { textWidth } from './surface.js';
import type { Shown } from './view.js';

export const NAME_SIZE = 11;
const GAP = 8;

export interface MapLayout {
  /** Of all of it; the part that is seen may be smaller. */
  width: number;
  height: number;
  /** Room for names, means above, means at the right, categories, layers' names. */
  names: number;
  top: number;
  side: number;
  categories: number;
  bottom: number;
  stepX: number;
  stepY: number;
  labelSize: number;
}

export const labelOf = ({ model }: Shown['rows'][number]) =>
  model.accuracy === null ? model.name : `${model.name} [${model.accuracy.toFixed(1)}]`;

const widest = (texts: readonly string[], size: number) =>
  texts.reduce((most, text) => Math.max(most, textWidth(text, size)), 0);

/** @param width - px that there are; the map is wider where its cells would become too narrow */
export function layoutOf(shown: Shown, width: number): MapLayout {
  const { rows, columns, data } = shown;
  const isNarrow = width < 640;
  const names = Math.ceil(
    Math.max(96, Math.min(width * (isNarrow ? 0.34 : 0.26), widest(rows.map(labelOf), NAME_SIZE) + 2 * GAP)),
  );
  const hasCategories = data.page.categories.length > 0 && rows.some(({ model }) => model.category !== null);
  const words = data.page.categories.map(({ label }) => label);
  const categories = !hasCategories
    ? 0
    : isNarrow
      ? 10
      : Math.min(150, Math.ceil(widest(words, NAME_SIZE)) + 22);
  const side = isNarrow ? 0 : 92;
  const room = width - names - side - categories - GAP;
  const stepX = Math.min(44, Math.max(isNarrow ? 9 : 8, room / Math.max(1, columns.length)));
  const stepY = rows.length <= 12 ? 24 : rows.length <= 30 ? 18 : 15;
  const labelSize = Math.min(NAME_SIZE, Math.max(7, stepX - 1));
  const bottom = Math.ceil(
    Math.min(
      isNarrow ? 130 : 200,
      widest(
        columns.map(({ layer }) => layer.label),
        labelSize,
      ) + GAP,
    ),
  );
  const top = 66;
  return {
    ...{ names, top, side, categories, bottom, stepX, stepY, labelSize },
    width: names + Math.round(columns.length * stepX) + GAP + side + categories,
    height: top + rows.length * stepY + bottom,
  };
}

/** The part of a map that is looked at. */
export interface Window {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Where its cells are on the surface, whose corner is the window's. */
export function areaOf(layout: MapLayout, window: Window) {
  const { names, top, side, categories, bottom } = layout;
  const width = Math.min(window.width, layout.width);
  const height = Math.min(window.height, layout.height);
  const right = Math.max(names, width - side - categories - GAP);
  return { left: names, top, right, bottom: Math.max(top, height - bottom) };
}

export type Hit =
  | { kind: 'cell'; row: number; column: number }
  | { kind: 'row'; row: number }
  | { kind: 'column'; column: number };

/** What is at a place of the surface. Rows and columns count as they are shown. */
export function hitAt(shown: Shown, layout: MapLayout, window: Window, x: number, y: number): Hit | null {
  const area = areaOf(layout, window);
  const column = Math.floor((x - area.left + window.left) / layout.stepX);
  const row = Math.floor((y - area.top + window.top) / layout.stepY);
  const isColumn = x >= area.left && x < area.right && column >= 0 && column < shown.columns.length;
  const isRow = y >= area.top && y < area.bottom && row >= 0 && row < shown.rows.length;
  if (isColumn && isRow) return { kind: 'cell', row, column };
  if (isRow) return { kind: 'row', row };
  return isColumn ? { kind: 'column', column } : null;
}
