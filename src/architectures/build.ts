/** From the name of a built-in architecture to a model, as if it had been read from a file. */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { CritmapError } from '../errors.js';
import type { Preprocess } from '../model/input.js';
import { type Model, modelOf, randomWarning } from '../model/model.js';
import { parametersOf } from '../model/parameters.js';
import { encodedParts } from '../onnx/encode.js';
import type { OnnxFile } from '../onnx/file.js';
import { EntrySchema, type Model as Proto } from '../onnx/onnx_pb.js';
import { type OptionKinds, refuseMisuse } from '../options.js';
import { drawWeights, type Network, sizeOf } from './network.js';
import { type Blueprint, blueprintOf } from './registry.js';

export interface BuildOptions {
  /** Classes that it tells apart; default 1000. */
  classes?: number;
  /** Channels of the images; default 3. */
  channels?: number;
  /** Height and width of the images in pixels; default the architecture's own, 224. */
  size?: number;
  /** Seed of the random weights; default 0. */
  seed?: number;
  /** What results call the model; default the architecture's name. */
  name?: string;
  /** How its images are prepared, where the weights want it otherwise than the architecture's usual ones. */
  preprocess?: Preprocess;
  /**
   * What the LayerNorms of a vision transformer add to the variance, or the last one of a ConvNeXt, where the weights
   * were trained with another number than timm's 1e-6.
   */
  epsilon?: number;
  /** A distilled transformer without the second head: the class token's alone makes the logits. Default false. */
  singleHead?: boolean;
}

/** Bytes of weights that protobuf, and so ONNX Runtime, still takes, with room for the graph. */
const MAX_BYTES = 2 ** 31 - 2 ** 24;
/** What the image readers take: of an edge or the number of channels, and of all values of an image. */
const MAX_SIZE = 65536;
const MAX_VALUES = 2 ** 28;
/** Far beyond any; its weights must still be countable. */
const MAX_CLASSES = 2 ** 31;
/** Hashed between two turns of the event loop, some milliseconds' worth. */
const PIECE = 4 * 2 ** 20;

/**
 * A built-in architecture with random weights, drawn as timm draws them; biases start at 0 and norms at 1 and 0,
 * also where timm starts a residual block's last BatchNorm at 0, since its layers then have no effect. A value depends
 * on the seed, the module's name and the element's index alone.
 *
 * @param name timm's, see {@link architectures}; capitals, dashes and underscores make no difference
 * @throws CritmapError (ERR_OPTION) for a name that is unknown, or sizes that the architecture cannot have
 */
export async function buildModel(name: string, options: BuildOptions = {}): Promise<Model> {
  const file = await buildFile(name, options);
  const architecture = blueprintOf(name).name;
  const model = modelOf(file, options.name ?? architecture);
  const random = new Set(
    parametersOf(model)
      .filter(({ required }) => required)
      .map(({ tensor }) => tensor),
  );
  const { name: _, ...asked } = options;
  const built = { ...model, builtIn: { architecture, seed: options.seed ?? 0, random, asked } };
  return { ...built, warnings: [...randomWarning(built), ...model.warnings] };
}

/** The same as a file that was never written: its hash is that of the file that it would be. */
export async function buildFile(name: string, options: BuildOptions = {}): Promise<OnnxFile> {
  const blueprint = blueprintOf(name);
  const network = describe(blueprint, options);
  // Each of these steps takes some milliseconds that must not add up.
  await setImmediate();
  const drawn = await drawWeights(network);
  await setImmediate();
  const metadata = metadataOf(blueprint, options);
  const metadataProps = Object.entries(metadata).map(([key, value]) => create(EntrySchema, { key, value }));
  const proto: Proto = { ...drawn, metadataProps };
  if (!proto.graph) throw new RangeError(`${blueprint.name} has no graph`);
  return {
    path: `built-in ${blueprint.name}`,
    proto,
    graph: proto.graph,
    sha256: await hashOf(proto),
    metadata: new Map(Object.entries(metadata)),
  };
}

