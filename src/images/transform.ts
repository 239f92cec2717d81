/** What is done to a source's pixels between decoding and the model: planned once, recorded with the run. */
import type { ResampleFilter } from '../native/addon.js';
import { imageError, optionError } from './input-error.js';
import type { ImageOptions } from './options.js';
import type { InputShape } from './pixels/pixels.js';
import type { ImageSource } from './sources/source.js';

/** What is done to pixels between decoding and the model, as recorded with a run. */
export type ImageTransform =
  | { readonly kind: 'tensors' }
  | {
      readonly kind: 'pixels';
      /** Short side in pixels; null: not resized. */
      readonly resize: number | null;
      /** Both sides become `resize` instead, whatever a picture's shape. */
      readonly squash?: true;
      /** Pillow's filter of that name; null: not resized. */
      readonly interpolation: ResampleFilter | null;
      /** Centre crop, a smaller picture surrounded by black; null: taken whole. */
      readonly crop: { readonly height: number; readonly width: number } | null;
      readonly mean: readonly number[];
      readonly std: readonly number[];
    };

const IMAGENET_MEAN = [0.485, 0.456, 0.406];
const IMAGENET_STD = [0.229, 0.224, 0.225];

/**
 * What is done to this source's pixels.
 * @throws CritmapError ERR_OPTION when an option does not fit the source or the model's size,
 *   ERR_IMAGES when an array's size does not fit the model and nothing was asked to be done about it
 */
export function planTransform(source: ImageSource, name: string, options: ImageOptions): ImageTransform {
  if (source.content === 'tensors') {
    refuseForTensors(options, name);
    return { kind: 'tensors' };
  }
  checkSizes(source, name, options);
  const { shape, crop } = options;
  const { height, width } = shape;
  const { normalization: own, resizing } = options;
  const resize = options.resize ?? defaultResize(source, shape, resizing?.resize);
  const whole = resize === null && source.size?.height === height && source.size.width === width;
  if (source.size && !whole && resize === null && crop === undefined) {
    throw imageError(
      name,
      `images are ${sizeText(source.size)}, the model takes ${sizeText(shape)}`,
      'give --resize or --crop',
    );
  }
  const rgb = shape.channels === 3;
  const squashes = resizing?.squash && resize !== null && options.resize === undefined;
  return {
    kind: 'pixels',
    resize,
    ...(squashes && { squash: true }),
    interpolation: resize === null ? null : (options.interpolation ?? resizing?.interpolation ?? 'bilinear'),
    crop: whole ? null : { height, width },
    mean: [
      ...(options.mean ?? own?.mean ?? (rgb ? IMAGENET_MEAN : new Array<number>(shape.channels).fill(0))),
    ],
    std: [...(options.std ?? own?.std ?? (rgb ? IMAGENET_STD : new Array<number>(shape.channels).fill(1)))],
  };
}

/** Files come in every size and are scaled as the model says or ImageNet's usually are; arrays are made to measure. */
function defaultResize(source: ImageSource, shape: InputShape, own: number | undefined): number | null {
  return source.size ? null : (own ?? Math.round((Math.max(shape.height, shape.width) * 256) / 224));
}

function checkSizes(
  source: ImageSource,
  name: string,
  { shape, resize, crop, interpolation }: ImageOptions,
): void {
  const { channels, height, width } = shape;
  if (source.kind === 'synthetic' && (resize ?? crop ?? interpolation) !== undefined) {
    throw optionError(`${name} is made at the model's size; leave out --resize, --crop and --interpolation`);
  }
  if (interpolation !== undefined && source.size && resize === undefined) {
    throw optionError(`--interpolation ${interpolation} does nothing without --resize; give it too`);
  }
  if (crop !== undefined && (crop !== height || crop !== width)) {
    throw optionError(
      `--crop ${crop} does not fit the model, which takes ${sizeText(shape)}; leave --crop out`,
    );
  }
  const { size } = source;
  if (size && resize === undefined && crop !== undefined && (size.height < height || size.width < width)) {
    throw optionError(
      `--crop ${crop} is larger than the images of ${name}, ${sizeText(size)}; give --resize`,
    );
  }
  if (resize !== undefined && channels !== 1 && channels !== 3) {
    throw optionError(
      `--resize takes images with 1 or 3 channels, these have ${channels}; resize them beforehand`,
    );
  }
}

function sizeText({ height, width }: { height: number; width: number }): string {
  return `${height}x${width}`;
}

function refuseForTensors(options: ImageOptions, name: string): void {
  for (const option of ['mean', 'std', 'resize', 'crop', 'interpolation'] as const) {
    if (options[option] !== undefined) {
      throw optionError(
        `--${option} does not go with ${name}: float32 tensors are taken as they are; leave it out`,
      );
    }
  }
}
