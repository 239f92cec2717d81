/**
 * A text file of labels as rows of cells: a class per line, or columns parted by commas, semicolons, tabs, bars or
 * blanks, with quotes as in CSV. Which column means what is for `columns.ts` to find.
 */
import Papa from 'papaparse';
import { imageError } from '../input-error.js';

export interface LabelTable {
  /** As the user wrote it. */
  readonly file: string;
  /** Cells without blanks around them; no row is empty, not all need have as many. */
  readonly rows: readonly (readonly string[])[];
  /** Where each row stands in the file, from 1. */
  readonly lines: readonly number[];
  /** How cells are parted. */
  readonly by: string;
}

const DELIMITERS: readonly [delimiter: string, name: string][] = [
  ['\t', 'tabs'],
  [',', 'commas'],
  [';', 'semicolons'],
  ['|', 'bars'],
];
const ROWS_LOOKED_AT = 100;

/**
 * @param text - without a byte order mark
 * @throws CritmapError ERR_IMAGES when there is nothing in it, or a quote has no end
 */
export function readTable(file: string, text: string): LabelTable {
  if (text.trim() === '') throw imageError(file, 'is empty', 'write one class index per line');
  const counts = DELIMITERS.map(([delimiter]) => cellsOfRows(file, text, delimiter));
  const most = Math.max(...counts);
  if (most < 2) return byBlanks(file, text);
  const [delimiter, by] = DELIMITERS[counts.indexOf(most)]!;
  const { data, errors } = Papa.parse<string[]>(text, { delimiter });
  const rows: string[][] = [];
  const lines: number[] = [];
  let line = 1;
  for (const [at, cells] of data.entries()) {
    const wrong = errors[0];
    if (wrong?.row === at) {
      throw imageError(`${file} line ${line}`, `has a quote that is wrong (${wrong.message})`, 'mend it');
    }
    if (cells.some((cell) => cell.trim() !== '')) {
      rows.push(cells.map((cell) => cell.trim()));
      lines.push(line);
    }
    line += 1 + cells.reduce((sum, cell) => sum + cell.split('\n').length - 1, 0);
  }
  return { file, rows, lines, by };
}

/**
 * The text with empty lines in the place of comments before the table: lines that begin with `#` and a blank, or that have
 * not as many cells as its rows.
 */
export function withoutComments(file: string, text: string): string {
  const lines = text.split('\n');
  const isMarked = (line: string) => /^\s*(?:#|$)/.test(line);
  const count = lines.findIndex((line) => !isMarked(line));
  if (count < 1) return text;
  const { rows, by } = readTable(file, lines.slice(count).join('\n'));
  const delimiter = DELIMITERS.find(([, name]) => name === by)?.[0] ?? /\s+/;
  const isComment = (line: string) =>
    /^\s*(?:#[\s#]|#?$)/.test(line) || line.trim().split(delimiter).length !== rows[0]!.length;
  const first = lines.findIndex((line) => !isComment(line));
  return first < 0 ? text : '\n'.repeat(first) + lines.slice(first).join('\n');
}

/** The same file with a single column, whatever is in its lines. */
export function wholeLines({ file }: LabelTable, text: string): LabelTable {
  return fromLines(file, text, (line) => [unquoted(line)]);
}

/** How many cells all of the first rows have, or the first one of a file that says that it is CSV; else 0. */
function cellsOfRows(file: string, text: string, delimiter: string): number {
  const options = { delimiter, preview: ROWS_LOOKED_AT, skipEmptyLines: true };
  const { data, errors } = Papa.parse<string[]>(text, options);
  const count = data[0]?.length ?? 0;
  const isCsv = /\.[ct]sv$/i.test(file);
  const isSame = data.every((cells, row) => cells.length === count || errors[0]?.row === row);
  return isCsv || isSame ? count : 0;
}

/**
 * As lists for Caffe have it. Blanks may be in a path too: then, and where commas are mixed with them, all but the last
 * word is one cell.
 */
function byBlanks(file: string, text: string): LabelTable {
  const counts = new Set<number>();
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    if (trimmed !== '') counts.add(trimmed.split(/\s+/).length);
  }
  const [count] = counts;
  if (counts.size === 1 && count !== 1 && !text.includes('"')) {
    return fromLines(file, text, (line) => line.split(/\s+/));
  }
  return fromLines(file, text, (line) => {
    const match = /^(.*[^\s,;])[\s,;]+([^\s,;]+)$/.exec(line);
    return match ? [unquoted(match[1]!), match[2]!] : [unquoted(line)];
  });
}

function fromLines(file: string, text: string, cellsOf: (line: string) => string[]): LabelTable {
  const rows: string[][] = [];
  const lines: number[] = [];
  for (const [at, line] of text.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '') continue;
    rows.push(cellsOf(trimmed));
    lines.push(at + 1);
  }
  return { file, rows, lines, by: rows.some((cells) => cells.length > 1) ? 'blanks' : 'lines' };
}

function unquoted(cell: string): string {
  return /^".*"$/.test(cell) ? cell.slice(1, -1).replaceAll('""', '"') : cell;
}
