/**
 * What a model takes and gives: the one image input and the one output of logits, with their shapes.
 */
import { CritmapError } from '../errors.js';
import type { GraphIndex } from './graph.js';
import type { Layer } from './layers.js';
import type { OnnxFile } from './model.js';
import type { ValueInfo } from './onnx_pb.js';
import { FLOAT, typeName } from './tensors.js';

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

/** @throws CritmapError (ERR_MODEL) unless there is one float32 N x C x H x W input and one N x classes output. */
export function modelIo(file: OnnxFile, index: GraphIndex, layers: readonly Layer[]): ModelIo {
  const inputs = file.graph.input.filter((input) => !index.tensors.has(input.name));
  const input = inputs[0];
  const refuse = (why: string) => new CritmapError('ERR_MODEL', `${file.path}: ${why}`);
  if (!input || inputs.length > 1) {
    throw refuse(
      `the model takes ${inputs.length} inputs (${names(inputs)}); critmap needs exactly one, the images`,
    );
  }
  const shape = shapeOf(input);
  if (shape?.length !== 4) {
    throw refuse(
      `the input ${input.name} has the shape ${shape ? shapeText(shape) : 'unknown'}; critmap needs images, N x channels x height x width`,
    );
  }
  const type = input.type?.tensorType?.elemType ?? 0;
  if (type !== FLOAT)
    throw refuse(`the input ${input.name} is ${typeName(type)}; critmap feeds float32 images`);
  const [batch, channels, height, width] = shape as [Size, Size, Size, Size];
  if (channels === null) throw refuse(`the input ${input.name} does not say how many channels it has`);
  const { output, classes } = logitsOf(file, index, layers, refuse);
  return { input: input.name, output, batch, channels, height, width, classes };
}

/** A dimension: a number, or null where the graph leaves it open. */
type Size = number | null;

function logitsOf(
  file: OnnxFile,
  index: GraphIndex,
  layers: readonly Layer[],
  refuse: (why: string) => CritmapError,
) {
  const described = file.graph.output.map((output) => ({ name: output.name, shape: shapeOf(output) }));
  const flat = described.filter(({ shape }) => shape?.length === 2);
  const candidates = flat.length > 0 ? flat : described.filter(({ shape }) => !shape);
  // Features and auxiliary heads leave layers behind them unused; the logits are what most layers lead to.
  const reached = candidates.map(({ name }) => tensorsBehind(index, name));
  const counts = reached.map((names) => layers.filter((layer) => names.has(layer.weight.tensor)).length);
  const found = candidates[counts.indexOf(Math.max(...counts))];
  if (!found) {
    const shapes = described.map(({ name, shape }) => `${name} ${shape ? shapeText(shape) : ''}`).join(', ');
    throw refuse(
      `no output is N x classes (${shapes || 'the graph has no outputs'}); critmap needs the logits`,
    );
  }
  return { output: found.name, classes: found.shape?.[1] ?? null };
}

/** Names of all tensors that lead to one, stored ones included. */
function tensorsBehind(index: GraphIndex, name: string): Set<string> {
  const seen = new Set([name]);
  const waiting = [name];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const input of index.producer.get(next)?.input ?? []) {
      if (seen.has(input)) continue;
      seen.add(input);
      waiting.push(input);
    }
  }
  return seen;
}

function shapeOf(value: ValueInfo): Size[] | null {
  const dims = value.type?.tensorType?.shape?.dim;
  if (!dims) return null;
  return dims.map((dim) => (dim.dimValue > 0n ? Number(dim.dimValue) : null));
}

const shapeText = (shape: readonly Size[]) => shape.map((size) => size ?? '?').join(' x ');
const names = (values: readonly ValueInfo[]) => values.map((value) => value.name).join(', ') || 'none';
