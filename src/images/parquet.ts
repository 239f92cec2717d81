/**
 * Parquet files with a column of encoded images as a source, as the Hugging Face hub has them. A row group is read
 * as a whole, in a process of its own, and its images are handed out from memory; a few groups are kept, since reads
 * ascend.
 */
import { open } from 'node:fs/promises';
import { type FileMetaData, parquetMetadataAsync } from 'hyparquet';
import { CritmapError, messageOf } from '../errors.js';
import { Budget } from './budget.js';
import { type ByteRange, fileRange } from './byte-range.js';
import { stampOf } from './cache/stamps.js';
import { decodeNamed, encodedChannels } from './encoded.js';
import { fileError, imageError } from './input-error.js';
import { MAX_LABEL } from './label-array.js';
import { ColumnReader } from './parquet-columns.js';
import { bufferOf } from './parquet-file.js';
import { findColumns, groupRows, onlyLeaf, type ParquetColumns } from './parquet-schema.js';
import { shardNames } from './shards.js';
import type { ImageSource } from './source.js';

/** Neighbours are wanted together, so that two groups serve them; each may take a gigabyte. */
const GROUPS_READ_AT_ONCE = 2;
const GROUPS_KEPT = 2;

interface Shard {
  /** What its images' names begin with. */
  name: string;
  range: ByteRange;
  reader: ColumnReader;
  stamp: string | null;
  metadata: FileMetaData;
  columns: ParquetColumns;
  /** First row of every row group, and the rows in all. */
  starts: number[];
  rows: number;
}

/**
 * @param files - in order
 * @param labels - the column of classes: `auto`, `none` or its name
 * @throws CritmapError ERR_IMAGES when a file is damaged or has no images
 */
export async function openParquet(
  source: string,
  files: readonly string[],
  channels: number,
  labels: string,
): Promise<ImageSource> {
  const wanted = encodedChannels(source, channels);
  const shards: Shard[] = [];
  const reader = new ColumnReader();
  const close = async () => reader.close();
  try {
    const names = shardNames(files);
    for (const [at, file] of files.entries()) shards.push(await openShard(file, names[at]!, labels, reader));
    return await assemble(source, shards, wanted, close);
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

async function openShard(path: string, name: string, labels: string, reader: ColumnReader): Promise<Shard> {
  const refuse = (thrown: unknown) => Promise.reject(fileError(path, thrown));
  const handle = await open(path, 'r').catch(refuse);
  try {
    const info = await handle.stat({ bigint: true }).catch(refuse);
    const range = fileRange(handle, path, 0, Number(info.size));
    const stamp = stampOf(info);
    const file = bufferOf(range);
    const metadata = await guarded(path, () => parquetMetadataAsync(file, { geoparquet: false }));
    const columns = await guarded(path, async () => findColumns(metadata, labels, path));
    const counts = groupRows(metadata, range.byteLength, path);
    const starts: number[] = [];
    let rows = 0;
    for (const count of counts) {
      starts.push(rows);
      rows += count;
    }
    return { name, range, reader, stamp, metadata, columns, starts, rows };
  } finally {
    await handle.close();
  }
}

/** What the library throws at a damaged file becomes one line with the file's name. */
async function guarded<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof CritmapError) throw thrown;
    // What the library stumbles over in its own objects says nothing about the file.
    const reason = thrown instanceof TypeError ? 'its structure is damaged' : messageOf(thrown);
    throw imageError(name, `is no readable Parquet file (${reason})`, 'copy it again', thrown);
  }
}

/** @param path - of a leaf: the column, and the field in it */
async function readColumn(
  { metadata: whole, range, reader }: Shard,
  path: readonly string[],
  rowStart: number,
  rowEnd: number,
): Promise<unknown[]> {
  return guarded(range.name, async () => {
    const metadata = onlyLeaf(whole, path);
    const values = await reader.read({ path: range.name, metadata, column: path[0]!, rowStart, rowEnd });
    if (values.length !== rowEnd - rowStart) {
      throw new RangeError(`${values.length} of ${rowEnd - rowStart} rows in the column ${path[0]}`);
    }
    return values;
  });
}

