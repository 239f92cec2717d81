/**
 * The table a terminal shows at the end of a sweep. It fits the width it is given: layer names are shortened
 * first, then columns go, the least telling first. Names come from the model file and are made printable.
 */
import type { LayerSummary, Summary } from '../run/summary.js';
import { largest, smallest } from '../statistics/extremes.js';
import { compact, fixed, grouped, halfWidth, intervalText, isSymmetric, shapeText } from './numbers.js';
import {
  intervalsText,
  invalidLayers,
  isDestroyed,
  isGrouped,
  meanCriticality,
  meanOf,
  moreDraws,
  resetsOf,
  rowName,
  singleDraws,
  untested,
} from './overview.js';
import { columnsOf, DASH, printable, shorten, shortenAll } from './text.js';

/** How {@link layerTable} prints. */
export interface TableOptions {
  /** Whether ANSI colours may be used. */
  color: boolean;
  /** Columns available, 100 unless given. */
  width?: number;
}

type Style = 'bold' | 'dim' | 'blue' | 'yellow';
const ANSI: Readonly<Record<Style, string>> = { bold: '1', dim: '2', blue: '34', yellow: '33' };

interface Column {
  title: string;
  /** One text per layer, then one per row of means. */
  cells: string[];
  align: 'left' | 'right';
  style?: Style;
}

const GAP = 2;
const BAR_WIDTH = 10;
const MIN_NAME = 20;
/** Titles of the columns that may go, in the order in which they go. */
const EXPENDABLE: readonly string[] = ['op', '', 'shape', 'params', 'top-1 %', 'agree %'];

/** A bar of `width` cells for 0-100 in eighths of a cell; a value above 0 never vanishes. */
export function blockBar(percent: number | null, width: number): string {
  if (percent === null || !(percent > 0)) return '';
  const eighths = Math.max(1, Math.round((Math.min(percent, 100) / 100) * width * 8));
  const rest = eighths % 8;
  return '█'.repeat(Math.floor(eighths / 8)) + (rest === 0 ? '' : String.fromCodePoint(0x2590 - rest));
}

/** The line about the untouched model: its accuracy and loss with labels, else that there were none. */
export function baselineLine(summary: Summary): string {
  const images = `${grouped(summary.data.images)} ${summary.data.images === 1 ? 'image' : 'images'}`;
  const { baseline } = summary;
  if (baseline === null) return `baseline: ${images} without labels`;
  const { top1, top5, loss } = baseline;
  return `baseline: top-1 ${fixed(top1, 2)} %, top-5 ${fixed(top5, 2)} %, loss ${fixed(loss, 3)} on ${images}`;
}

/**
 * One row per layer in graph order, then the mean over layers, then notes.
 * @returns lines joined by \n, without a final one; no line is wider than `options.width`
 * @throws RangeError if `options.width` is not a positive integer
 */
export function layerTable(summary: Summary, options: TableOptions): string {
  const width = options.width ?? 100;
  if (!Number.isInteger(width) || width < 1)
    throw new RangeError(`width must be a positive integer, not ${width}`);
  const columns = fitting(columnsFor(summary), width);
  const paint = (text: string, style: Style | undefined): string =>
    options.color && style !== undefined && text !== '' ? `\u001B[${ANSI[style]}m${text}\u001B[0m` : text;

  const widths = columns.map((column) => widthOf(column));
  const line = (cell: (column: Column) => string, style?: Style): string => {
    const texts = columns.map((column, i) => {
      const text = cell(column);
      const padding = ' '.repeat(Math.max(0, widths[i]! - columnsOf(text)));
      const painted = paint(text, style ?? column.style);
      const isLast = i === columns.length - 1;
      return column.align === 'right' ? padding + painted : painted + (isLast ? '' : padding);
    });
    return texts.join(' '.repeat(GAP)).trimEnd();
  };
  const layerCount = summary.layers.length;
  const total = widths.reduce((sum, one) => sum + one, GAP * (widths.length - 1));
  const means = resetsOf(summary).map((_, i) => line((column) => column.cells[layerCount + i]!, 'bold'));
  return [
    line((column) => column.title, 'bold'),
    ...summary.layers.map((_, i) => line((column) => column.cells[i]!)),
    paint('─'.repeat(total), 'dim'),
    ...means,
    ...notes(summary).flatMap((note) => wrap(note, width).map((part) => paint(part, 'yellow'))),
  ].join('\n');
}

