/**
 * Labels from a file of the user's: a .npy array; a text file with one class per line; one with a relative path and
 * a class per line (separated by spaces, a tab or a comma; a .csv file may have a head line); or ImageNet's
 * `ILSVRC2012_validation_ground_truth.txt`. A class is an index from 0, or one of ImageNet's synsets (n01440764).
 */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { openRegular, readRegular } from '../files/regular-file.js';
import { imagenetOutput, imagenetOutputOfNumber } from './imagenet.js';
import { fileError, imageError } from './input-error.js';
import { fileRange } from './sources/byte-range.js';
import { MAX_LABEL, readLabelArray, wrongLength } from './sources/label-array.js';

const MAX_TEXT_BYTES = 256 * 1024 * 1024;
const CHALLENGE_FILE = 'ilsvrc2012_validation_ground_truth.txt';
const CHALLENGE_IMAGE = /(?:^|\/)ILSVRC2012_val_(\d{8})\.[^/.]+$/i;
const CLASS = /^(?:\d+|n\d{8})$/;

/**
 * Labels of the sampled images.
 * @param file - .npy, or text
 * @param source - how many images there are, and their relative paths if they have some
 * @param indices - the sample
 * @throws CritmapError ERR_IMAGES when the file does not fit the images
 */
export async function readLabelFile(
  file: string,
  source: { readonly total: number; readonly names: readonly string[] | null },
  indices: Uint32Array,
): Promise<Int32Array> {
  const info = await stat(file).catch((thrown: unknown) => Promise.reject(fileError(file, thrown)));
  if (!info.isFile()) throw imageError(file, 'is not a file', 'give a file of labels, or folder, or none');
  if (/\.npy$/i.test(file)) {
    const all = await readArrayFile(file, info.size, source.total);
    return Int32Array.from(indices, (index) => all[index]!);
  }
  const lines = await readLines(file, info.size);
  if (basename(file).toLowerCase() === CHALLENGE_FILE) {
    return labelsByChallengeNumber(file, lines, source.names, indices);
  }
  if (/\.csv$/i.test(file) && lines.length > 1 && !/(?:\d|n\d{8})$/.test(lines[0]!)) lines[0] = '';
  return CLASS.test(lines.find((line) => line !== '')!)
    ? labelsByLine(file, lines, source.total, indices)
    : labelsByPath(file, lines, source.names, indices);
}

/**
 * Line n is the class of ILSVRC2012_val_<n>, wherever it lies, in the challenge's numbers from 1 to 1000: these are
 * not in the order of the models' outputs.
 */
function labelsByChallengeNumber(
  file: string,
  lines: string[],
  names: readonly string[] | null,
  indices: Uint32Array,
): Int32Array {
  return Int32Array.from(indices, (index) => {
    const name = names?.[index];
    const number = Number(CHALLENGE_IMAGE.exec(name ?? '')?.[1] ?? Number.NaN);
    if (Number.isNaN(number)) {
      const problem = `labels images by their numbers, and ${name ?? 'these images'} has none`;
      throw imageError(file, problem, 'name the images ILSVRC2012_val_00000001.JPEG and so on');
    }
    const line = lines[number - 1];
    if (line === undefined)
      throw imageError(file, `has no line ${number} for ${name}`, 'take the whole file');
    const output = /^\d+$/.test(line) ? imagenetOutputOfNumber(Number(line)) : undefined;
    if (output === undefined) throw badLine(file, number - 1, line, 'a class number from 1 to 1000');
    return output;
  });
}

async function readArrayFile(file: string, byteLength: number, total: number): Promise<Int32Array> {
  const handle = await openRegular(file).catch((thrown: unknown) => Promise.reject(fileError(file, thrown)));
  try {
    return await readLabelArray(fileRange(handle, file, 0, byteLength), total);
  } finally {
    await handle.close();
  }
}

async function readLines(file: string, byteLength: number): Promise<string[]> {
  if (byteLength > MAX_TEXT_BYTES)
    throw imageError(file, 'is too large for a text file of labels', 'use .npy');
  const bytes = await readRegular(file).catch((thrown: unknown) => Promise.reject(fileError(file, thrown)));
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (thrown) {
    throw imageError(file, 'is not a UTF-8 text file', 'give a text file or a .npy array of labels', thrown);
  }
  const lines = text.split('\n').map((line) => line.trim());
  while (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw imageError(file, 'is empty', 'write one class index per line');
  return lines;
}

function labelsByLine(file: string, lines: string[], total: number, indices: Uint32Array): Int32Array {
  const head = lines[0] === '' ? 1 : 0;
  if (lines.length - head !== total) throw wrongLength(file, lines.length - head, total);
  const all = lines.map((line, at) => {
    if (at < head) return 0;
    if (!CLASS.test(line)) throw badLine(file, at, line, 'a class index');
    return parseLabel(file, at, line);
  });
  return Int32Array.from(indices, (index) => all[index + head]!);
}

function labelsByPath(
  file: string,
  lines: string[],
  names: readonly string[] | null,
  indices: Uint32Array,
): Int32Array {
  if (!names) throw badLine(file, 0, lines[0]!, 'a class index (images in an array have no paths)');
  const known = new Set(names);
  const labels = new Map<string, number>();
  for (const [at, line] of lines.entries()) {
    // A csv file's head.
    if (at === 0 && line === '') continue;
    const match = /^(.*[^\s,])[\s,]+(\d+|n\d{8})$/.exec(line);
    if (!match) throw badLine(file, at, line, 'a relative path and a class index');
    const path = unquote(match[1]!).replace(/^\.\//, '');
    const label = parseLabel(file, at, match[2]!);
    if (!known.has(path)) {
      throw imageError(`${file} line ${at + 1}`, `no image ${path}`, `paths look like ${names[0]}`);
    }
    if ((labels.get(path) ?? label) !== label) {
      throw imageError(`${file} line ${at + 1}`, `another label for ${path}`, 'give one label per image');
    }
    labels.set(path, label);
  }
  return Int32Array.from(indices, (index) => {
    const label = labels.get(names[index]!);
    if (label === undefined) throw imageError(file, `has no label for ${names[index]}`, 'add a line for it');
    return label;
  });
}

/** As csv files write a field with commas. */
function unquote(field: string): string {
  return /^".*"$/.test(field) ? field.slice(1, -1).replaceAll('""', '"') : field;
}

function parseLabel(file: string, at: number, digits: string): number {
  if (digits.startsWith('n')) {
    const output = imagenetOutput(digits);
    if (output === undefined) throw badLine(file, at, digits, "one of ImageNet's 1,000 synsets");
    return output;
  }
  const label = Number(digits);
  if (label > MAX_LABEL) throw badLine(file, at, digits, `a class index from 0 to ${MAX_LABEL}`);
  return label;
}

function badLine(file: string, at: number, line: string, expected: string): Error {
  const shown = line.length > 60 ? `${line.slice(0, 60)}...` : line;
  return imageError(`${file} line ${at + 1}`, `"${shown}" is not ${expected}`, 'correct the line');
}
