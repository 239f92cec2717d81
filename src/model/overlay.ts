/** A model with the weights of checkpoints in place of its own. Its graph stays, and no file is written to. */
import { createHash } from 'node:crypto';
import { some } from '../errors.js';
import { type OnnxFile, replaceTensors } from '../onnx/file.js';
import { transpose } from '../onnx/tensors.js';
import { type Checkpoint, openCheckpoint } from '../weights/checkpoint.js';
import { readFloats } from '../weights/stored-tensor.js';
import { weightsError } from '../weights/weights-error.js';
import { type Match, type Matched, match, placeText, type Unexpected } from './match.js';
import type { LoadedWeights, Model } from './model.js';
import { type ModelParameter, parametersOf } from './parameters.js';

type Mapping = LoadedWeights['mapping'][number];

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
      const stored = parameter.transposed ? transpose(read, parameter.shape) : read;
      for (const name of [parameter.tensor, ...parameter.copies]) values.set(name, stored);
    }
    const graph = replaceTensors(model.file, values);
    const hashes: string[] = [];
    for (const file of files) hashes.push(await file.sha256());
    return {
      file: { ...model.file, graph, proto: { ...model.file.proto, graph } },
      weights: describe(model.weights, parameters, files, hashes, matched),
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
function headOf({ layers, io, file }: Model): { weight: string; bias: string | null } | undefined {
  const last = layers.at(-1);
  const outputs = file.ends?.single === undefined ? io.classes : 1;
  if (!last || (outputs !== null && last.weight.shape[0] !== outputs)) return undefined;
  return { weight: last.weight.tensor, bias: last.bias?.tensor ?? null };
}

/**
 * Where BatchNorm was folded into a layer, its weight in the graph is not the checkpoint's, nor is its bias, if it had
 * one. The checkpoint then has a norm of the layer's width that the graph has not; norms of other widths may be those
 * of a head that was only trained with.
 */
function refuseFolded(model: Model, files: readonly Checkpoint[], found: Matched): void {
  const { file, layers, builtIn } = model;
  if (builtIn) return;
  const plain = layers.filter(
    ({ op, bias, norm }) => /^(Conv|ConvTranspose|Gemm)$/.test(op) && norm === null && bias !== null,
  );
  const widthOf = (one: Unexpected) => found.scopes[one.file]?.table.tensors.get(one.key)?.shape.join();
  const norm = found.unexpected.find(
    (one) => one.key.endsWith('running_var') && plain.some(({ bias }) => bias?.shape.join() === widthOf(one)),
  );
  if (!norm) return;
  const folded = plain.filter(({ bias }) => bias?.shape.join() === widthOf(norm));
  throw weightsError(
    files[norm.file]?.path ?? '',
    `has BatchNorm (${norm.key}) that ${file.path} has not: it was folded into the convolutions at export (${some(
      folded.map(({ name }) => name),
      3,
    )}), whose weights are others then`,
    'export the model again with BatchNorm kept (docs/export.md says how)',
  );
}

/** @returns warnings about what is only in part there, when that is allowed */
function judge(model: Model, files: readonly Checkpoint[], found: Matched, allowPartial: boolean): string[] {
  const { missing, misfit, unexpected, matches } = found;
  const problems = [
    missing.length > 0 && `missing ${some(missing)}`,
    misfit.length > 0 && `misshapen ${some(misfit.map(({ text }) => text))}`,
    unexpected.length > 0 && `unexpected ${some(unexpected.map(({ key }) => key))}`,
  ].filter((problem) => problem !== false);
  if (problems.length === 0) return [];
  const paths = files.map(({ path }) => path).join(', ');
  const all = matches.length + missing.length + misfit.length;
  const text = `has ${matches.length} of the ${all} parameters of ${model.file.path}: ${problems.join('; ')}`;
  if (allowPartial && matches.length > 0) return [`${paths}: ${text}`];
  const remedy = remedyFor(model, misfit);
  throw weightsError(
    paths,
    text,
    matches.length > 0 ? `${remedy}, or load just what fits with --allow-partial` : remedy,
  );
}

/** A built-in network has the number of classes that it is asked for. */
function remedyFor(model: Model, misfit: Matched['misfit']): string {
  if (!model.builtIn) return 'give the checkpoint of this model, or export it without constant folding';
  const head = misfit.find(({ parameter }) => parameter.tensor === headOf(model)?.weight);
  const [classes, ...rest] = head?.tensor.shape ?? [];
  if (classes !== undefined && rest.join() === head?.parameter.shape.slice(1).join()) {
    return `it has ${classes} classes: give --classes ${classes}`;
  }
  return `give a checkpoint of ${model.builtIn.architecture} with these classes, channels and size`;
}

/** @param earlier where the model's weights were from before */
function describe(
  earlier: LoadedWeights | null,
  parameters: readonly ModelParameter[],
  files: readonly Checkpoint[],
  hashes: readonly string[],
  found: Matched,
): LoadedWeights {
  const before = earlier?.files.length ?? 0;
  const mapping: Mapping[] = [];
  for (const parameter of parameters) {
    const match = found.matches.find((one) => one.parameter === parameter);
    const kept = earlier?.mapping.find(({ tensor }) => tensor === parameter.tensor);
    if (match) mapping.push(mappingOf(match, before));
    else if (kept) mapping.push(kept);
  }
  const loaded = new Set(mapping.map(({ parameter }) => parameter));
  return {
    files: [
      ...(earlier?.files ?? []),
      ...files.map(({ path, format }, i) => ({
        path,
        format,
        sha256: hashes[i] ?? '',
        place: placeText(found.scopes[i]!),
      })),
    ],
    mapping,
    missing: found.missing.filter((name) => !loaded.has(name)),
    unexpected: [
      ...(earlier?.unexpected ?? []),
      ...found.unexpected.map(({ file, key }) => ({ file: before + file, key })),
    ],
    misfit: [...(earlier?.misfit ?? []), ...found.misfit.map(({ text }) => text)],
  };
}

function mappingOf({ parameter, file, key, tensor }: Match, filesBefore: number): Mapping {
  return {
    parameter: parameter.names[0] ?? parameter.tensor,
    tensor: parameter.tensor,
    shape: parameter.shape,
    file: filesBefore + file,
    key,
    type: tensor.type.name,
    transposed: parameter.transposed,
  };
}
