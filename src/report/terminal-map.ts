/**
 * Criticality by depth in a terminal: one run as a line of blocks, several models as a map with a row for each. With colours
 * a cell is a coloured block, without them a block as high as the layer is critical. Layers keep their order; where they do
 * not fit, neighbours share a cell that shows their mean. Names come from files and are made printable. Pure.
 */
import { resetsIn, type Summary } from '../run/summary.js';
import { largest } from '../statistics/extremes.js';
import { stageStarts } from './groups.js';
import { fixed } from './numbers.js';
import { isDestroyed, meanOf } from './overview.js';
import { type ColourDepth, hasColours, onColour } from './terminal-colours.js';
import { columnsOf, distinct, printable, shorten, shortenAll } from './text.js';

export interface MapOptions {
  /** Bits of colour: 1 for none, 8 for 256 colours, 24 for all. */
  depth: ColourDepth;
  /** Columns available. */
  width: number;
}

/** One number of a map. */
export interface MapCell {
  layer: string;
  reset: string;
  /** Criticality; 100 of a layer without any valid output, null where it was not measured. */
  percent: number | null;
}

export interface MapRow {
  name: string;
  category: string | null;
  /** Of the untouched model, percent. */
  accuracy: number | null;
  /** In network order; empty where there are none yet. */
  cells: readonly MapCell[];
}

const HEIGHTS = '▁▂▃▄▅▆▇█';
const NONE = '·';
const GAP = '  ';
const MOST_NAME = 28;
const MOST_CATEGORY = 18;
/** Columns below which categories are left out. */
const NARROW = 80;
/** Columns that a cell takes where there is room. */
const WIDEST_CELL = 3;
/** A stage's name is left out where fewer columns would be its own. */
const LEAST_STAGE = 5;

/** Reset by reset, in the order in which they were asked for. */
export const cellsOf = (summary: Summary): MapCell[] =>
  resetsIn(summary).flatMap((reset) =>
    summary.layers
      .filter((row) => row.reset === reset)
      .map((row) => ({
        layer: row.layer,
        reset,
        percent: isDestroyed(row) ? 100 : row.criticality.mean,
      })),
  );

/** A layer's block: an eighth of a cell below 12.5 %, all of it from 87.5 % on. */
function heightOf(percent: number | null): string {
  if (percent === null) return NONE;
  return HEIGHTS[Math.max(0, Math.min(HEIGHTS.length - 1, Math.floor(percent / 12.5)))]!;
}

/** One run's layers under its first reset, in at most `width` columns: the blocks, and what they are. */
export function profileLines(cells: readonly MapCell[], width: number): string[] {
  if (cells.length === 0) return [];
  const first = cells.filter(({ reset }) => reset === cells[0]!.reset);
  const head = 'profile  ';
  const { values, perCell } = binned(first, width - head.length);
  return [`${head}${values.map(heightOf).join('')}`, `${' '.repeat(head.length)}${legend(perCell)}`];
}

/** @returns lines: for each reset and each list of layers that models have in common a head, then a row a model */
export function mapLines(rows: readonly MapRow[], options: MapOptions): string[] {
  const names = distinct(rows.map(({ name }) => printable(name)));
  const resets = [...new Set(rows.flatMap(({ cells }) => cells.map(({ reset }) => reset)))];
  const maps = resets.flatMap((reset) => {
    const found = rows.map((row, i) => ({
      ...row,
      name: names[i]!,
      cells: row.cells.filter((cell) => cell.reset === reset),
    }));
    const keys = [...new Set(found.filter(({ cells }) => cells.length > 0).map(keyOf))];
    return keys.map((key) => [
      ...(resets.length > 1 ? [`reset ${printable(reset)}`] : []),
      ...mapOf(
        // Those without numbers stand in the first map.
        found.filter((row) => keyOf(row) === key || (row.cells.length === 0 && key === keys[0])),
        options,
      ),
    ]);
  });
  return maps.flatMap((lines, i) => (i > 0 ? ['', ...lines] : lines));
}

const keyOf = ({ cells }: MapRow) => JSON.stringify(cells.map(({ layer }) => layer));