async function assemble(
  source: string,
  shards: readonly Shard[],
  channels: 1 | 3,
  close: () => Promise<void>,
): Promise<ImageSource> {
  const firsts: number[] = [];
  let total = 0;
  for (const { rows } of shards) {
    firsts.push(total);
    total += rows;
  }
  if (total === 0) throw imageError(source, 'has no rows', 'give a file with images');
  const locate = (index: number) => {
    let at = firsts.length - 1;
    while (firsts[at]! > index || shards[at]!.rows === 0) at--;
    return { shard: shards[at]!, row: index - firsts[at]! };
  };
  const nameOf = (index: number) => {
    const { shard, row } = locate(index);
    return `${shard.range.name} row ${row}`;
  };
  const groups = new GroupReader();
  return {
    kind: 'parquet',
    content: 'files',
    total,
    size: null,
    names: shards.flatMap(({ name, rows }) => Array.from({ length: rows }, (_, row) => `${name}/${row}`)),
    labels: await labelsOf(shards, total),
    classNames: shards[0]!.columns.classNames,
    layout: 'image files',
    nameOf,
    stamp: async (index) => {
      const { shard, row } = locate(index);
      return shard.stamp && `${shard.stamp}:${shard.columns.image}:${row}`;
    },
    raw: async (index) => {
      const { shard, row } = locate(index);
      const bytes = await groups.read(shard, row);
      if (bytes instanceof Uint8Array) return bytes;
      throw imageError(
        nameOf(index),
        'has no image bytes in it',
        'write the images themselves into the file',
      );
    },
    decode: (raw, index, fit) => decodeNamed(raw, channels, fit, nameOf(index)),
    close,
  };
}

async function labelsOf(shards: readonly Shard[], total: number): Promise<Int32Array | null> {
  const { label: expected, classNames } = shards[0]!.columns;
  const most = classNames ? classNames.length - 1 : MAX_LABEL;
  const labels = new Int32Array(total);
  let at = 0;
  for (const shard of shards) {
    const { label } = shard.columns;
    if (label !== expected) {
      const problem = `classes are in the column ${label}, elsewhere in ${expected}`;
      throw imageError(shard.range.name, problem, 'give files that have the same columns');
    }
    if (label === null) continue;
    for (const [row, value] of (await readColumn(shard, [label], 0, shard.rows)).entries()) {
      const number = typeof value === 'bigint' ? Number(value) : value;
      if (!(typeof number === 'number' && number >= 0 && number <= most)) {
        const named = classNames ? `, and there are names for ${classNames.length} classes` : '';
        const problem = `the column ${label} has ${String(value)} at row ${row}${named}`;
        throw imageError(shard.range.name, problem, 'give --labels FILE, or --labels none');
      }
      labels[at++] = number;
    }
  }
  return expected === null ? null : labels;
}

/** Whole row groups, the last few in memory. */
class GroupReader {
  readonly #groups = new Map<string, Promise<unknown[]>>();
  /** Those of them that have been read, in that order. */
  readonly #kept: string[] = [];
  readonly #reading = new Budget(GROUPS_READ_AT_ONCE);

  /** A copy of a row's value, which does not keep its group in memory. */
  async read(shard: Shard, row: number): Promise<unknown> {
    const { starts, rows, columns, range } = shard;
    let group = starts.length - 1;
    while (starts[group]! > row) group--;
    const start = starts[group]!;
    const key = `${group} ${range.name}`;
    let values = this.#groups.get(key);
    if (!values) {
      const path = columns.nested ? ([columns.image, 'bytes'] as const) : ([columns.image] as const);
      values = this.#reading.run(1, () => readColumn(shard, path, start, starts[group + 1] ?? rows));
      this.#groups.set(key, values);
      values.then(
        () => this.#keep(key),
        // A failure belongs to who awaits it, and is not kept.
        () => this.#groups.delete(key),
      );
    }
    const value = (await values)[row - start];
    const bytes = columns.nested ? (value as { bytes?: unknown } | null)?.bytes : value;
    return bytes instanceof Uint8Array ? new Uint8Array(bytes) : bytes;
  }

  #keep(key: string): void {
    this.#kept.push(key);
    if (this.#kept.length > GROUPS_KEPT) this.#groups.delete(this.#kept.shift()!);
  }
}
