/**
 * Images for a model: `openImages` turns a folder, a .npy or .npz file or `synthetic:N` into a
 * reproducible sample that is read as normalised float32 batches.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf } from '../errors.js';
import { isArrayPath, openArray } from './array.js';
import { defaultCacheDirectory, type ImageCache, openImageCache } from './cache/index.js';
import { badImagesError, checkImages } from './check.js';
import { Crops } from './crops.js';
import { openFolder } from './folder.js';
import { IMAGE_EXTENSIONS } from './folder-listing.js';
import { type ImageSet, SampledImages } from './image-set.js';
import { fileError, imageError, optionError } from './input-error.js';
import { checkOptions, type ImageOptions } from './options.js';
import { fitOf, pipelineMark } from './pipeline.js';
import { sampleIndices } from './sample.js';
import { labelSample } from './sample-labels.js';
import type { ImageSource } from './source.js';
import { isSynthetic, openSynthetic } from './synthetic.js';
import { type ImageTransform, planTransform } from './transform.js';

export { defaultCacheDirectory, parseCacheSize } from './cache/index.js';
export type { ImageSet, SkippedImage } from './image-set.js';
export type { ImageOptions, Normalization } from './options.js';
export type { InputShape } from './source.js';
export type { ImageTransform } from './transform.js';

const DEFAULT_IMAGES = 1000;
/** The sampler holds two doubles per image of the source. */
const MAX_TOTAL = 100_000_000;

/**
 * Opens a source of images and draws the sample.
 * @param source - a folder (class subfolders give labels), a .npy file or an .npz file with `images` and
 *   optionally `labels` (uint8 N x H x W [x C], or float32 N x C x H x W taken as they are), or `synthetic:N`
 * @returns the sample; to be closed by the caller
 * @throws CritmapError ERR_IMAGES when images or labels are missing, damaged or do not fit the model,
 *   ERR_OPTION when an option makes no sense with them
 */
export async function openImages(source: string, options: ImageOptions): Promise<ImageSet> {
  if (typeof source !== 'string' || source === '') throw new TypeError('source must be a non-empty string');
  checkOptions(options);
  const { shape, images = DEFAULT_IMAGES, dataSeed = 0, signal, onProgress } = options;
  const warnings: string[] = [];
  const warn = (message: string) => {
    warnings.push(message);
    options.onWarning?.(message);
  };
  const opened = await openSource(source, options);
  let owned: { close(): Promise<void> } = opened;
  try {
    const { total } = opened;
    if (total > MAX_TOTAL) throw imageError(source, `holds ${total} images`, `give at most ${MAX_TOTAL}`);
    const transform = planTransform(opened, source, options);
    const drawn = sampleIndices(total, images === 'all' ? total : images, dataSeed);
    const { labels, classNames } = await labelSample(opened, source, options, drawn, warn);
    const cache = opened.content === 'files' ? await openCache(source, options, transform, warn) : null;
    const crops = new Crops(opened, shape, fitOf(transform, shape), cache);
    owned = crops;
    const common = { name: source, crops, classNames, shape, transform, dataSeed, warnings, onProgress };
    if (!options.skipBadImages) {
      return new SampledImages({ ...common, indices: drawn, labels, bad: [], digests: null });
    }
    const { digests, bad } = await checkImages(crops, drawn, { signal, onProgress });
    if (bad.length === drawn.length) throw badImagesError(source, bad, drawn.length);
    if (bad.length > 0) warn(`${source}: ${bad.length} of ${drawn.length} images are left out, see skipped`);
    const isBad = new Set(bad.map(({ index }) => index));
    const good = [...drawn.keys()].filter((at) => !isBad.has(drawn[at]!));
    return new SampledImages({
      ...common,
      indices: Uint32Array.from(good, (at) => drawn[at]!),
      labels: labels && Int32Array.from(good, (at) => labels[at]!),
      digests: Buffer.concat(good.map((at) => digests.subarray(at * 32, at * 32 + 32))),
      bad,
    });
  } catch (thrown) {
    await owned.close();
    throw thrown;
  }
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

async function openSource(source: string, { shape, labels }: ImageOptions): Promise<ImageSource> {
  if (isSynthetic(source)) {
    refuseFolderLabels(source, labels);
    return openSynthetic(source, shape);
  }
  const info = await stat(source).catch((thrown: unknown) => Promise.reject(notFound(source, thrown)));
  if (info.isDirectory()) {
    const use = labels === undefined ? 'if-any' : labels === 'folder' ? 'classes' : 'ignore';
    return openFolder(source, shape.channels, use);
  }
  if (info.isFile() && isArrayPath(source)) {
    refuseFolderLabels(source, labels);
    return openArray(source, shape, labels === undefined);
  }
  const isImage = IMAGE_EXTENSIONS.some((extension) => source.toLowerCase().endsWith(extension));
  throw imageError(
    source,
    isImage ? 'is a single image' : 'is no kind of file that images are read from',
    isImage ? 'give the folder it is in' : 'give a folder, a .npy or .npz file, or synthetic:N',
  );
}

function refuseFolderLabels(source: string, labels: string | undefined): void {
  if (labels === 'folder')
    throw optionError(`--labels folder does not go with ${source}, which has no folders`);
}

function notFound(source: string, thrown: unknown): Error {
  if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') return fileError(source, thrown);
  return imageError(
    source,
    `does not exist (looked for ${resolve(source)})`,
    'give a folder, a .npy or .npz file, or synthetic:N',
  );
}
