/** The classes in a column of Parquet files: whole numbers, or text, whose names then count in sorted order. */
import { imageError } from '../input-error.js';
import { type ClassText, classesOf } from '../labels/classes.js';
import { MAX_LABEL } from '../sources/label-array.js';
import type { ParquetColumns } from './schema.js';

/** What of a file is needed here. */
export interface LabelledFile {
  readonly path: string;
  readonly columns: ParquetColumns;
  /** First row of every row group. */
  readonly starts: readonly number[];
}

export interface ParquetLabels {
  readonly labels: Int32Array | null;
  readonly classNames: readonly string[] | null;
}

/**
 * @param read - gives a row group's values of a column
 * @param outputs - of the model, if that is known
 * @throws CritmapError ERR_IMAGES when files have their classes in different columns, or a row has none
 */
export async function readLabels<File extends LabelledFile>(
  files: readonly File[],
  read: (file: File, column: string, group: number) => Promise<unknown[]>,
  outputs: number | undefined,
): Promise<ParquetLabels> {
  const { label: column, isText, classNames } = files[0]!.columns;
  for (const { path, columns } of files) {
    if (columns.label === column && columns.isText === isText) continue;
    const problem =
      columns.label === column
        ? `classes in the column ${column} are ${columns.isText ? 'text' : 'numbers'}, elsewhere not`
        : `classes are in the column ${columns.label}, elsewhere in ${column}`;
    throw imageError(path, problem, 'give files that have the same columns');
  }
  if (column === null) return { labels: null, classNames: null };
  const texts: ClassText[] = [];
  const numbers: number[] = [];
  for (const file of files) {
    for (const [group, start] of file.starts.entries()) {
      for (const [at, value] of (await read(file, column, group)).entries()) {
        const row = start + at;
        if (isText) texts.push({ text: textOf(value), place: `${file.path} row ${row}`, isNeeded: true });
        else numbers.push(numberOf(value, row, column, classNames, file.path));
      }
    }
  }
  if (!isText) return { labels: Int32Array.from(numbers), classNames };
  const { labels, names } = classesOf(texts, outputs, files[0]!.path);
  return { labels, classNames: names };
}

/** Text that is not said to be text comes as bytes. */
function textOf(value: unknown): string {
  return (value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : String(value ?? '')).trim();
}

function numberOf(
  value: unknown,
  row: number,
  column: string,
  classNames: readonly string[] | null,
  path: string,
): number {
  const most = classNames ? classNames.length - 1 : MAX_LABEL;
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number === 'number' && number >= 0 && number <= most) return number;
  const named = classNames ? `, and there are names for ${classNames.length} classes` : '';
  const problem = `the column ${column} has ${String(value)} at row ${row}${named}`;
  throw imageError(path, problem, 'give --labels FILE, or --labels none');
}
