/**
 * Which column of a table names the images and which has their classes: found by what is in them, then by the names in
 * the head line, or named by the user.
 */
import { quoted, some } from '../../errors.js';
import { imageError, optionError } from '../input-error.js';
import { IMAGE_EXTENSIONS } from '../sources/folder-listing.js';
import type { FoundImage, ImagePaths } from './image-paths.js';
import { type OneHot, oneHotColumns, onesIn } from './one-hot.js';
import type { LabelTable } from './table.js';

/** Usual names of the column of classes; indices count more than names, since a model's outputs are indices. */
const LABEL_NAMES = [
  ...['class_index', 'class_idx', 'class_id', 'classid', 'label_index', 'label_idx', 'label_id', 'labelid'],
  ...[
    'target',
    'label',
    'labels',
    'class',
    'classes',
    'cls',
    'category_id',
    'category',
    'y',
    'wnid',
    'synset',
  ],
  ...[
    'synset_id',
    'predictionstring',
    'class_name',
    'classname',
    'label_name',
    'breed',
    'species',
    'diagnosis',
  ],
];
/** So many numbers in a row may be by chance. */
const FEW_ROWS = 3;
const SYNSET = /^n\d{8}$/;
const WHOLE = /^[+-]?\d+(?:\.0*)?$/;
/** ImageNet's on Kaggle: the synset before the box of each object, all of one synset. */
const BOXES = /^(n\d{8})(?: -?\d+){4}(?: \1(?: -?\d+){4})*$/;

export interface Columns {
  /** Names by position; null without a head line. */
  readonly head: readonly string[] | null;
  /** Positions; the images' is null where the rows are in their order. */
  readonly image: number | null;
  readonly label: number;
  /** Of a table with a column for each class, all of these. */
  readonly hot?: readonly number[];
  /** The image that each row means, head line included; empty where the rows are in the images' order. */
  readonly found: readonly (FoundImage | null)[];
}

/** The text of a class in a cell. */
function classIn(cell: string): string {
  return BOXES.exec(cell)?.[1] ?? cell;
}

/** The text of the class in a row. */
export function classOf({ label, hot }: Pick<Columns, 'label' | 'hot'>, cells: readonly string[]): string {
  return hot ? onesIn(cells, hot).join() : classIn(cells[label] ?? '');
}

/** What errors and people call a column. */
export function columnName({ head }: Pick<Columns, 'head'>, position: number): string {
  return head?.[position] ? quoted(head[position]) : String(position + 1);
}

/**
 * @param paths - null where images have no names
 * @param total - images in the source
 * @param wanted - what the user said: the column of classes, or those of images and classes; by name, or counted from 1
 * @returns null when no column names an image
 * @throws CritmapError ERR_IMAGES when it is not clear which column it is
 */
export function findColumns(
  table: LabelTable,
  paths: ImagePaths | null,
  total: number,
  wanted: readonly string[] | undefined,
): Columns | null {
  const { rows } = table;
  const width = rows.reduce((most, cells) => Math.max(most, cells.length), 0);
  // Indices would else be taken for images called 0.png, 1.png and so on.
  if (width === 1) return null;
  const all = Array.from({ length: width }, (_, position) => position);
  const found = paths ? all.map((position) => rows.map((cells) => paths.find(cells[position] ?? ''))) : [];
  const head = headOf(table, found, total);
  const [label, image] = [...(wanted ?? [])].reverse().map((name) => chosen(table, head, name));
  const images = image ?? bestOf(table, found);
  if (label === images && label !== undefined)
    throw optionError('--label-columns names one column twice; give that of images, then that of classes');
  const others = all.filter((position) => position !== images);
  const hot = oneHotColumns(head ? rows.slice(1) : rows, others);
  if (label !== undefined) refuseOneOf(table, head, hot, label);
  if (images === undefined) {
    if (paths || label === undefined) return null;
    return { head, image: null, label, found: [] };
  }
  const its = { head, image: images, found: found[images] ?? [] };
  const named = label ?? usualName(head, others);
  if (named !== undefined) return { ...its, label: named };
  if (hot?.wrong === null) return { ...its, label: hot.positions[0]!, hot: hot.positions };
  const labels = labelColumn(table, head, others);
  if (labels === undefined) throw unclear(table, head, others, hot);
  if (others.length === 1) refuseNumbers(table, head, labels, images);
  return { ...its, label: labels };
}

function unclear(
  { file, lines }: LabelTable,
  head: readonly string[] | null,
  others: readonly number[],
  hot: OneHot | null,
): Error {
  const names = (positions: readonly number[]) =>
    some(
      positions.map((position) => columnName({ head }, position)),
      5,
    );
  if (others.length === 0) return imageError(file, 'has a column of images and none of classes', 'add one');
  if (hot?.wrong != null) {
    const place = `${file} line ${lines[hot.wrong + (head ? 1 : 0)]}`;
    const problem = `has no single 1 in the columns of 0 and 1 (${names(hot.positions)}), which would be the image's class`;
    return imageError(place, problem, 'give each image one class');
  }
  const first = bare(columnName({ head }, others[0]!));
  return imageError(
    file,
    `which column has the classes is not clear (${names(others)})`,
    hot === null ? `name it, such as --label-columns ${first}` : 'name it by --label-columns',
  );
}

