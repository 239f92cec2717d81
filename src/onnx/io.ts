/** What a model takes and gives: the image input and the logits, with their shapes. */
import { CritmapError } from '../errors.js';
import type { OnnxFile } from './file.js';
import type { Ends } from './passes/ends.js';
import { AS_FLOATS } from './passes/pixels.js';
import { FLOAT, typeName } from './tensors.js';
import type { Size } from './value-info.js';
import { shapeOf, shapeText } from './value-info.js';

export interface ModelIo {
  input: string;
  output: string;
  /** Batch size that the graph is fixed to; null when it takes any. */
  batch: number | null;
  channels: number;
  /** Pixels; null where the graph takes any size. */
  height: number | null;
  width: number | null;
  /** Number of classes; null when the graph does not say. */
  classes: number | null;
}

/** @throws CritmapError (ERR_MODEL) unless the images are float32 N x C x H x W. */
export function modelIo({ path, graph }: OnnxFile, { input: name, output }: Ends): ModelIo {
  const refuse = (why: string) => new CritmapError('ERR_MODEL', `${path}: ${why}`);
  // As the file has it, before pixels were made to floats.
  const shown = name.replace(AS_FLOATS, '');
  const input = graph.input.find((one) => one.name === name);
  const shape = input && shapeOf(input);
  if (shape?.length !== 4) {
    throw refuse(
      `the input ${shown} has the shape ${shape ? shapeText(shape) : 'unknown'}; critmap needs images, N x channels x height x width${remedy(shape ?? null)}`,
    );
  }
  const type = input?.type?.tensorType?.elemType ?? 0;
  if (type !== FLOAT) throw refuse(`the input ${shown} is ${typeName(type)}; critmap feeds float32 images`);
  const [batch, channels, height, width] = shape as [Size, Size, Size, Size];
  if (channels === null) {
    throw refuse(`the input ${shown} does not say how many channels it has; give --channels`);
  }
  const logits = graph.output.find((one) => one.name === output);
  const classes = (logits && shapeOf(logits)?.[1]) ?? null;
  return { input: name, output, batch, channels, height, width, classes };
}

const isFew = (size: Size | undefined) => size === 1 || size === 3 || size === 4;

/** How a model of flat vectors, of images without channels, or of one image without a batch takes images. */
function remedy(shape: readonly Size[] | null): string {
  if (shape?.length === 3 && (isFew(shape[2]) || (isFew(shape[0]) && shape[0] !== 1))) {
    return ', and this is a single one: export the model for a batch, without what adds the batch inside';
  }
  const layer = { 2: 'torch.nn.Flatten(1)', 3: 'torch.nn.Flatten(1, 2)' }[shape?.length ?? 0];
  return layer ? `: export torch.nn.Sequential(${layer}, model) with an example of that shape` : '';
}
