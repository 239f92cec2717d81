/** What the caller may ask of an image source, and the checks that need no source. */
import { z } from 'zod';
import { CritmapError } from '../errors.js';
import { RESAMPLE_FILTERS, type ResampleFilter } from '../native/addon.js';
import { whole, words } from '../options.js';
import { optionError } from './input-error.js';
import { checkLabelColumns } from './labels/option.js';
import type { InputShape } from './pixels/pixels.js';

/** Per channel, in units of pixel / 255: what is subtracted, and what the rest is divided by. */
export interface Normalization {
  mean: readonly number[];
  std: readonly number[];
}

/** How a model's files of images become its size. */
export interface Resizing {
  /** Short side in pixels. */
  resize?: number;
  interpolation?: ResampleFilter;
  /** Both sides become `resize`, whatever a picture's shape. */
  squash?: boolean;
}

/** How to take images from a source. */
export interface ImageOptions {
  /** What the model takes. */
  shape: InputShape;
  /** Sample size, default 1000; more than there are takes all. */
  images?: number | 'all';
  /** Which sample, an integer from 0, default 0. */
  dataSeed?: number;
  /**
   * The model's own normalisation, for sources of pixels; float32 tensors are taken as they are. Default
   * ImageNet's for 3 channels, mean 0 and std 1 otherwise.
   */
  normalization?: Normalization;
  /** The model takes images of any size: those of an array keep theirs, unless they are resized or cropped. */
  anySize?: boolean;
  /** The model takes pixels from 0 to 255, which its normalisation leaves as they are: no other is taken. */
  takesPixels?: boolean;
  /** The model's own resizing, for image files. */
  resizing?: Resizing;
  /** Instead of the model's own, per channel, in units of pixel / 255. Goes with `std`. */
  mean?: readonly number[];
  std?: readonly number[];
  /**
   * Short side in pixels to resize to; default the model's own or round(crop x 256 / 224) for folders, none for
   * arrays. Where it is below the crop there is black around the picture.
   */
  resize?: number;
  /** Pillow's filter for resizing, default the model's own or `bilinear`. */
  interpolation?: ResampleFilter;
  /** Side of the centre crop in pixels. It is the model's size by default and can be no other. */
  crop?: number;
  /**
   * `folder`: class subfolders; `none`; `column:NAME` of a Parquet file; else a file of labels. Default: what the
   * source has: class subfolders, an .npz file's array `labels`, .cls or .json files in a tar file, a column `label`.
   */
  labels?: 'folder' | 'none' | (string & {});
  /**
   * Of a file of labels that is a table: the column of classes, or those of images and of classes. Names, or numbers
   * from 1. Default: found by what is in them.
   */
  labelColumns?: readonly string[];
  /** Outputs of the model: class folders that do not fit them are warned of, ImageNet's get ImageNet's indices. */
  classes?: number;
  /** Leaves out images that cannot be read or decoded instead of refusing all; opening then checks the sample. */
  skipBadImages?: boolean;
  /**
   * Folder to keep decoded images in, for this and every later use; `auto` is {@link defaultCacheDirectory}, and
   * going without it where it cannot be used. Default: they are not kept.
   */
  cache?: 'auto' | (string & {});
  /** What the cache's folder may hold in bytes, default 10 GB; what was used longest ago goes first. */
  cacheBytes?: number;
  /** How far the check of all images is, which decodes them. */
  onProgress?: (done: number, total: number) => void;
  /** Also gets what is in `warnings`, and what happens later. */
  onWarning?: (message: string) => void;
  /** Stops opening before the next image. */
  signal?: AbortSignal;
}

/** Sample size. */
export const DEFAULT_IMAGES = 1000;
/** Of the published study. */
export const PUBLISHED_IMAGES = 10_000;

const images = 'Images:';
const decoded = 'Decoded images:';
const perChannel = () => z.array(z.number()).readonly().optional();
const ofChannels = 'a list of numbers such as 0.485,0.456,0.406';

