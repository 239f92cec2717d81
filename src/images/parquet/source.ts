/**
 * Parquet files with a column of encoded images as a source, as the Hugging Face hub has them. A row group is read
 * as a whole, by another process, and its images are handed out from memory; a few groups are kept, since reads ascend.
 */
import { stat } from 'node:fs/promises';
import type { FileMetaData } from 'hyparquet';
import { untilAborted } from '../../concurrency.js';
import { CritmapError, messageOf } from '../../errors.js';
import { isTheMachines } from '../../files/problems.js';
import { stampOf } from '../cache/stamps.js';
import { fileError, ImageError, imageError } from '../input-error.js';
import { decodeNamed, encodedChannels } from '../sources/encoded.js';
import { shardIndex } from '../sources/shard-index.js';
import { shardNames } from '../sources/shards.js';
import type { ImageSource } from '../sources/source.js';
import { readLabels } from './labels.js';
import { parquetProcess } from './process.js';
import { findColumns, groupRows, onlyLeaf, type ParquetColumns } from './schema.js';

/** Neighbours are wanted together, so that two groups serve them; each may take a gigabyte. */
const GROUPS_KEPT = 2;

interface Shard {
  path: string;
  /** What its images' names begin with. */
  name: string;
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
 * @param outputs - of the model, if that is known
 * @param signal - ends opening at once
 * @throws the signal's reason; CritmapError ERR_IMAGES when a file is damaged or has no images
 */
export async function openParquet(
  source: string,
  files: readonly string[],
  channels: number,
  { labels, outputs }: { labels: string; outputs: number | undefined },
  signal: AbortSignal | undefined,
): Promise<ImageSource> {
  const wanted = encodedChannels(source, channels);
  const names = shardNames(files);
  const shards: Shard[] = [];
  for (const [at, file] of files.entries()) shards.push(await openShard(file, names[at]!, labels, signal));
  return assemble(source, shards, wanted, outputs, signal);
}

async function openShard(
  path: string,
  name: string,
  labels: string,
  signal: AbortSignal | undefined,
): Promise<Shard> {
  const info = await stat(path, { bigint: true }).catch((thrown) => Promise.reject(fileError(path, thrown)));
  const metadata = await guarded(path, () => parquetProcess.footer(path, signal), signal);
  const columns = await guarded(path, async () => findColumns(metadata, labels, path));
  const starts: number[] = [];
  let rows = 0;
  for (const count of groupRows(metadata, Number(info.size), path)) {
    starts.push(rows);
    rows += count;
  }
  return { path, name, stamp: stampOf(info), metadata, columns, starts, rows };
}

/** What the library throws at a damaged file becomes one line with the file's name. */
async function guarded<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    signal?.throwIfAborted();
    if (thrown instanceof CritmapError) throw thrown;
    // What the library stumbles over in its own objects says nothing about the file.
    const reason = thrown instanceof TypeError ? 'its structure is damaged' : messageOf(thrown);
    throw imageError(name, `is no readable Parquet file (${reason})`, 'copy it again', thrown);
  }
}

/**
 * A row group's values.
 * @param leaf - the column, and the field in it
 */
async function readColumn(
  { path, metadata, starts, rows }: Shard,
  leaf: readonly string[],
  group: number,
  signal: AbortSignal | undefined,
): Promise<unknown[]> {
  const wanted = (starts[group + 1] ?? rows) - starts[group]!;
  if (wanted === 0) return [];
  const read = async () => {
    const values = await parquetProcess.column(path, onlyLeaf(metadata, leaf, group), signal);
    if (values.length !== wanted) {
      throw new RangeError(`${values.length} of ${wanted} rows in the column ${leaf[0]}`);
    }
    return values;
  };
  return guarded(path, read, signal);
}

async function assemble(
  source: string,
  shards: readonly Shard[],
  channels: 1 | 3,
  outputs: number | undefined,
  signal: AbortSignal | undefined,
): Promise<ImageSource> {
  const { total, locate } = shardIndex(shards, ({ rows }) => rows);
  if (total === 0) throw imageError(source, 'has no rows', 'give a file with images');
  const nameOf = (index: number) => {
    const { shard, at: row } = locate(index);
    return `${shard.path} row ${row}`;
  };
  const read = (shard: Shard, column: string, group: number) => readColumn(shard, [column], group, signal);
  const { labels, classNames } = await readLabels(shards, read, outputs);
  const groups = new GroupReader();
  return {
    kind: 'parquet',
    content: 'files',
    total,
    size: null,
    names: shards.flatMap(({ name, rows }) => Array.from({ length: rows }, (_, row) => `${name}/${row}`)),
    labels,
    classNames,
    layout: 'image files',
    nameOf,
    stamp: async (index) => {
      const { shard, at: row } = locate(index);
      return shard.stamp && `${shard.stamp}:${shard.columns.image}:${row}`;
    },
    raw: async (index, signal) => {
      const { shard, at: row } = locate(index);
      const bytes = await groups.read(shard, row, signal);
      if (bytes instanceof Uint8Array) return bytes;
      throw imageError(
        nameOf(index),
        'has no image bytes in it',
        'write the images themselves into the file',
      );
    },
    decode: (raw, index, fit) => decodeNamed(raw, channels, fit, nameOf(index)),
    close: async () => groups.stop(),
  };
}

interface Group {
  values: Promise<unknown[]>;
  stop: AbortController;
  /** How many have asked for a row and have none yet. */
  waiting: number;
}

/** Whole row groups, the last few in memory. One that nobody waits for any more is not read to its end. */
class GroupReader {
  readonly #groups = new Map<string, Group>();
  /** Those of them that have been read, in that order. */
  readonly #kept: string[] = [];

  /**
   * A copy of a row's value, which does not keep its group in memory.
   * @throws the signal's reason at once
   */
  async read(shard: Shard, row: number, signal: AbortSignal | undefined): Promise<unknown> {
    signal?.throwIfAborted();
    const { path, starts, columns } = shard;
    const at = starts.findLastIndex((start) => start <= row);
    const key = `${at} ${path}`;
    const group = this.#groups.get(key) ?? this.#start(key, shard, at);
    group.waiting++;
    try {
      const value = (await untilAborted(group.values, signal))[row - starts[at]!];
      const bytes = columns.nested ? (value as { bytes?: unknown } | null)?.bytes : value;
      return bytes instanceof Uint8Array ? new Uint8Array(bytes) : bytes;
    } finally {
      if (--group.waiting === 0 && signal?.aborted) this.#drop(key, group);
    }
  }

  /** Rejects all reads. */
  stop(): void {
    for (const [key, group] of this.#groups) this.#drop(key, group);
  }

  #start(key: string, shard: Shard, at: number): Group {
    const { image, nested } = shard.columns;
    const stop = new AbortController();
    const values = readColumn(shard, nested ? [image, 'bytes'] : [image], at, stop.signal);
    const group = { values, stop, waiting: 0 };
    this.#groups.set(key, group);
    values.then(
      () => this.#keep(key),
      (thrown: unknown) => {
        // What is wrong with a group is wrong for all its rows, and finding it out may take long.
        const ofTheGroup = thrown instanceof ImageError && !isTheMachines(thrown.cause);
        if (!ofTheGroup && this.#groups.get(key) === group) this.#groups.delete(key);
      },
    );
    return group;
  }

  #drop(key: string, group: Group): void {
    this.#groups.delete(key);
    group.stop.abort();
  }

  #keep(key: string): void {
    this.#kept.push(key);
    if (this.#kept.length > GROUPS_KEPT) this.#groups.delete(this.#kept.shift()!);
  }
}
