/**
 * Labels from a file of the user's: a .npy array, a text file with one class index per line, or one with
 * a relative path and a class index per line (separated by spaces, a tab or a comma).
 */
import { open, readFile, stat } from 'node:fs/promises';
import { fileRange } from './byte-range.js';
import { fileError, imageError } from './input-error.js';
import { MAX_LABEL, readLabelArray, wrongLength } from './label-array.js';

const MAX_TEXT_BYTES = 256 * 1024 * 1024;

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
  return /^\d+$/.test(lines[0]!)
    ? labelsByLine(file, lines, source.total, indices)
    : labelsByPath(file, lines, source.names, indices);
}

async function readArrayFile(file: string, byteLength: number, total: number): Promise<Int32Array> {
  const handle = await open(file, 'r').catch((thrown: unknown) => Promise.reject(fileError(file, thrown)));
  try {
    return await readLabelArray(fileRange(handle, file, 0, byteLength), total);
  } finally {
    await handle.close();
  }
}

async function readLines(file: string, byteLength: number): Promise<string[]> {
  if (byteLength > MAX_TEXT_BYTES)
    throw imageError(file, 'is too large for a text file of labels', 'use .npy');
  const bytes = await readFile(file).catch((thrown: unknown) => Promise.reject(fileError(file, thrown)));
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
  if (lines.length !== total) throw wrongLength(file, lines.length, total);
  const all = lines.map((line, at) => {
    if (!/^\d+$/.test(line)) throw badLine(file, at, line, 'a class index');
    return parseLabel(file, at, line);
  });
  return Int32Array.from(indices, (index) => all[index]!);
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
    const match = /^(.*[^\s,])[\s,]+(\d+)$/.exec(line);
    if (!match) throw badLine(file, at, line, 'a relative path and a class index');
    const path = match[1]!.replace(/^\.\//, '');
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

function parseLabel(file: string, at: number, digits: string): number {
  const label = Number(digits);
  if (label > MAX_LABEL) throw badLine(file, at, digits, `a class index from 0 to ${MAX_LABEL}`);
  return label;
}

function badLine(file: string, at: number, line: string, expected: string): Error {
  const shown = line.length > 60 ? `${line.slice(0, 60)}...` : line;
  return imageError(`${file} line ${at + 1}`, `"${shown}" is not ${expected}`, 'correct the line');
}