function mapOf(rows: readonly MapRow[], { depth, width }: MapOptions): string[] {
  const heads = headsOf(rows, width);
  const room = width - columnsOf(heads[0]!);
  const { cells } = rows.find((row) => row.cells.length > 0)!;
  const { perCell } = binned(cells, room);
  const wide = Math.max(1, Math.min(WIDEST_CELL, Math.floor(room / cells.length)));
  const isColoured = hasColours(depth);
  const shownAs = (percent: number | null) => {
    if (!isColoured) return heightOf(percent).repeat(wide);
    return percent === null ? NONE.padEnd(wide) : onColour(' '.repeat(wide), percent, depth);
  };
  return [
    `${heads[0]}${stageLine(cells, perCell, wide)}`.trimEnd(),
    ...rows.map((row, i) =>
      `${heads[i + 1]}${binned(row.cells, room).values.map(shownAs).join('')}`.trimEnd(),
    ),
    isColoured ? colourLegend(perCell, depth) : legend(perCell),
  ];
}

/** What stands before the cells: a line of titles, then one a row, all equally wide. */
function headsOf(rows: readonly MapRow[], width: number): string[] {
  const column = (title: string, texts: readonly string[], side: 'padStart' | 'padEnd') => {
    const all = [title, ...texts];
    const widest = largest(all.map(columnsOf));
    return all.map((text) => text[side](widest + text.length - columnsOf(text)));
  };
  const names = rows.map(({ name }) => name);
  const means = rows.map(({ cells }) => fixed(meanOf(cells.map(({ percent }) => percent)), 1));
  const columns = [
    column('', shortenAll(names, Math.min(MOST_NAME, Math.max(8, Math.floor(width / 3)))), 'padEnd'),
    ...(width >= NARROW && rows.some(({ category }) => category !== null)
      ? [
          column(
            '',
            shortenAll(
              rows.map(({ category }) => category ?? ''),
              MOST_CATEGORY,
            ),
            'padEnd',
          ),
        ]
      : []),
    ...(rows.some(({ accuracy }) => accuracy !== null)
      ? [
          column(
            'top-1',
            rows.map(({ accuracy }) => fixed(accuracy, 1)),
            'padStart',
          ),
        ]
      : []),
    column('mean', means, 'padStart'),
  ];
  return columns[0]!.map((_, i) => `${columns.map((one) => one[i]!).join(GAP)}${GAP}`);
}

/** Each stage's name where it begins, as far as there is room before the next. */
function stageLine(cells: readonly MapCell[], perCell: number, wide: number): string {
  const starts = [0, ...stageStarts(cells)];
  if (starts.length === 1) return '';
  const placeOf = (at: number) => Math.floor(at / perCell) * wide;
  const end = Math.ceil(cells.length / perCell) * wide;
  return starts
    .map((start, i) => {
      const next = starts[i + 1];
      const room = (next === undefined ? end : placeOf(next)) - placeOf(start);
      const path = commonPath(cells.slice(start, next).map(({ layer }) => printable(layer)));
      const fits = [path.join('.'), path.at(-1)!].find((name) => columnsOf(name) < room);
      const text = fits ?? (room > LEAST_STAGE ? shorten(path.at(-1)!, room - 1) : '');
      return text + ' '.repeat(room - columnsOf(text));
    })
    .join('');
}

/** The components that all names begin with; at least the first of the first name, without its own last one. */
function commonPath(names: readonly string[]): string[] {
  const [first = [], ...others] = names.map((name) => name.split(/[./]/).filter((part) => part !== ''));
  const differs = first.findIndex((part, i) => others.some((other) => other[i] !== part));
  const shared = differs === -1 ? first.slice(0, Math.max(1, first.length - 1)) : first.slice(0, differs);
  return shared.length > 0 ? shared : [first[0] ?? ''];
}

/** Means of neighbours, so many that all fit into `room` columns. */
function binned(cells: readonly MapCell[], room: number): { values: (number | null)[]; perCell: number } {
  const perCell = Math.max(1, Math.ceil(cells.length / Math.max(1, room)));
  const values = Array.from({ length: Math.ceil(cells.length / perCell) }, (_, i) =>
    meanOf(cells.slice(i * perCell, (i + 1) * perCell).map(({ percent }) => percent)),
  );
  return { values, perCell };
}

const order = (perCell: number) =>
  perCell === 1 ? 'layers in network order' : `${perCell} layers a block, in network order`;
const legend = (perCell: number) =>
  `criticality, ${HEIGHTS[0]} 0 to ${HEIGHTS.at(-1)} 100 %; ${order(perCell)}`;

function colourLegend(perCell: number, depth: ColourDepth): string {
  const steps = Array.from({ length: 11 }, (_, i) => onColour(' ', 10 * i, depth)).join('');
  return `criticality 0 ${steps} 100 %; ${order(perCell)}`;
}
