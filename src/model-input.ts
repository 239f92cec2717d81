/** What images must look like for a model: its input shape, and the normalisation its file names. */
import { z } from 'zod';
import { CritmapError } from './errors.js';
import type { InputShape, Normalization } from './images/index.js';
import type { Model } from './model.js';

/** The part of {@link ImageOptions} that the model decides. */
export interface ModelInput {
  shape: InputShape;
  /** Absent when the file does not say. */
  normalization?: Normalization;
  /** Outputs; absent when the graph does not say. */
  classes?: number;
}

/**
 * Shape and normalisation of a model's images. The shape is the graph's; an open height or width is taken from
 * `size`. The normalisation is that of the metadata entries `critmap.mean` and `critmap.std`, JSON arrays with
 * one number per channel in units of pixel / 255, if the file has them.
 *
 * @param size edge length in pixels for a graph that takes any; default 224
 * @throws CritmapError (ERR_MODEL) when the metadata is not of that form
 */
export function modelInput(model: Model, size = 224): ModelInput {
  const { channels, classes, height, width } = model.io;
  const outputs = classes === null ? {} : { classes };
  const shape = { channels, height: height ?? size, width: width ?? size };
  const mean = numbers(model, 'critmap.mean');
  const std = numbers(model, 'critmap.std');
  if (!mean && !std) return { shape, ...outputs };
  if (!mean || !std) {
    throw new CritmapError(
      'ERR_MODEL',
      `${model.file.path}: the metadata has critmap.${mean ? 'mean' : 'std'} without critmap.${mean ? 'std' : 'mean'}; set both or neither`,
    );
  }
  return { shape, ...outputs, normalization: { mean, std } };
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
