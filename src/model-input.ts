/** What images must look like for a model: its input shape, and the normalisation its file names. */
import { z } from 'zod';
import { CritmapError } from './errors.js';
import type { InputShape } from './images/index.js';
import type { Model } from './model.js';

export interface ModelInput {
  shape: InputShape;
  /** Per channel, in units of pixel / 255; undefined when the file does not say. */
  mean?: number[];
  std?: number[];
}

/**
 * Shape and normalisation of a model's images. The shape is the graph's; an open height or width is taken from
 * `size`. Mean and std are metadata entries `critmap.mean` and `critmap.std`, JSON arrays, if the file has them.
 *
 * @param size edge length in pixels for a graph that takes any; default 224
 * @throws CritmapError (ERR_MODEL) when the metadata is not of that form
 */
export function modelInput(model: Model, size = 224): ModelInput {
  const { channels, height, width } = model.io;
  const numbers = (key: string) => {
    const text = model.file.metadata.get(key);
    if (text === undefined) return undefined;
    try {
      return z.array(z.number()).length(channels).parse(JSON.parse(text));
    } catch (cause) {
      throw new CritmapError(
        'ERR_MODEL',
        `${model.file.path}: the metadata ${key} must be a JSON array of ${channels} numbers, got ${text.slice(0, 80)}`,
        { cause },
      );
    }
  };
  const mean = numbers('critmap.mean');
  const std = numbers('critmap.std');
  return {
    shape: { channels, height: height ?? size, width: width ?? size },
    ...(mean && { mean }),
    ...(std && { std }),
  };
}
