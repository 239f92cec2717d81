/** Which columns of a Parquet file are the images and their classes, and what its footer may say. */
import { type FileMetaData, parquetSchema, type SchemaTree } from 'hyparquet';
import { z } from 'zod';
import { imageError } from '../input-error.js';

/** Usual names of a class index, on the Hugging Face hub and elsewhere. */
const LABEL_NAMES = [
  ...['label', 'labels', 'cls', 'class', 'target', 'fine_label', 'coarse_label'],
  ...['label_name', 'class_name', 'class_label', 'category', 'synset', 'wnid'],
];
const IMAGE_NAMES = ['image', 'img'];

/** What one row group may hold decompressed: it is in memory as a whole. */
const MOST_GROUP_BYTES = 2 ** 30;
const MOST_GROUP_ROWS = 2 ** 20;

export interface ParquetColumns {
  image: string;
  /** Whether the images are in a field `bytes` of the column. */
  nested: boolean;
  label: string | null;
  /** Whether classes are text and not whole numbers. */
  isText: boolean;
  /** Names of the classes, if the file says. */
  classNames: string[] | null;
}

/**
 * @param labels - the column of classes: `auto`, `none` or its name
 * @throws CritmapError ERR_IMAGES when there is no column of images, or which one is not clear
 */
export function findColumns(metadata: FileMetaData, labels: string, name: string): ParquetColumns {
  const columns = parquetSchema(metadata).children;
  const text = columns.map(({ element }) => element.name).join(', ');
  const images = columns.filter((column) => imageKind(column) !== null);
  const image = images.length === 1 ? images[0] : images.find((c) => IMAGE_NAMES.includes(c.element.name));
  if (!image) {
    const problem =
      images.length === 0
        ? `has no column of images (columns are ${text || 'none'})`
        : `has several columns of images (${images.map(({ element }) => element.name).join(', ')})`;
    throw imageError(name, problem, 'give a file with one column of encoded images, or of {bytes, path}');
  }
  const label = findLabel(
    columns.filter((column) => column !== image),
    labels,
    name,
  );
  return {
    image: image.element.name,
    nested: imageKind(image) === 'nested',
    label,
    isText: columns.some((column) => column.element.name === label && isText(column)),
    classNames: label === null ? null : classNamesOf(metadata, label),
  };
}

function imageKind({ element, children }: SchemaTree): 'nested' | 'plain' | null {
  const isBytes = (e: SchemaTree['element']) => e.type === 'BYTE_ARRAY' && e.repetition_type !== 'REPEATED';
  if (element.repetition_type === 'REPEATED') return null;
  if (children.some((child) => child.element.name === 'bytes' && isBytes(child.element))) return 'nested';
  const plain =
    isBytes(element) && element.converted_type === undefined && element.logical_type === undefined;
  return plain && children.length === 0 ? 'plain' : null;
}

/** Among the columns that are not the images'. */
function findLabel(columns: SchemaTree[], labels: string, name: string): string | null {
  if (labels === 'none') return null;
  if (labels !== 'auto') {
    const found = columns.find(({ element }) => element.name === labels);
    if (found && (isWhole(found) || isText(found))) return labels;
    const problem = found
      ? `the column ${labels} is neither of whole numbers nor of text`
      : `has no column ${labels}`;
    const others = columns.map(({ element }) => element.name).join(', ');
    throw imageError(name, problem, others === '' ? 'it has none but the images' : `columns are ${others}`);
  }
  const named = columns.filter(({ element }) => LABEL_NAMES.includes(element.name.toLowerCase()));
  // Indices are what a model's outputs are; names beside them say the same.
  const whole = named.filter(isWhole);
  const usable = whole.length > 0 ? whole : named.filter(isText);
  const found = (usable.length > 0 ? usable : named).map(({ element }) => element.name);
  if (found.length > 1) {
    throw imageError(
      name,
      `has several columns of classes (${found.join(', ')})`,
      `choose one by --labels column:${found[0]}, or --labels none`,
    );
  }
  if (found.length === 1 && usable.length === 0) {
    throw imageError(
      name,
      `the column ${found[0]} is neither of whole numbers nor of text`,
      'choose another by --labels column:NAME, or --labels none',
    );
  }
  return found[0] ?? null;
}

