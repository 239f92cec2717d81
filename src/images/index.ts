/**
 * Images for a model: `openImages` turns a folder, tar shards, Parquet files, a .npy or .npz file or `synthetic:N`
 * into a reproducible sample that is read as normalised float32 batches.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf, oneLine } from '../errors.js';
import { defaultCacheDirectory } from '../files/cache-directory.js';
import { type OptionKinds, refuseMisuse } from '../options.js';
import { type ImageCache, openImageCache } from './cache/index.js';
import { badImagesError, checkImages } from './check.js';
import { Crops } from './crops.js';
import { enlargedWarning } from './enlarged.js';
import { type ImageSet, SampledImages } from './image-set.js';
import { fileError, imageError, optionError } from './input-error.js';
import { COLUMN } from './labels/option.js';
import { checkOptions, DEFAULT_IMAGES, type ImageOptions } from './options.js';
import { fitOf, pipelineMark } from './pipeline.js';
import { sampleIndices } from './sample.js';
import { labelSample } from './sample-labels.js';
import { isArrayPath, openArray } from './sources/array.js';
import { openFolder } from './sources/folder.js';
import { holdsImages, IMAGE_EXTENSIONS } from './sources/folder-listing.js';
import { isPattern, type Shards, shardsIn, shardsOf } from './sources/shards.js';
import type { ImageSource } from './sources/source.js';
import { isSynthetic, openSynthetic } from './sources/synthetic.js';
import { type ImageTransform, planTransform } from './transform.js';

export { parseCacheSize } from './cache/index.js';
export type { ImageSet, SkippedImage } from './image-set.js';
export type { ImageOptions, Normalization, Resizing } from './options.js';
export type { InputShape } from './pixels/pixels.js';
export { shuffled } from './shuffled.js';
export type { ImageTransform } from './transform.js';

/** The sampler holds two doubles per image of the source. */
const MAX_TOTAL = 100_000_000;

const known = {
  ...{
    shape: null,
    images: null,
    dataSeed: null,
    normalization: null,
    resizing: null,
    mean: null,
    std: null,
  },
  ...{ anySize: 'boolean', takesPixels: 'boolean', resize: null, interpolation: null, crop: null },
  ...{ labels: 'text', labelColumns: null, classes: null, skipBadImages: 'boolean' },
  ...{ cache: 'path', cacheBytes: null, onProgress: 'function', onWarning: 'function', signal: 'signal' },
} as const satisfies OptionKinds<ImageOptions>;

/**
 * Opens a source of images and draws the sample.
 * @param source - a folder (class subfolders give labels), .tar files as webdataset writes them or .parquet files
 *   with a column of images (one, a pattern such as `shard-{000..009}.tar`, or a folder of them), a .npy file or an .npz file with `images` and
 *   optionally `labels` (uint8 N x H x W [x C], or float32 N x C x H x W taken as they are), or `synthetic:N`
 * @returns the sample; to be closed by the caller
 * @throws CritmapError ERR_IMAGES when images or labels are missing, damaged or do not fit the model,
 *   ERR_OPTION when an option makes no sense with them; TypeError for misuse
 */
export async function openImages(source: string, options: ImageOptions): Promise<ImageSet> {
  if (typeof source !== 'string' || source === '') throw new TypeError('source must be a non-empty string');
  refuseMisuse('openImages', options, known);
  checkOptions(options);
  const { images = DEFAULT_IMAGES, dataSeed = 0, signal, onProgress } = options;
  const warnings: string[] = [];
  const warn = (message: string) => {
    // Names of files and classes are in it.
    const line = oneLine(message);
    warnings.push(line);
    options.onWarning?.(line);
  };
  const opened = await openSource(source, options);
  let owned: { close(): Promise<void> } = opened;
  try {
    for (const warning of opened.warnings ?? []) warn(warning);
    const { total } = opened;
    if (total > MAX_TOTAL) throw imageError(source, `holds ${total} images`, `give at most ${MAX_TOTAL}`);
    // The default is no number that was asked for.
    if (images !== 'all' && images !== DEFAULT_IMAGES && images > total) {
      warn(`${source} has ${total} images, fewer than the ${images} that were asked for; all are taken`);
    }
    const shape = shapeOf(opened, options);
    const transform = planTransform(opened, source, { ...options, shape });
    const drawn = sampleIndices(total, images === 'all' ? total : images, dataSeed);
    const { labels, classNames, understood } = await labelSample(opened, source, options, drawn, warn);
    const cache =
      opened.content === 'files' ? await openCache(source, { ...options, shape }, transform, warn) : null;
    const crops = new Crops(opened, shape, fitOf(transform, shape), cache);
    owned = crops;
    const common = {
      name: source,
      crops,
      classNames,
      understood,
      labelsAreOff: options.labels === 'none',
      shape,
      transform,
      dataSeed,
      warnings,
      onProgress,
    };
    const noticed = async (set: ImageSet) => {
      // Who asks for a size knows.
      const { resize } = transform.kind === 'pixels' && options.resize === undefined ? transform : {};
      const warning =
        opened.content === 'files' && typeof resize === 'number' && (await enlargedWarning(set, resize));
      if (warning) warn(warning);
      return set;
    };
    if (!options.skipBadImages) {
      return await noticed(new SampledImages({ ...common, indices: drawn, labels, bad: [], digests: null }));
    }
    const { digests, bad } = await checkImages(crops, drawn, { signal, onProgress });
    if (bad.length === drawn.length) throw badImagesError(source, bad, drawn.length);
    if (bad.length > 0) {
      const lists = `critmap inspect --data ${source} lists them`;
      warn(
        `${source}: ${bad.length} of ${drawn.length} images are left out, since they cannot be used; ${lists}`,
      );
    }
    const isBad = new Set(bad.map(({ index }) => index));
    const good = [...drawn.keys()].filter((at) => !isBad.has(drawn[at]!));
    const kept = new SampledImages({
      ...common,
      indices: Uint32Array.from(good, (at) => drawn[at]!),
      labels: labels && Int32Array.from(good, (at) => labels[at]!),
      digests: Buffer.concat(good.map((at) => digests.subarray(at * 32, at * 32 + 32))),
      bad,
    });
    return await noticed(kept);
  } catch (thrown) {
    await owned.close();
    throw thrown;
  }
}