/** Number of trained elements, as PyTorch counts a model's parameters: running statistics are none. */
export function parameterCount({ draws }: Network): number {
  return draws
    .filter(({ tensor }) => !/\.running_(mean|var)$/.test(tensor.name))
    .reduce((sum, draw) => sum + sizeOf(draw), 0);
}

const known = {
  ...{ classes: null, channels: null, size: null, seed: null, name: 'text', preprocess: null },
  ...{ epsilon: null, singleHead: 'boolean' },
} as const satisfies OptionKinds<BuildOptions>;

function describe(blueprint: Blueprint, options: BuildOptions): Network {
  refuseMisuse('buildModel', options, known);
  const { size = blueprint.size, classes = 1000, channels = 3, seed = 0 } = options;
  const { epsilon, singleHead } = options;
  const { name, least, patch, plan } = blueprint;
  const refuse = (why: string) => new CritmapError('ERR_OPTION', `${name}: ${why}`);
  const whole = (option: string, value: number, from: number, to: number) => {
    if (!Number.isSafeInteger(value) || value < from || value > to) {
      throw refuse(`${option} must be a whole number from ${from} to ${to}, got ${value}`);
    }
  };
  whole('size', size, least, MAX_SIZE);
  whole('classes', classes, 1, MAX_CLASSES);
  whole('channels', channels, 1, MAX_SIZE);
  whole('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  if (epsilon !== undefined && plan.family !== 'vit' && plan.family !== 'convnext') {
    throw refuse('epsilon goes with vision transformers and ConvNeXts; leave it out');
  }
  if (epsilon !== undefined && !(typeof epsilon === 'number' && Math.fround(epsilon) > 0 && epsilon < 1)) {
    throw refuse(`epsilon must be a number above 0 and below 1, got ${epsilon}`);
  }
  if (singleHead && !(plan.family === 'vit' && plan.own.distilled)) {
    throw refuse('singleHead goes with distilled transformers; leave it out');
  }
  if (size % patch !== 0) {
    const below = size - (size % patch);
    throw refuse(
      `its patches of ${patch} pixels do not fill images of ${size}; the nearest sizes are ${below} and ${below + patch}`,
    );
  }
  if (channels * size * size > MAX_VALUES) {
    throw refuse(`images of ${channels} x ${size} x ${size} are beyond any model's input; ask for less`);
  }
  const network = blueprint.describe({
    ...{ size, classes, channels, seed },
    ...(epsilon !== undefined && { epsilon }),
    ...(singleHead !== undefined && { singleHead }),
  });
  const bytes = network.draws.reduce((sum, draw) => sum + 4 * sizeOf(draw), 0);
  if (!(bytes <= MAX_BYTES)) {
    throw refuse(
      `with size ${size}, ${channels} channels and ${classes} classes its weights are ${(bytes / 1e9).toFixed(1)} GB; an ONNX model ends at 2 GB, ask for less`,
    );
  }
  return network;
}

/** How images are normalised; the means are those of colour images. */
function metadataOf(
  { mean, std }: Blueprint,
  { channels = 3, preprocess = {} }: BuildOptions,
): Record<string, string> {
  if (Object.keys(preprocess).length > 0) {
    const usual = channels === mean.length ? { mean, std } : {};
    return { 'critmap.preprocess': JSON.stringify({ ...usual, ...preprocess }) };
  }
  if (channels !== mean.length) return {};
  return { 'critmap.mean': JSON.stringify(mean), 'critmap.std': JSON.stringify(std) };
}

async function hashOf(proto: Proto): Promise<string> {
  const hash = createHash('sha256');
  let hashed = 0;
  for (const part of encodedParts(proto)) {
    for (let at = 0; at < part.length; at += PIECE) {
      const piece = part.subarray(at, at + PIECE);
      hash.update(piece);
      hashed += piece.length;
      if (hashed < PIECE) continue;
      hashed = 0;
      await setImmediate();
    }
  }
  return hash.digest('hex');
}