/** Those of them that the command line and files have too, by which they are checked and explained. */
export const imageOptions = {
  images: z
    .union([whole(1), z.literal('all')])
    .default(DEFAULT_IMAGES)
    .meta({ description: 'How many images to use, or all', group: images, wanted: 'a whole number from 1' }),
  dataSeed: whole(0).default(0).meta({ description: 'Seed of the choice among the images', group: images }),
  labels: words().optional().meta({
    description:
      'Where classes are from: folder, none, column:NAME (Parquet) or a file (default: what the data has)',
    group: images,
  }),
  labelColumns: z.array(words()).readonly().optional().meta({
    description:
      'Columns of a table given as --labels: CLASS or IMAGE,CLASS (default: found by their content)',
    group: images,
    wanted: 'a column of classes, or those of images and of classes',
  }),
  skipBadImages: z.boolean().default(false).meta({
    description: 'Leave out and record images that cannot be decoded, instead of refusing the sample',
    group: images,
  }),
  mean: perChannel().meta({
    description: "Mean of each channel, in units of pixel / 255 (default: the model's, else ImageNet's)",
    group: images,
    wanted: ofChannels,
  }),
  std: perChannel().meta({
    description: 'Standard deviation of each channel, in the same units; goes with --mean',
    group: images,
    wanted: ofChannels,
  }),
  resize: whole(1)
    .optional()
    .meta({ description: 'Resize the short side to so many pixels before the crop', group: images }),
  crop: whole(1).optional().meta({
    description: 'Side of the centre crop in pixels, and so the input size of a model that takes any',
    group: images,
  }),
  interpolation: z.enum(RESAMPLE_FILTERS).optional().meta({
    description: "Filter that images are resized with (default: the model's, else bilinear)",
    group: images,
  }),
  cache: words().default('auto').meta({
    description: "Folder that decoded images are kept in, or off; auto is the user's cache folder",
    group: decoded,
  }),
  cacheSize: words().default('10GB').meta({
    description: 'The most that this folder may hold; what was used longest ago is deleted first',
    group: decoded,
  }),
};

/** 1 GiB of float32 per image. */
const MAX_INPUT_VALUES = 2 ** 28;

/**
 * Checks what can be checked without the source.
 * @throws CritmapError ERR_OPTION, or RangeError for an impossible model shape
 */
export function checkOptions(options: ImageOptions): void {
  const { shape, images, dataSeed, resize, crop, interpolation } = options;
  if (typeof shape !== 'object' || shape === null) {
    throw new TypeError(
      'shape must be { channels, height, width }; modelInput(model) gives what a model takes',
    );
  }
  for (const side of [shape.channels, shape.height, shape.width]) {
    if (!Number.isInteger(side) || side < 1 || side > 65536) {
      throw new RangeError(`shape must hold integers from 1 to 65536, not ${JSON.stringify(shape)}`);
    }
  }
  if (shape.channels * shape.height * shape.width > MAX_INPUT_VALUES) {
    throw new CritmapError(
      'ERR_IMAGES',
      `images of ${shape.height} x ${shape.width} pixels are too large: one may have up to 2^28 values; take a model of smaller ones`,
    );
  }
  if (images !== undefined && images !== 'all' && !isCount(images)) {
    throw optionError(`--images ${images} is not a number of images; give one from 1, or all`);
  }
  if (dataSeed !== undefined && !(Number.isSafeInteger(dataSeed) && dataSeed >= 0)) {
    throw optionError(`--data-seed ${dataSeed} is not a seed; give an integer from 0 to 2^53 - 1`);
  }
  checkResizing({ '--resize': resize, '--crop': crop }, '--interpolation', interpolation);
  const own = options.resizing;
  checkResizing({ "the model's resize": own?.resize }, "the model's interpolation", own?.interpolation);
  checkLabelColumns(options.labels, options.labelColumns);
  if ((options.mean === undefined) !== (options.std === undefined)) {
    throw optionError('--mean and --std go together; give both or neither');
  }
  if (options.takesPixels && options.mean) {
    throw optionError(
      '--mean and --std do not go with this model, which takes pixels from 0 to 255 and normalises them itself; leave them out',
    );
  }
  if (options.normalization) checkNormalization("the model's ", shape.channels, options.normalization);
  if (options.mean && options.std)
    checkNormalization('--', shape.channels, { mean: options.mean, std: options.std });
}

function checkResizing(
  sides: Record<string, number | undefined>,
  filterName: string,
  filter: ResampleFilter | undefined,
): void {
  for (const [name, side] of Object.entries(sides)) {
    if (side !== undefined && !(isCount(side) && side <= 65536)) {
      throw optionError(`${name} ${side} is not a size in pixels; give an integer from 1 to 65536`);
    }
  }
  if (filter !== undefined && !RESAMPLE_FILTERS.includes(filter)) {
    throw optionError(`${filterName} ${filter} is unknown; give one of ${RESAMPLE_FILTERS.join(', ')}`);
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

function checkNormalization(prefix: string, channels: number, { mean, std }: Normalization): void {
  for (const [name, values] of Object.entries({ mean, std })) {
    if (values.length !== channels) {
      throw optionError(
        `${prefix}${name} has ${values.length} values for a model of ${channels} channels; give one per channel`,
      );
    }
    if (!values.every((value: number) => Number.isFinite(value) && (name === 'mean' || value > 0))) {
      const need = name === 'mean' ? 'finite numbers' : 'finite numbers above 0';
      throw optionError(`${prefix}${name} ${values.join(' ')} must be ${need}`);
    }
  }
  if (mean.some((value) => Math.abs(value) > 10)) {
    throw optionError(
      `${prefix}mean ${mean.join(' ')} is not in units of pixel / 255; divide mean and std by 255`,
    );
  }
}
