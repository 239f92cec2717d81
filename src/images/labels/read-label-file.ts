/**
 * Labels from a file of the user's: a .npy array; a text file with a class per line, in the images' order; a table with
 * a column of image paths and one of classes, or one for each class, however it is written; a JSON object; or ImageNet's
 * `ILSVRC2012_validation_ground_truth.txt`. What was understood comes with them, in one line.
 */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { openRegular, readRegular } from '../../files/regular-file.js';
import { imagenetOutputOfNumber } from '../imagenet.js';
import { fileError, imageError } from '../input-error.js';
import { fileRange } from '../sources/byte-range.js';
import { readLabelArray, wrongLength } from '../sources/label-array.js';
import { labelsByPath } from './by-path.js';
import { type ClassText, classesOf } from './classes.js';
import { type Columns, classOf, columnName, findColumns } from './columns.js';
import type { FileLabels, LabelledImages } from './file-labels.js';
import { ImagePaths } from './image-paths.js';
import { isJson, readJsonTable } from './json-table.js';
import { type LabelTable, readTable, wholeLines, withoutComments } from './table.js';

const MAX_TEXT_BYTES = 256 * 1024 * 1024;
const CHALLENGE_FILE = 'ilsvrc2012_validation_ground_truth.txt';
const CHALLENGE_IMAGE = /(?:^|\/)ILSVRC2012_val_(\d{8})\.[^/.]+$/i;

/**
 * @param indices - the sample
 * @param outputs - of the model, if that is known
 * @param columns - as `findColumns` takes them
 * @throws CritmapError ERR_IMAGES when the file does not fit the images
 */
export async function readLabelFile(
  file: string,
  images: LabelledImages,
  indices: Uint32Array,
  { outputs, columns }: { outputs?: number | undefined; columns?: readonly string[] | undefined } = {},
): Promise<FileLabels> {
  const info = await stat(file).catch((thrown: unknown) => Promise.reject(fileError(file, thrown)));
  if (!info.isFile()) throw imageError(file, 'is not a file', 'give a file of labels, or folder, or none');
  if (/\.npy$/i.test(file)) {
    const all = await readArrayFile(file, info.size, images.total);
    return {
      labels: Int32Array.from(indices, (index) => all[index]!),
      classNames: null,
      understood: `${file}: an index per image`,
    };
  }
  const text = withoutComments(file, await readText(file, info.size));
  const table = isJson(file) ? readJsonTable(file, text) : readTable(file, text);
  if (basename(file).toLowerCase() === CHALLENGE_FILE) return byChallengeNumber(table, images, indices);
  const paths = images.names && new ImagePaths(images.names);
  const found = findColumns(table, paths, images.total, columns);
  if (!found) return byLine(oneColumn(table, text, images), images, indices, outputs);
  if (found.image === null) return byLine(table, images, indices, outputs, found);
  return labelsByPath(table, found, images, indices, outputs);
}

/**
 * Line n is the class of ILSVRC2012_val_<n>, wherever it lies, in the challenge's numbers from 1 to 1000: these are
 * not in the order of the models' outputs.
 */
function byChallengeNumber(
  { file, rows, lines }: LabelTable,
  { names }: LabelledImages,
  indices: Uint32Array,
): FileLabels {
  const labels = Int32Array.from(indices, (index) => {
    const name = names?.[index];
    const number = Number(CHALLENGE_IMAGE.exec(name ?? '')?.[1] ?? Number.NaN);
    if (Number.isNaN(number)) {
      const problem = `labels images by their numbers, and ${name ?? 'these images'} has none`;
      throw imageError(file, problem, 'name the images ILSVRC2012_val_00000001.JPEG and so on');
    }
    const text = rows[number - 1]?.[0];
    if (text === undefined)
      throw imageError(file, `has no line ${number} for ${name}`, 'take the whole file');
    const output = /^\d+$/.test(text) ? imagenetOutputOfNumber(Number(text)) : undefined;
    if (output !== undefined) return output;
    const problem = `"${text}" is not a class number from 1 to 1000`;
    throw imageError(`${file} line ${lines[number - 1]}`, problem, 'correct the line');
  });
  return { labels, classNames: null, understood: `${file}: ImageNet's own numbers, by the images' names` };
}

async function readArrayFile(file: string, byteLength: number, total: number): Promise<Int32Array> {
  const handle = await openRegular(file).catch((thrown: unknown) => Promise.reject(fileError(file, thrown)));
  try {
    return await readLabelArray(fileRange(handle, file, 0, byteLength), total);
  } finally {
    await handle.close();
  }
}

async function readText(file: string, byteLength: number): Promise<string> {
  if (byteLength > MAX_TEXT_BYTES)
    throw imageError(file, 'is too large for a text file of labels', 'use .npy');
  const bytes = await readRegular(file).catch((thrown: unknown) => Promise.reject(fileError(file, thrown)));
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (thrown) {
    throw imageError(
      file,
      'is not a UTF-8 text file',
      'save it as UTF-8, or give a .npy array of labels',
      thrown,
    );
  }
}

/** The same with a class in each line; its words may have looked like columns. */
function oneColumn(table: LabelTable, text: string, { name, total, names }: LabelledImages): LabelTable {
  const { file, rows, by } = table;
  if (rows.every((cells) => cells.length === 1)) return table;
  const lines = wholeLines(table, text);
  if (by === 'blanks' && lines.rows.length === total) return lines;
  const first = rows[0]!.join(', ').slice(0, 80);
  throw names
    ? imageError(
        file,
        `no column names an image of ${name}: its first row is "${first}", images are called ${names[0]}`,
        'write paths as they are in the folder, or say by --label-columns which columns they are',
      )
    : imageError(
        file,
        `its first row is "${first}", and images in an array have no paths`,
        'write a class per line, or name their column by --label-columns',
      );
}

/** Row n is of image n. */
function byLine(
  { file, rows, lines }: LabelTable,
  { total }: LabelledImages,
  indices: Uint32Array,
  outputs: number | undefined,
  columns: Columns = { head: null, image: null, label: 0, found: [] },
): FileLabels {
  const start =
    columns.head || (rows.length === total + 1 && !/^(?:[+-]?\d+|n\d{8})$/.test(rows[0]![0]!)) ? 1 : 0;
  if (rows.length - start !== total) throw wrongLength(file, rows.length - start, total);
  const texts = rows.slice(start).map(
    (cells, at): ClassText => ({
      text: classOf(columns, cells),
      place: `${file} line ${lines[start + at]}`,
      isNeeded: true,
    }),
  );
  const { labels, names, as } = classesOf(texts, outputs, file);
  const where =
    columns.found.length === 0 && columns.label === 0
      ? ''
      : ` in column ${columnName(columns, columns.label)}`;
  return {
    labels: Int32Array.from(indices, (index) => labels[index]!),
    classNames: names,
    understood: `${file}: a class per line${where}, in the images' order (${as})`,
  };
}