/** A column of a table with one for each class says 1 of its class and 0 of all others, which are no indices. */
function refuseOneOf(
  { file }: LabelTable,
  head: readonly string[] | null,
  hot: OneHot | null,
  label: number,
): void {
  if (hot?.wrong !== null || !hot.positions.includes(label) || usualName(head, [label]) !== undefined) return;
  const others = hot.positions.filter((position) => position !== label);
  const names = some(
    others.map((position) => columnName({ head }, position)),
    3,
  );
  throw imageError(
    file,
    `column ${columnName({ head }, label)} has 1 for images of one class and 0 for all others, as ${names} for theirs`,
    'leave --label-columns out: then all of them are read',
  );
}

/** Numbers in the order of the rows, each once, are the images' own and no classes. */
function refuseNumbers(
  { file, rows }: LabelTable,
  head: readonly string[] | null,
  label: number,
  images: number,
): void {
  const cells = (head ? rows.slice(1) : rows).map((row) => row[label] ?? '');
  const [first] = cells;
  // From 0 they may be one image of each class, unless they stand where numbers of rows do.
  const isFirst = first === '1' || (first === '0' && label < images);
  if (cells.length < FEW_ROWS || !isFirst) return;
  if (!cells.every((cell, at) => cell === String(Number(first) + at))) return;
  throw imageError(
    file,
    `column ${columnName({ head }, label)} numbers the rows (${cells.slice(0, 3).join(', ')}, ...), and no other has classes`,
    `add a column of classes, or say by --label-columns ${bare(columnName({ head }, label))} that these are the classes`,
  );
}

/** The first row, if nothing in it is an image or a class: then it may be names. */
function headOf(
  { rows }: LabelTable,
  found: readonly (readonly (FoundImage | null)[])[],
  total: number,
): readonly string[] | null {
  const [first] = rows;
  if (!first || rows.length < 2) return null;
  const isData = (cell: string, position: number) =>
    found[position]?.[0] != null ||
    IMAGE_EXTENSIONS.some((ending) => cell.toLowerCase().endsWith(ending)) ||
    WHOLE.test(cell) ||
    SYNSET.test(classIn(cell));
  if (first.some(isData)) return null;
  return first.length > 1 || rows.length === total + 1 ? first : null;
}

function chosen({ file }: LabelTable, head: readonly string[] | null, name: string): number {
  const at = head?.indexOf(name) ?? -1;
  if (at !== -1) return at;
  if (/^[1-9]\d{0,4}$/.test(name)) return Number(name) - 1;
  const known = head ? `columns are ${head.join(', ')}` : 'it has no head line; count columns from 1';
  throw imageError(file, `has no column ${name}`, known);
}

/** The column that names most images; of several the first, and one with whole names before one without endings. */
function bestOf(
  { rows }: LabelTable,
  found: readonly (readonly (FoundImage | null)[])[],
): number | undefined {
  let best: number | undefined;
  let most = 0;
  for (const [position, column] of found.entries()) {
    const distinct = new Set<number | null>();
    let [named, bare, whole] = [0, 0, 0];
    for (const [row, image] of column.entries()) {
      if (!image) continue;
      named++;
      distinct.add(image.index);
      if (image.isBare) bare++;
      if (WHOLE.test(rows[row]![position]!)) whole++;
    }
    // Classes look like images called 0.png, 1.png and so on, but do not stand for one image each.
    if (whole > 0 && distinct.size < named) continue;
    const score = distinct.size - (bare > 0 ? 0.5 : 0);
    if (score > most) [best, most] = [position, score];
  }
  return best;
}

/** The column that is called as columns of classes are, the most usual name first. */
function usualName(head: readonly string[] | null, others: readonly number[]): number | undefined {
  const known = LABEL_NAMES.map((name) =>
    others.find((position) => head?.[position]?.toLowerCase() === name),
  );
  return known.find((position) => position !== undefined);
}

function labelColumn(
  table: LabelTable,
  head: readonly string[] | null,
  others: number[],
): number | undefined {
  if (others.length <= 1) return others[0];
  const rows = head ? table.rows.slice(1) : table.rows;
  const columns = others.map((position) => ({
    position,
    cells: rows.map((cells) => classIn(cells[position] ?? '')).filter((cell) => cell !== ''),
  }));
  const repeats = (cells: readonly string[]) => new Set(cells).size < cells.length;
  const tests: ((cells: readonly string[]) => boolean)[] = [
    (cells) => cells.every((cell) => SYNSET.test(cell)),
    (cells) => cells.every((cell) => WHOLE.test(cell)) && repeats(cells),
    (cells) => !cells.some((cell) => WHOLE.test(cell)) && repeats(cells),
  ];
  for (const test of tests) {
    const fitting = columns.filter(({ cells }) => cells.length > 0 && test(cells));
    if (fitting.length === 1) return fitting[0]!.position;
    if (fitting.length > 1) return undefined;
  }
  return undefined;
}

const bare = (name: string) => name.replaceAll('"', '');