function isWhole({ element, children }: SchemaTree): boolean {
  return children.length === 0 && (element.type === 'INT32' || element.type === 'INT64') && !isList(element);
}

/** Some writers do not say that bytes are text. */
function isText({ element, children }: SchemaTree): boolean {
  const { converted_type: kind = 'UTF8', logical_type: logical } = element;
  const says =
    (kind === 'UTF8' || kind === 'ENUM') &&
    (logical === undefined || ['STRING', 'ENUM'].includes(logical.type));
  return children.length === 0 && element.type === 'BYTE_ARRAY' && says && !isList(element);
}

function isList({ repetition_type }: SchemaTree['element']): boolean {
  return repetition_type === 'REPEATED';
}

/** What the `datasets` library writes beside the columns. */
const hub = z.object({
  info: z.object({ features: z.record(z.string(), z.unknown()) }),
});
const classLabel = z.object({ names: z.array(z.string()) });

function classNamesOf({ key_value_metadata }: FileMetaData, label: string): string[] | null {
  const text = key_value_metadata?.find(({ key }) => key === 'huggingface')?.value;
  try {
    return classLabel.parse(hub.parse(JSON.parse(text ?? '')).info.features[label]).names;
  } catch {
    // Nobody has to say it, and the numbers count without names.
    return null;
  }
}

/**
 * The rows of every row group.
 * @throws CritmapError ERR_IMAGES when the footer says what cannot be
 */
export function groupRows(metadata: FileMetaData, byteLength: number, name: string): number[] {
  const rows = metadata.row_groups.map((group) => {
    const count = Number(group.num_rows);
    if (!(Number.isSafeInteger(count) && count >= 0 && count <= MOST_GROUP_ROWS)) {
      throw imageError(name, `has a row group of ${group.num_rows} rows`, 'write it with smaller row groups');
    }
    for (const { meta_data } of group.columns) {
      const packed = Number(meta_data?.total_compressed_size ?? Number.NaN);
      if (!(packed >= 0 && packed <= byteLength)) {
        throw imageError(name, 'has a damaged footer (a column larger than the file)', 'copy it again');
      }
      const unpacked = Number(meta_data?.total_uncompressed_size ?? Number.NaN);
      if (!(unpacked >= 0 && unpacked <= MOST_GROUP_BYTES)) {
        throw imageError(
          name,
          `has a row group with ${unpacked} bytes in a column, more than fits in memory`,
          'write it with smaller row groups',
        );
      }
    }
    return count;
  });
  const sum = rows.reduce((total, count) => total + count, 0);
  if (BigInt(sum) !== metadata.num_rows) {
    throw imageError(
      name,
      `has ${sum} rows in its row groups and ${metadata.num_rows} in all`,
      'copy it again',
    );
  }
  return rows;
}

/**
 * The same file as if it had one leaf and one row group only. What is not wanted is then not read, and the library has
 * a single promise: of several that fail it leaves all but the first unhandled, which would end the process.
 */
export function onlyLeaf(metadata: FileMetaData, path: readonly string[], group: number): FileMetaData {
  const column = parquetSchema(metadata).children.find(({ element }) => element.name === path[0])!;
  const inner = column.children.find(({ element }) => element.name === path[1]);
  const root = { ...metadata.schema[0]!, num_children: 1 };
  const schema = inner
    ? [root, { ...column.element, num_children: 1 }, inner.element]
    : [root, column.element];
  const wanted = path.join('\0');
  const whole = metadata.row_groups[group]!;
  const columns = whole.columns.filter(({ meta_data }) => meta_data?.path_in_schema.join('\0') === wanted);
  return {
    version: metadata.version,
    schema,
    num_rows: whole.num_rows,
    row_groups: [{ ...whole, columns }],
    metadata_length: metadata.metadata_length,
  };
}
