/**
 * `per-image/`: what every image got, a float32 .npy file for each layer and metric, with an index. Column i is the image in
 * row i of `images.csv`; one that a layer has not seen, or that does not count since the layer stopped before, is NaN.
 */
import { join } from 'node:path';
import { CritmapError } from '../errors.js';
import { csvField } from '../files/csv.js';
import { npyBytes } from '../files/npy-file.js';
import type { DetailedRun, DetailOptions, LayerLines } from './detailed-run.js';
import type { ImageMetric } from './image-numbers.js';
import type { LayerSummary, Summary } from './summary.js';

/** One of the files. */
export interface ImageFile {
  layer: LayerSummary;
  metric: ImageMetric;
  /** Below `per-image/`. */
  file: string;
  shape: readonly number[];
}

/** Draws x images, or images where means were asked for. */
export function imageFile(
  { layer, draws, lines }: LayerLines,
  metric: ImageMetric,
  { perImage, perImageMean }: DetailOptions,
  { identity, chunk }: DetailedRun,
): { bytes: Buffer; shape: number[] } {
  const { images } = identity.data;
  const rows = perImageMean ? 1 : draws;
  const counted = layer.stoppedAt ?? images;
  const values = new Float32Array(rows * images).fill(Number.NaN);
  for (const [index, { perImage: numbers }] of lines) {
    const from = index * chunk;
    const count = Math.min(chunk, images - from);
    const bytes = Buffer.from(numbers?.[perImage.indexOf(metric)] ?? '', 'base64');
    if (bytes.length !== 4 * rows * count) {
      throw new CritmapError(
        'ERR_RUN',
        `the journal has not ${metric} of ${layer.layer} for every image of chunk ${index}; start over with --force`,
      );
    }
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < Math.min(count, counted - from); i++) {
        values[row * images + from + i] = bytes.readFloatLE(4 * (row * count + i));
      }
    }
  }
  const shape = perImageMean ? [images] : [rows, images];
  return { bytes: npyBytes(values, shape), shape };
}

/** Of a name; file systems take 255 bytes. */
const MOST_LETTERS = 80;

/** Names that every file system takes: the layer's place in the summary makes them different. */
export function imageFileName(
  { number, layer }: LayerLines,
  metric: ImageMetric,
  { layers }: Summary,
): string {
  const digits = String(layers.length - 1).length;
  const hasResets = layers.some(({ reset }) => reset !== layer.reset);
  const words = hasResets ? `${layer.layer}-${layer.reset}` : layer.layer;
  const plain = words.replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, MOST_LETTERS);
  return join(metric, `${String(number).padStart(digits, '0')}-${plain}.npy`);
}

/** `index.csv`: a row for each file. */
export function imageIndexCsv(made: readonly ImageFile[]): string {
  const rows = made.map(({ layer, metric, file, shape }) => {
    const draws = shape.length === 1 ? null : shape[0]!;
    const path = file.replaceAll('\\', '/');
    return [layer.layer, layer.reset, metric, path, draws, shape.at(-1)!, layer.stoppedAt]
      .map(csvField)
      .join(',');
  });
  return `${['layer,reset,metric,file,draws,images,stopped_at', ...rows].join('\n')}\n`;
}
