/** transformers' `preprocessor_config.json`: how a model's images are resized, cropped and normalised. */
import { z } from 'zod';
import type { Preprocess } from '../model/input.js';
import type { ResampleFilter } from '../native/addon.js';
import { checked, refuse } from './hub-json.js';

export interface Preparation {
  /** Edge of the images; absent where nothing says it. */
  size?: number;
  preprocess: Preprocess;
  warnings: string[];
}

/** What the configuration of the network says. */
export interface Wanted {
  /** The built-in architecture. */
  name: string;
  channels: number;
  imageSize?: number;
  /** It takes no other size. */
  isSized?: true;
  /** What the names of transformers' classes for its images begin with. */
  processor: string;
}

/** Pillow's numbers. */
const FILTERS: readonly ResampleFilter[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'];
/** ConvNeXt's images are not cropped from here on. */
const UNCROPPED = 384;

const edge = z.int().min(1);
const rectangle = z.object({ height: edge, width: edge });
const perChannel = (number: z.ZodNumber) => z.union([number, z.array(number).min(1)]).nullish();

const schema = z.object({
  image_processor_type: z.string().nullish(),
  /** Its older name. */
  feature_extractor_type: z.string().nullish(),
  do_resize: z.literal(true).nullish(),
  size: z.union([edge, rectangle, z.object({ shortest_edge: edge })]).nullish(),
  resample: z
    .int()
    .min(0)
    .max(FILTERS.length - 1)
    .nullish(),
  crop_pct: z.number().min(0.05).max(1).nullish(),
  do_center_crop: z.boolean().nullish(),
  crop_size: z.union([edge, rectangle]).nullish(),
  do_rescale: z.literal(true).nullish(),
  rescale_factor: z.number().nullish(),
  do_normalize: z.boolean().nullish(),
  image_mean: perChannel(z.number()),
  image_std: perChannel(z.number().positive()),
});

type Said = z.infer<typeof schema>;

/**
 * @param value what the file holds; undefined where there is none, and images are prepared as timm's are
 * @throws CritmapError (ERR_MODEL) for what critmap does not do to images, or sizes that the network does not take
 */
export function preparationOf(path: string, value: unknown, wanted: Wanted): Preparation {
  const { imageSize, isSized, channels } = wanted;
  if (value === undefined) {
    const missing = `${path} is not there: images are prepared as for timm's ${wanted.name}`;
    return { ...(imageSize !== undefined && { size: imageSize }), preprocess: {}, warnings: [missing] };
  }
  const said = checked(path, schema, value);
  const named = said.image_processor_type ?? said.feature_extractor_type ?? '';
  const kind = /^(.+?)(?:ImageProcessor|FeatureExtractor)/.exec(named)?.[1] ?? wanted.processor;
  const { resize, crop, share, isSquashed } = sizesOf(path, said, kind);
  if (isSized && crop !== imageSize) {
    throw refuse(path, `makes images of ${crop} pixels, config.json says image_size ${imageSize}`);
  }
  if (Math.abs((said.rescale_factor ?? 1 / 255) * 255 - 1) > 1e-6) {
    throw refuse(path, `rescale_factor ${said.rescale_factor} is not 1 / 255`);
  }
  const each = (values: number | number[] | null | undefined, usual: number) =>
    Array.isArray(values) ? values : new Array<number>(channels).fill(values ?? usual);
  const normalizes = said.do_normalize ?? true;
  return {
    size: crop,
    preprocess: {
      // transformers' defaults.
      mean: normalizes ? each(said.image_mean, 0.5) : each(0, 0),
      std: normalizes ? each(said.image_std, 0.5) : each(1, 1),
      // A share, where there is one, holds for every size.
      ...(share === undefined ? { resize } : { crop_pct: share }),
      ...(isSquashed && { squash: true }),
      interpolation: FILTERS[said.resample ?? (kind === 'ViT' ? 2 : 3)]!,
    },
    warnings: [],
  };
}

interface Sizes {
  /** The short side that pictures are resized to. */
  resize: number;
  /** Edge of the square that is taken of them. */
  crop: number;
  /** The square's share of the short side, where that is what the file says. */
  share?: number;
  /** transformers does not keep a picture's shape. */
  isSquashed: boolean;
}

function sizesOf(path: string, said: Said, kind: string): Sizes {
  const size = said.size ?? { ViT: 224, DeiT: 256, ConvNext: UNCROPPED }[kind];
  if (size === undefined) throw refuse(path, 'does not say the size of images');
  const isShort = typeof size === 'number' ? !/^(ViT|DeiT)$/.test(kind) : 'shortest_edge' in size;
  const resize =
    typeof size === 'number'
      ? size
      : 'shortest_edge' in size
        ? size.shortest_edge
        : squareOf(path, 'size', size);
  if (kind === 'ConvNext') {
    if (!isShort) throw refuse(path, 'size of a ConvNeXt must be a shortest_edge');
    const isWhole = resize >= UNCROPPED;
    const share = isWhole ? 1 : (said.crop_pct ?? 224 / 256);
    return { resize, crop: resize, share, isSquashed: isWhole };
  }
  const crops = said.do_center_crop ?? kind === 'DeiT';
  if (isShort && !crops) throw refuse(path, 'shortest_edge without do_center_crop gives no square images');
  const crop = crops ? cropOf(path, said, kind) : resize;
  return { resize, crop, isSquashed: !isShort };
}

function cropOf(path: string, { crop_size }: Said, kind: string): number {
  const crop = crop_size ?? (kind === 'DeiT' ? 224 : undefined);
  if (crop === undefined) throw refuse(path, 'do_center_crop without crop_size');
  return typeof crop === 'number' ? crop : squareOf(path, 'crop_size', crop);
}

function squareOf(path: string, what: string, { height, width }: { height: number; width: number }): number {
  if (height !== width) throw refuse(path, `${what} ${height} x ${width} is not square`);
  return height;
}
