/**
 * Tar shards as webdataset writes them, and tar files of a folder. Images are read where they lie. A shard that is cut
 * off is never taken for a smaller one. Owns the files until `close`.
 */
import type { FileHandle } from 'node:fs/promises';
import { forEachBounded } from '../../concurrency.js';
import { openRegular } from '../../files/regular-file.js';
import { stampOf } from '../cache/stamps.js';
import { fileError, imageError } from '../input-error.js';
import { type ByteRange, fileRange } from './byte-range.js';
import { decodeNamed, encodedChannels } from './encoded.js';
import { READ_EXTENSIONS } from './folder-listing.js';
import { shardIndex } from './shard-index.js';
import { shardNames } from './shards.js';
import type { ImageSource } from './source.js';
import { indexTar, type TarMember } from './tar-index.js';
import { labelOfText } from './tar-labels.js';
import { isLabel, type TarImage, TarSamples } from './tar-samples.js';

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
  images: readonly TarImage[];
  /** Per image; null where it has none, or is a bad image. */
  labels: readonly (number | null)[];
  isCut: boolean;
  warnings: readonly string[];
}

export interface TarOptions {
  /** Whether to look for classes; then all images have one or none has. */
  readonly withLabels: boolean;
  /** Whether to take what there is of a shard that is cut off, with a warning. */
  readonly acceptCut: boolean;
}

/**
 * @param files - the shards, in order
 * @throws CritmapError ERR_IMAGES when a shard is damaged or cut off, or none has images
 */
export async function openTar(
  source: string,
  files: readonly string[],
  channels: number,
  options: TarOptions,
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
      shards[at] = await openShard(files[at]!, names[at]!, options);
    });
    return assemble(source, shards, wanted, options, close);
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

async function openShard(path: string, name: string, options: TarOptions): Promise<Shard> {
  const refuse = (thrown: unknown) => Promise.reject(fileError(path, thrown));
  const handle = await openRegular(path).catch(refuse);
  try {
    const info = await handle.stat({ bigint: true }).catch(refuse);
    const range = fileRange(handle, path, 0, Number(info.size));
    return { name, range, handle, stamp: stampOf(info), ...(await indexShard(range, options)) };
  } catch (thrown) {
    await handle.close();
    throw thrown;
  }
}

async function indexShard(range: ByteRange, { withLabels, acceptCut }: TarOptions) {
  const samples = new TarSamples();
  const cut = await indexTar(range, isLabel, (member) => samples.add(member));
  if (cut !== null && !acceptCut) {
    throw imageError(
      range.name,
      cut,
      'copy it again, or give --skip-bad-images to use the images that are left',
    );
  }
  const { images, remarks } = samples.settle();
  const labels: (number | null)[] = [];
  for (const { label, problem } of images) {
    labels.push(withLabels && label && problem === null ? await readLabel(range, label) : null);
  }
  const all =
    cut === null ? remarks : [`${cut}; with --skip-bad-images the images that are left are used`, ...remarks];
  return { images, labels, isCut: cut !== null, warnings: all.map((remark) => `${range.name}: ${remark}`) };
}

/** The class of the last image may have been behind the cut. */
function withoutLostLabel(shard: Shard): Shard {
  const { images, labels, isCut } = shard;
  const last = images.at(-1);
  if (!isCut || !last || last.problem !== null || labels.at(-1) !== null) return shard;
  const problem = 'has lost its class, which was behind the cut';
  return { ...shard, images: [...images.slice(0, -1), { ...last, problem }] };
}

async function readLabel(range: ByteRange, { path, position, byteLength, content }: TarMember) {
  const name = `${range.name} (${path})`;
  if (byteLength > MOST_LABEL_BYTES) {
    throw imageError(name, `is ${byteLength} bytes, too large for a label`, 'mend it, or give --labels none');
  }
  const bytes = content ?? (await range.read(position, byteLength));
  return labelOfText(bytes.toString('utf8'), path.toLowerCase().endsWith('.json'), name);
}

function assemble(
  source: string,
  opened: readonly Shard[],
  channels: 1 | 3,
  { withLabels }: TarOptions,
  close: () => Promise<void>,
): ImageSource {
  const isLabelled = opened.some(({ labels }) => labels.some((label) => label !== null));
  const shards = isLabelled ? opened.map(withoutLostLabel) : opened;
  const { total, locate } = shardIndex(shards, ({ images }) => images.length);
  if (total === 0) {
    throw imageError(source, 'no images in it', `give tar files with ${READ_EXTENSIONS.join(' ')} files`);
  }
  const nameOf = (index: number) => {
    const { shard, at } = locate(index);
    return `${shard.range.name} (${shard.images[at]!.path})`;
  };
  return {
    kind: 'tar',
    content: 'files',
    total,
    size: null,
    names: shards.flatMap(({ name, images }) => images.map(({ path }) => `${name}/${path}`)),
    labels: withLabels ? labelsOf(source, shards, total) : null,
    classNames: null,
    layout: 'image files',
    warnings: shards.flatMap(({ warnings }) => warnings),
    nameOf,
    stamp: async (index) => {
      const { shard, at } = locate(index);
      const { position, byteLength, problem } = shard.images[at]!;
      return problem === null ? shard.stamp && `${shard.stamp}:${position}:${byteLength}` : null;
    },
    raw: async (index) => {
      const { shard, at } = locate(index);
      const { position, byteLength, problem } = shard.images[at]!;
      if (problem !== null) {
        throw imageError(nameOf(index), problem, 'take it out or give --skip-bad-images');
      }
      if (byteLength > MOST_IMAGE_BYTES) {
        throw imageError(
          nameOf(index),
          `is ${byteLength} bytes, too large for an image`,
          'take it out or give --skip-bad-images',
        );
      }
      return shard.range.read(position, byteLength);
    },
    decode: (raw, index, fit) => decodeNamed(raw, channels, fit, nameOf(index)),
    close,
  };
}

function labelsOf(source: string, shards: readonly Shard[], total: number): Int32Array | null {
  const labels = new Int32Array(total);
  let [given, missing, at] = [0, 0, 0];
  let without = '';
  for (const shard of shards) {
    for (const [position, { path, problem }] of shard.images.entries()) {
      const label = shard.labels[position] ?? null;
      if (label !== null) given++;
      else if (problem === null) {
        missing++;
        without ||= `${shard.name}/${path}`;
      }
      labels[at++] = label ?? 0;
    }
  }
  if (given === 0) return null;
  if (missing === 0) return labels;
  throw imageError(
    source,
    `${missing} of ${total} images have no class (${without})`,
    'add a .cls file to each, or go without accuracy by --labels none',
  );
}
