/** A model with the weights of checkpoints in place of its own. Its graph stays, and no file is written to. */
import { createHash } from 'node:crypto';
import type { Model } from '../model.js';
import { type OnnxFile, replaceTensors } from '../onnx/model.js';
import { type Checkpoint, openCheckpoint } from './checkpoint.js';
import { type Matched, match, placeText } from './match.js';
import { parametersOf } from './parameters.js';
import { readFloats } from './stored-tensor.js';
import { some, weightsError } from './weights-error.js';

/** What was loaded from where. */
export interface LoadedWeights {
  files: {
    path: string;
    format: string;
    /** Of the whole file, in hex. */
    sha256: string;
    /** The dict and the prefix in it, in words. */
    place: string;
  }[];
  /** In the model's order. */
  mapping: {
    /** PyTorch's name in the model. */
    parameter: string;
    /** The graph's stored tensor. */
    tensor: string;
    /** PyTorch's shape. */
    shape: readonly number[];
    /** Position in `files`. */
    file: number;
    /** The name in that file. */
    key: string;
    /** PyTorch's name of the element type that became float32. */
    type: string;
    transposed: boolean;
  }[];
  /** Parameters that no file has. */
  missing: readonly string[];
  /** Tensors that the model does not have, with their file's position. */
  unexpected: readonly { file: number; key: string }[];
  /** Parameters whose tensor has another shape or type, in words. */
  misfit: readonly string[];
}

export interface Overlaid {
  file: OnnxFile;
  weights: LoadedWeights;
  /** Over the model's hash and those of the files, in their order. */
  sha256: string;
  warnings: string[];
}

/**
 * Reads checkpoints and puts their tensors where the model has parameters of these names.
 *
 * @param paths safetensors or torch.save files; of a parameter that several have, the last counts
 * @param options `allowPartial` loads what fits and leaves the model's own values elsewhere
 * @throws CritmapError (ERR_WEIGHTS) when a file cannot be read or its tensors are not the model's parameters
 */
export async function overlay(
  model: Model,
  paths: readonly string[],
  options: { allowPartial?: boolean } = {},
): Promise<Overlaid> {
  const files: Checkpoint[] = [];
  try {
    for (const path of paths) files.push(await openCheckpoint(path));
    const parameters = parametersOf(model);
    const matched = match(files, parameters, headOf(model));
    refuseFolded(model, files, matched);
    const warnings = [...matched.warnings, ...judge(model, files, matched, options.allowPartial ?? false)];
    const values = new Map<string, Float32Array>();
    for (const { parameter, tensor } of matched.matches) {
      const read = await readFloats(tensor);
      values.set(parameter.tensor, parameter.transposed ? transpose(read, parameter.shape) : read);
    }
    const graph = replaceTensors(model.file, values);
    const hashes: string[] = [];
    for (const file of files) hashes.push(await file.sha256());
    return {
      file: { ...model.file, graph, proto: { ...model.file.proto, graph } },
      weights: describe(files, hashes, matched),
      sha256: createHash('sha256')
        .update([model.sha256, ...hashes].join())
        .digest('hex'),
      warnings,
    };
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

/** The layer that makes the logits: the last one, if it has as many outputs as there are classes. */
function headOf({ layers, io }: Model): { weight: string; bias: string | null } | undefined {
  const last = layers.at(-1);
  if (!last || (io.classes !== null && last.weight.shape[0] !== io.classes)) return undefined;
  return { weight: last.weight.tensor, bias: last.bias?.tensor ?? null };
}

/** Where BatchNorm was folded into a convolution, its weight in the graph is not the checkpoint's. */
function refuseFolded({ file, layers }: Model, files: readonly Checkpoint[], found: Matched): void {
  const given = new Set(found.matches.map(({ parameter }) => parameter.tensor));
  const folded = layers.filter(
    ({ op, bias, norm }) => op === 'Conv' && norm === null && bias !== null && !given.has(bias.tensor),
  );
  const norm = found.unexpected.find(({ key }) => key.endsWith('running_var'));
  if (folded.length === 0 || !norm) return;
  throw weightsError(
    files[norm.file]?.path ?? '',
    `has BatchNorm (${norm.key}) that ${file.path} has not: it was folded into the convolutions at export (${some(
      folded.map(({ name }) => name),
      3,
    )}), whose weights are others then`,
    'export the model again with BatchNorm kept (see the README)',
  );
}

/** @returns warnings about what is only in part there, when that is allowed */
function judge(model: Model, files: readonly Checkpoint[], found: Matched, allowPartial: boolean): string[] {
  const { missing, misfit, unexpected, matches } = found;
  const problems = [
    missing.length > 0 && `missing ${some(missing)}`,
    misfit.length > 0 && `misshapen ${some(misfit)}`,
    unexpected.length > 0 && `unexpected ${some(unexpected.map(({ key }) => key))}`,
  ].filter((problem) => problem !== false);
  if (problems.length === 0) return [];
  const paths = files.map(({ path }) => path).join(', ');
  const text = `${matches.length} parameters of ${model.file.path} are there, ${problems.join('; ')}`;
  if (allowPartial && matches.length > 0) return [`${paths}: ${text}`];
  throw weightsError(
    paths,
    text,
    'give the checkpoint of this model, export it without constant folding, or load just what fits with --allow-partial',
  );
}

/** A row-major [out, in] matrix as [in, out]. */
function transpose(values: Float32Array, shape: readonly number[]): Float32Array {
  const [rows = 1, columns = 1] = shape;
  const result = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = values[i * columns + j]!;
  }
  return result;
}

function describe(files: readonly Checkpoint[], hashes: readonly string[], found: Matched): LoadedWeights {
  return {
    files: files.map(({ path, format }, i) => ({
      path,
      format,
      sha256: hashes[i] ?? '',
      place: placeText(found.scopes[i]!),
    })),
    mapping: found.matches.map(({ parameter, file, key, tensor }) => ({
      parameter: parameter.names[0] ?? parameter.tensor,
      tensor: parameter.tensor,
      shape: parameter.shape,
      file,
      key,
      type: tensor.type.name,
      transposed: parameter.transposed,
    })),
    missing: found.missing,
    unexpected: found.unexpected,
    misfit: found.misfit,
  };
}
