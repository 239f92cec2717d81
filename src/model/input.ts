/** What images must look like for a model: its input shape, and the preprocessing that its file names. */
import { z } from 'zod';
import { CritmapError } from '../errors.js';
import type { InputShape, Normalization, Resizing } from '../images/index.js';
import { RESAMPLE_FILTERS } from '../native/addon.js';
import type { Model } from './model.js';

/** The part of {@link ImageOptions} that the model decides. */
export interface ModelInput {
  shape: InputShape;
  /** Absent when the file does not say. */
  normalization?: Normalization;
  /** The graph takes any size, and none is asked for. */
  anySize?: true;
  /** The model takes pixels from 0 to 255 and normalises them itself. */
  takesPixels?: true;
  resizing?: Resizing;
  /** Outputs; absent when the graph does not say. */
  classes?: number;
}

const side = z.int().min(1).max(65536);

/** What a model's file may say of its images, named as in torchvision and timm. */
const preprocessSchema = z
  .strictObject({
    mean: z.array(z.number()),
    std: z.array(z.number()),
    /** Short side in pixels. */
    resize: side,
    /** Instead of `resize`: the crop's share of it. */
    crop_pct: z.number().min(0.05).max(1),
    /** The size of a model that takes any. */
    crop: side,
    interpolation: z.enum(RESAMPLE_FILTERS),
    /** Both sides are resized to that, whatever a picture's shape. */
    squash: z.boolean(),
  })
  .partial();

export type Preprocess = z.infer<typeof preprocessSchema>;

/**
 * Shape, normalisation and resizing of a model's images. The shape is the graph's; an open height or width is
 * taken from `size`. The rest is in the metadata entry `critmap.preprocess`, a JSON object with any of `mean` and
 * `std` (one number per channel in units of pixel / 255), `resize` (the short side in pixels) or `crop_pct` (the
 * crop's share of it; timm's floor(crop / crop_pct)), `crop` (the size for a graph that takes any),
 * `interpolation` and `squash` (both sides become the short one). The older entries `critmap.mean` and `critmap.std`, JSON arrays, are read too.
 *
 * @param size edge length in pixels for a graph that takes any; default the file's `crop`, else 224
 * @throws CritmapError (ERR_MODEL) when the metadata is not of that form
 */
export function modelInput(model: Model, size?: number): ModelInput {
  const { channels, classes, height, width } = model.io;
  const { mean, std, resize, crop_pct, crop, interpolation, squash } = preprocess(model);
  const any = size ?? crop ?? 224;
  const takesPixels = model.file.ends?.pixels;
  const shape = { channels, height: height ?? any, width: width ?? any };
  if (crop !== undefined && size === undefined && (shape.height !== crop || shape.width !== crop)) {
    throw problem(model, `says crop ${crop}, the graph takes ${shape.height}x${shape.width}`);
  }
  const short = resize ?? (crop_pct && Math.floor(Math.max(shape.height, shape.width) / crop_pct));
  const resizing = {
    ...(short === undefined ? {} : { resize: short }),
    ...(interpolation === undefined ? {} : { interpolation }),
    ...(squash ? { squash } : {}),
  };
  return {
    shape,
    ...(classes === null ? {} : { classes }),
    ...(height === null && width === null && (size ?? crop) === undefined ? { anySize: true } : {}),
    ...(takesPixels
      ? { takesPixels, normalization: unchanged(channels) }
      : mean && std
        ? { normalization: { mean, std } }
        : {}),
    ...(Object.keys(resizing).length > 0 ? { resizing } : {}),
  };
}

/** What makes a pixel of (pixel / 255 - mean) / std. */
const unchanged = (channels: number): Normalization => ({
  mean: new Array<number>(channels).fill(0),
  std: new Array<number>(channels).fill(1 / 255),
});

function preprocess(model: Model): z.infer<typeof preprocessSchema> {
  const { metadata } = model.file;
  const arrays = { mean: numbers(model, 'critmap.mean'), std: numbers(model, 'critmap.std') };
  if (!arrays.mean !== !arrays.std) {
    const [has, lacks] = arrays.mean ? ['mean', 'std'] : ['std', 'mean'];
    throw new CritmapError(
      'ERR_MODEL',
      `${model.file.path}: the metadata has critmap.${has} without critmap.${lacks}; set both or neither`,
    );
  }
  const text = metadata.get('critmap.preprocess');
  if (text === undefined) return arrays;
  let parsed: z.infer<typeof preprocessSchema>;
  try {
    parsed = preprocessSchema.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? firstIssue(cause) : 'not JSON';
    throw problem(model, `is not valid (${reason})`, cause);
  }
  const { mean, std, resize, crop_pct } = parsed;
  if (!mean !== !std) {
    throw problem(model, `has ${mean ? 'mean without std' : 'std without mean'}; set both or neither`);
  }
  for (const values of [mean, std]) {
    if (values && values.length !== model.io.channels) {
      throw problem(model, `must give mean and std for ${model.io.channels} channels, not ${values.length}`);
    }
  }
  if (resize !== undefined && crop_pct !== undefined) {
    throw problem(model, 'gives resize and crop_pct; leave one out');
  }
  return { ...arrays, ...parsed };
}

function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  return `${issue!.path.join('.')}${issue!.path.length > 0 ? ': ' : ''}${issue!.message}`;
}

function problem(model: Model, what: string, cause?: unknown): CritmapError {
  const message = `${model.file.path}: the metadata critmap.preprocess ${what}`;
  return new CritmapError('ERR_MODEL', message, cause === undefined ? undefined : { cause });
}

function numbers(model: Model, key: string): number[] | undefined {
  const text = model.file.metadata.get(key);
  if (text === undefined) return undefined;
  const { channels } = model.io;
  try {
    return z.array(z.number()).length(channels).parse(JSON.parse(text));
  } catch (cause) {
    throw new CritmapError(
      'ERR_MODEL',
      `${model.file.path}: the metadata ${key} must be a JSON array of ${channels} numbers, got ${text.slice(0, 80)}`,
      { cause },
    );
  }
}
