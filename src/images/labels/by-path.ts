/** A table of image paths and classes: which rows are of the images that are there, and their classes. */
import { basename, resolve } from 'node:path';
import { imageError } from '../input-error.js';
import { type Classes, type ClassText, classesOf } from './classes.js';
import { type Columns, classOf, columnName } from './columns.js';
import type { FileLabels, LabelledImages } from './file-labels.js';
import type { FoundImage } from './image-paths.js';
import type { LabelTable } from './table.js';

/**
 * @param columns - of the table, one of them with images
 * @param indices - the sample
 * @param outputs - of the model, if that is known
 * @throws CritmapError ERR_IMAGES when an image of the sample has no class, or more than one
 */
export function labelsByPath(
  { file, rows, lines, by }: LabelTable,
  columns: Columns,
  images: LabelledImages,
  indices: Uint32Array,
  outputs: number | undefined,
): FileLabels {
  const names = images.names!;
  const start = columns.head ? 1 : 0;
  const found = ofThisFolder(columns.found, images, file);
  const texts = rows.slice(start).map(
    (cells, at): ClassText => ({
      text: classOf(columns, cells),
      place: `${file} line ${lines[start + at]}`,
      isNeeded: found[start + at] != null,
    }),
  );
  const classes = classesOf(texts, outputs, file);
  const labels = new Map<number, number>();
  for (const [at, { place }] of texts.entries()) {
    const image = found[start + at];
    if (!image) continue;
    const cell = rows[start + at]![columns.image!];
    if (image.index === null) {
      throw imageError(place, `several images are called ${cell}`, 'write their paths in the folder');
    }
    const label = classes.labels[at]!;
    if ((labels.get(image.index) ?? label) !== label) {
      throw imageError(place, `another label for ${cell}`, 'give one label per image');
    }
    labels.set(image.index, label);
  }
  const without = [...indices].filter((index) => !labels.has(index));
  if (without.length > 0) {
    const more = without.length > 1 ? ` and ${without.length - 1} more` : '';
    throw imageError(
      file,
      `has no label for ${names[without[0]!]}${more}`,
      'add a line for each, or go without accuracy by --labels none',
    );
  }
  return {
    labels: Int32Array.from(indices, (index) => labels.get(index)!),
    classNames: columns.hot && columns.head ? namesOf(columns.hot, columns.head) : classes.names,
    understood: `${file}: ${sentence(by, columns, found.slice(start), classes)}`,
  };
}

const namesOf = (positions: readonly number[], head: readonly string[]) =>
  positions.map((position, at) => head[position] || String(at));

/**
 * Without the rows of other folders: where two rows mean the same image in folders of different names, that of this
 * folder's name counts.
 */
function ofThisFolder(
  found: readonly (FoundImage | null)[],
  { name }: LabelledImages,
  file: string,
): (FoundImage | null)[] {
  const before = new Map<number, string>();
  const rivals = new Set<string>();
  for (const image of found) {
    if (image?.index == null) continue;
    const other = before.get(image.index);
    if (other === undefined) before.set(image.index, image.before);
    else if (other !== image.before) rivals.add(other).add(image.before);
  }
  if (rivals.size === 0) return [...found];
  const own = [...rivals].filter((path) => basename(path) === basename(resolve(name)));
  if (own.length === 1) return found.map((image) => (image && image.before === own[0] ? image : null));
  throw imageError(
    file,
    `has rows for the same image in several folders (${[...rivals]
      .slice(0, 3)
      .map((path) => `${path}/`)
      .join(', ')})`,
    'keep those of one folder, or give as --data the folder that the paths start from',
  );
}

function sentence(
  by: string,
  columns: Columns,
  found: readonly (FoundImage | null)[],
  { as }: Classes,
): string {
  const here = found.filter((image) => image !== null);
  const isBare = here.some((image) => image.isBare) ? ' without their endings' : '';
  const others = found.length - here.length;
  const more = others === 0 ? '' : `; ${others} ${others === 1 ? 'row is' : 'rows are'} of other images`;
  const heads = columns.head ? 'a head line, ' : '';
  const image = columnName(columns, columns.image!);
  const said = columns.hot
    ? `a column for each of ${columns.hot.length} classes, in their order`
    : `classes in column ${columnName(columns, columns.label)} (${as})`;
  const form = by === 'JSON' ? 'a JSON object' : `columns parted by ${by}`;
  return `${form}, ${heads}images in column ${image}${isBare}, ${said}${more}`;
}
