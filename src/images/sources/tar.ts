/**
 * Tar shards as webdataset writes them: files of one sample share the path up to the first dot of the name, and stand
 * next to each other. `key.jpg` is the image; `key.cls` or `key.json` has its class. Images are read where they lie.
 * Owns the files until `close`.
 */
import type { FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { forEachBounded } from '../../concurrency.js';
import { openRegular } from '../../files/regular-file.js';
import { stampOf } from '../cache/stamps.js';
import { fileError, imageError } from '../input-error.js';
import { type ByteRange, fileRange } from './byte-range.js';
import { decodeNamed, encodedChannels } from './encoded.js';
import { IMAGE_EXTENSIONS, READ_EXTENSIONS } from './folder-listing.js';
import { shardIndex } from './shard-index.js';
import { shardNames } from './shards.js';
import type { ImageSource } from './source.js';
import { indexTar, type TarMember } from './tar-index.js';
import { labelOfText } from './tar-labels.js';

const SHARDS_AT_ONCE = 8;
/** Each stays open; a shard is hundreds of megabytes, so this is more than a disk holds. */
const MOST_SHARDS = 10_000;
const MOST_LABEL_BYTES = 2 ** 20;
/** It is read as a whole, and a sparse file may declare any size. */
const MOST_IMAGE_BYTES = 2 ** 30;

interface Shard {
  name: string;
  range: ByteRange;
  stamp: string | null;
  handle: FileHandle;
  paths: string[];
  positions: number[];
  lengths: number[];
  /** Per image; null where it has none. */
  labels: (number | null)[];
}

/**
 * @param files - the shards, in order
 * @param withLabels - whether to look for classes; then all images have one or none has
 * @throws CritmapError ERR_IMAGES when a shard is damaged, or has no images
 */
export async function openTar(
  source: string,
  files: readonly string[],
  channels: number,
  withLabels: boolean,
): Promise<ImageSource> {
  const wanted = encodedChannels(source, channels);
  if (files.length > MOST_SHARDS) throw imageError(source, `${files.length} shards`, `give ${MOST_SHARDS}`);
  const names = shardNames(files);
  const shards = new Array<Shard>(files.length);
  const close = async () => {
    for (const shard of shards) await shard?.handle.close();
  };
  try {
    await forEachBounded(0, files.length, SHARDS_AT_ONCE, async (at) => {
      shards[at] = await openShard(files[at]!, names[at]!, withLabels);
    });
    return assemble(source, shards, wanted, withLabels, close);
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

async function openShard(path: string, name: string, withLabels: boolean): Promise<Shard> {
  const refuse = (thrown: unknown) => Promise.reject(fileError(path, thrown));
  const handle = await openRegular(path).catch(refuse);
  try {
    const info = await handle.stat({ bigint: true }).catch(refuse);
    const range = fileRange(handle, path, 0, Number(info.size));
    const stamp = stampOf(info);
    const shard: Shard = {
      name,
      range,
      stamp,
      handle,
      paths: [],
      positions: [],
      lengths: [],
      labels: [],
    };
    await indexShard(shard, withLabels);
    return shard;
  } catch (thrown) {
    await handle.close();
    throw thrown;
  }
}

async function indexShard(shard: Shard, withLabels: boolean): Promise<void> {
  const { range, paths, positions, lengths, labels } = shard;
  const imageOf = new Map<string, number>();
  const labelled = new Map<string, TarMember>();
  await indexTar(range, isLabel, (member) => {
    const { key, ending } = split(member.path);
    if (ending === '' || basename(key).startsWith('.')) return;
    if (withLabels && isLabel(member.path)) {
      // .cls says it in so many words; .json may.
      if (ending === '.cls' || !labelled.has(key)) labelled.set(key, member);
    } else if (IMAGE_EXTENSIONS.includes(ending)) {
      if (imageOf.has(key)) {
        const problem = `has two images of the sample ${key} (${paths[imageOf.get(key)!]}, ${member.path})`;
        throw imageError(range.name, problem, 'keep one image a sample');
      }
      imageOf.set(key, paths.length);
      paths.push(member.path);
      positions.push(member.position);
      lengths.push(member.byteLength);
      labels.push(null);
    }
  });
  for (const [key, member] of labelled) {
    const at = imageOf.get(key);
    if (at !== undefined) labels[at] = await readLabel(range, member);
  }
}

async function readLabel(range: ByteRange, { path, position, byteLength, content }: TarMember) {
  const name = `${range.name} (${path})`;
  if (byteLength > MOST_LABEL_BYTES) {
    throw imageError(name, `is ${byteLength} bytes, too large for a label`, 'mend it, or give --labels none');
  }
  const bytes = content ?? (await range.read(position, byteLength));
  return labelOfText(bytes.toString('utf8'), path.toLowerCase().endsWith('.json'), name);
}

/** webdataset's own rule: the key ends at the first dot of the file's name. */
function split(path: string): { key: string; ending: string } {
  const dot = path.indexOf('.', path.lastIndexOf('/') + 2);
  return dot === -1
    ? { key: path, ending: '' }
    : { key: path.slice(0, dot), ending: path.slice(dot).toLowerCase() };
}

function isLabel(path: string): boolean {
  return /\.(?:cls|json)$/.test(split(path).ending) && !/\..*\./.test(split(path).ending);
}

function assemble(
  source: string,
  shards: readonly Shard[],
  channels: 1 | 3,
  withLabels: boolean,
  close: () => Promise<void>,
): ImageSource {
  const { total, locate } = shardIndex(shards, ({ paths }) => paths.length);
  if (total === 0) {
    throw imageError(source, 'no images in it', `give tar files with ${READ_EXTENSIONS.join(' ')} files`);
  }
  const nameOf = (index: number) => {
    const { shard, at } = locate(index);
    return `${shard.range.name} (${shard.paths[at]})`;
  };
  return {
    kind: 'tar',
    content: 'files',
    total,
    size: null,
    names: shards.flatMap(({ name, paths }) => paths.map((path) => `${name}/${path}`)),
    labels: withLabels ? labelsOf(source, shards, total) : null,
    classNames: null,
    layout: 'image files',
    nameOf,
    stamp: async (index) => {
      const { shard, at } = locate(index);
      return shard.stamp && `${shard.stamp}:${shard.positions[at]}:${shard.lengths[at]}`;
    },
    raw: async (index) => {
      const { shard, at } = locate(index);
      const byteLength = shard.lengths[at]!;
      if (byteLength > MOST_IMAGE_BYTES) {
        throw imageError(
          nameOf(index),
          `is ${byteLength} bytes, too large for an image`,
          'take it out or give --skip-bad-images',
        );
      }
      return shard.range.read(shard.positions[at]!, byteLength);
    },
    decode: (raw, index, fit) => decodeNamed(raw, channels, fit, nameOf(index)),
    close,
  };
}

function labelsOf(source: string, shards: readonly Shard[], total: number): Int32Array | null {
  const labels = new Int32Array(total);
  let given = 0;
  let at = 0;
  let without = '';
  for (const shard of shards) {
    for (const [position, label] of shard.labels.entries()) {
      if (label === null) without ||= `${shard.name}/${shard.paths[position]}`;
      else given++;
      labels[at++] = label ?? 0;
    }
  }
  if (given === 0) return null;
  if (given === total) return labels;
  throw imageError(
    source,
    `${total - given} of ${total} images have no class (${without})`,
    'add a .cls file to each, or go without accuracy by --labels none',
  );
}