function columnsFor(summary: Summary): Column[] {
  const resets = resetsOf(summary);
  const groups = resets.map((reset) => summary.layers.filter((layer) => layer.reset === reset));
  const column = (
    title: string,
    align: Column['align'],
    cell: (layer: LayerSummary) => string,
    mean: (layers: LayerSummary[], reset: string) => string,
    style?: Style,
  ): Column => ({
    title,
    align,
    cells: [...summary.layers.map(cell), ...groups.map((layers, i) => mean(layers, resets[i]!))],
    ...(style === undefined ? {} : { style }),
  });
  const blank = (): string => '';
  const meanName = (layers: LayerSummary[], reset: string): string =>
    `mean of ${layers.length}${resets.length > 1 ? ` · ${printable(reset)}` : ''}`;

  const columns = [
    column(
      isGrouped(summary) ? 'reset together' : 'layer',
      'left',
      (layer) => printable(rowName(layer, summary)),
      meanName,
    ),
    column('op', 'left', (layer) => printable(layer.op), blank, 'dim'),
    column('shape', 'right', (layer) => shapeText(layer.shape), blank, 'dim'),
    column('params', 'right', (layer) => compact(layer.parameters), blank, 'dim'),
    column('criticality %', 'right', criticalityCell(summary), (layers) => fixed(meanCriticality(layers), 2)),
    column(
      '',
      'left',
      (layer) => blockBar(layer.criticality.mean, BAR_WIDTH),
      (layers) => blockBar(meanCriticality(layers), BAR_WIDTH),
      'blue',
    ),
    column(
      'agree %',
      'right',
      (layer) => fixed(layer.agreement.mean, 1),
      (layers) => fixed(meanOf(layers.map((layer) => layer.agreement.mean)), 1),
    ),
  ];
  if (summary.options.tolerance !== undefined) {
    const total = (layers: LayerSummary[]) => grouped(layers.reduce((sum, { passes }) => sum + passes, 0));
    columns.push(column('passes', 'right', ({ passes }) => grouped(passes), total, 'dim'));
  }
  if (summary.baseline !== null) {
    columns.push(
      column(
        'top-1 %',
        'right',
        (layer) => fixed(layer.top1, 1),
        (layers) => fixed(meanOf(layers.map((layer) => layer.top1)), 1),
      ),
    );
  }
  return columns;
}

/** `12.34 ± 0.56`, or `12.34 (9.81–12.40)` in every row where one interval does not lie around its mean. */
function criticalityCell(summary: Summary): (layer: LayerSummary) => string {
  const symmetric = summary.layers.every((layer) => isSymmetric(layer.criticality, 0.005));
  return ({ criticality }) => {
    const mean = fixed(criticality.mean, 2);
    if (mean === DASH || criticality.low === null || criticality.high === null) return mean;
    return symmetric
      ? `${mean} ± ${fixed(halfWidth(criticality), 2)}`
      : `${mean} (${intervalText(criticality, 2)})`;
  };
}