/** What the model gets: of a model that takes any size, an array's images in theirs. */
function shapeOf(
  { kind, size }: ImageSource,
  { shape, anySize, resize, crop }: ImageOptions,
): ImageOptions['shape'] {
  const isOwn = anySize && kind === 'array' && resize === undefined && crop === undefined;
  return isOwn && size ? { ...shape, ...size } : shape;
}

async function openCache(
  source: string,
  { cache, cacheBytes, shape }: ImageOptions,
  transform: ImageTransform,
  onWarning: (message: string) => void,
): Promise<ImageCache | null> {
  if (cache === undefined || transform.kind !== 'pixels') return null;
  const open = async (directory: string) =>
    openImageCache({
      directory,
      limitBytes: cacheBytes,
      source,
      transform: await pipelineMark(transform, shape),
      recordBytes: shape.channels * shape.height * shape.width,
      onWarning,
    });
  if (cache !== 'auto') return open(cache);
  return open(defaultCacheDirectory()).catch((error) => {
    onWarning(messageOf(error));
    return null;
  });
}

async function openSource(source: string, options: ImageOptions): Promise<ImageSource> {
  const { shape, labels } = options;
  if (isSynthetic(source)) {
    refuseFolderLabels(source, labels);
    return openSynthetic(source, shape);
  }
  const info = await stat(source).catch((thrown: unknown) => thrown as Error);
  if (info instanceof Error) {
    const shards = isPattern(source) ? await shardsOf(source) : null;
    if (!shards) throw notFound(source, info);
    return openShards(source, shards, options);
  }
  if (info.isDirectory()) {
    const shards = await shardsIn(source);
    if (shards && !(await holdsImages(source))) return openShards(source, shards, options);
    refuseColumn(source, labels);
    const use = labels === undefined ? 'if-any' : labels === 'folder' ? 'classes' : 'ignore';
    return openFolder(source, shape.channels, use);
  }
  if (info.isFile() && isArrayPath(source)) {
    refuseFolderLabels(source, labels);
    refuseColumn(source, labels);
    return openArray(source, shape, { labels: labels === undefined, anySize: options.anySize ?? false });
  }
  const shards = info.isFile() ? await shardsOf(source) : null;
  if (shards) return openShards(source, shards, options);
  const isImage = IMAGE_EXTENSIONS.some((extension) => source.toLowerCase().endsWith(extension));
  throw imageError(
    source,
    isImage ? 'is a single image' : 'is no kind of file that images are read from',
    isImage ? 'give the folder it is in' : GIVE,
  );
}

const GIVE = 'give a folder, .tar or .parquet files, a .npy or .npz file, or synthetic:N';

async function openShards(
  source: string,
  { kind, files }: Shards,
  { shape: { channels }, labels, classes, skipBadImages, signal }: ImageOptions,
): Promise<ImageSource> {
  refuseFolderLabels(source, labels);
  if (kind === 'tar') {
    refuseColumn(source, labels);
    const { openTar } = await import('./sources/tar.js');
    return openTar(source, files, channels, {
      withLabels: labels === undefined,
      acceptCut: skipBadImages ?? false,
    });
  }
  const { openParquet } = await import('./parquet/source.js');
  const column = labels?.startsWith(COLUMN) ? labels.slice(COLUMN.length) : null;
  return openParquet(
    source,
    files,
    channels,
    { labels: column ?? (labels === undefined ? 'auto' : 'none'), outputs: classes },
    signal,
  );
}

function refuseColumn(source: string, labels: string | undefined): void {
  if (labels?.startsWith(COLUMN)) {
    throw optionError(`--labels ${labels} does not go with ${source}, which is not a Parquet file`);
  }
}

function refuseFolderLabels(source: string, labels: string | undefined): void {
  if (labels === 'folder')
    throw optionError(`--labels folder does not go with ${source}, which has no folders`);
}

function notFound(source: string, thrown: unknown): Error {
  if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') return fileError(source, thrown);
  return imageError(source, `does not exist (looked for ${resolve(source)})`, GIVE);
}