/** Drops columns and shortens names until the table is no wider than `width`. */
function fitting(columns: Column[], width: number): Column[] {
  let kept = columns;
  const restWidth = (): number => kept.slice(1).reduce((sum, column) => sum + GAP + widthOf(column), 0);
  for (const title of EXPENDABLE) {
    if (restWidth() + Math.min(MIN_NAME, widthOf(kept[0]!)) <= width) break;
    kept = kept.filter((column) => column.title !== title);
  }
  if (restWidth() + 1 > width) kept = kept.slice(0, 1);
  const nameWidth = width - restWidth();
  return kept.map((column, i) =>
    i === 0
      ? { ...column, title: shorten(column.title, nameWidth), cells: shortenAll(column.cells, nameWidth) }
      : column,
  );
}

function widthOf(column: Column): number {
  return [column.title, ...column.cells].reduce((widest, text) => Math.max(widest, columnsOf(text)), 0);
}

function notes(summary: Summary): string[] {
  return [
    ...intervalNotes(summary),
    ...stopNotes(summary),
    ...untested(summary).map(printable),
    ...invalidNotes(summary),
  ];
}

function intervalNotes(summary: Summary): string[] {
  const covers = intervalsText(summary);
  const single = singleDraws(summary);
  return [
    ...(covers ? [`Criticality with ${covers}.`] : []),
    ...wideNote(summary),
    ...(single.length > 0
      ? [
          `! ${single.length === 1 ? 'One row is' : `${grouped(single.length)} rows are`} of a single draw: another draw may give quite another number. ${moreDraws(summary)}`,
        ]
      : []),
  ];
}

/** Points: intervals of a layer that hardly moves a prediction which look odd beside narrower ones of layers that do. */
const HARDLY = 0.5;
const WIDE = 5;

function wideNote(summary: Summary): string[] {
  const wide = summary.layers.find(
    ({ criticality: { mean, high } }) =>
      mean !== null && high !== null && mean < HARDLY && high - mean > WIDE,
  );
  if (!wide) return [];
  const { criticality } = wide;
  return [
    `An interval such as ${fixed(criticality.mean, 2)} (${intervalText(criticality, 2)}) of ${printable(rowName(wide, summary))} is what so few draws and images leave open where next to nothing varied: a rare effect may not have been seen yet. More of them narrow it.`,
  ];
}

/** Of a sweep that stops layers when they are known: where, and which were not. */
function stopNotes({ layers, options, data }: Summary): string[] {
  const { tolerance } = options;
  if (typeof tolerance !== 'number') return [];
  const stops = layers.flatMap(({ stoppedAt }) => (stoppedAt === null ? [] : [stoppedAt]));
  const short = layers.length - stops.length;
  const range = stops.length > 0 ? `${grouped(smallest(stops))} to ${grouped(largest(stops))}` : '';
  return [
    ...(stops.length > 0
      ? [
          `${grouped(stops.length)} of ${grouped(layers.length)} known to ± ${tolerance} points after ${range} images.`,
        ]
      : []),
    ...(short > 0
      ? [
          `! ${grouped(short)} not known to ± ${tolerance} points after all ${grouped(data.images)} images; give more, with --images or --max-images but not both, where the data have more.`,
        ]
      : []),
  ];
}

function invalidNotes(summary: Summary): string[] {
  const invalid = invalidLayers(summary);
  if (invalid.length === 0) return [];
  const count = invalid.reduce((sum, layer) => sum + layer.invalid, 0);
  const listed = invalid
    .slice(0, 3)
    .map((layer) => `${printable(rowName(layer, summary))} ${grouped(layer.invalid)}`);
  const more = invalid.length > 3 ? `, and ${invalid.length - 3} more` : '';
  const destroyed = invalid.filter(isDestroyed).length;
  return [
    `! ${grouped(count)} ${count === 1 ? 'output was' : 'outputs were'} NaN or infinite (${listed.join(', ')}${more}): ` +
      `counted as disagreement and as 100 % critical, left out of the other means${destroyed > 0 ? `; ${grouped(destroyed)} had no valid output at all` : ''}.`,
  ];
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && columnsOf(last) + 1 + columnsOf(word) <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(shorten(word, width));
    }
  }
  return lines;
}
