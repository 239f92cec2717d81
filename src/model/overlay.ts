/** A model with the weights of checkpoints in place of its own. Its graph stays, and no file is written to. */
import { createHash } from 'node:crypto';
import { CritmapError, quoted, some } from '../errors.js';
import { type OnnxFile, replaceTensors } from '../onnx/file.js';
import { transpose } from '../onnx/tensors.js';
import { type Checkpoint, openCheckpoint } from '../weights/checkpoint.js';
import { unknownParametrisations } from '../weights/parametrisations.js';
import { readFloats } from '../weights/stored-tensor.js';
import { weightsError } from '../weights/weights-error.js';
import { type Dialect, dialects, translated } from './dialects.js';
import { type Match, type Matched, match, placeText, type Unexpected } from './match.js';
import type { LoadedWeights, Model } from './model.js';
import { type ModelParameter, parametersOf } from './parameters.js';
import type { Address } from './place.js';
import { fileName, parseRename, type Rename, renamed } from './rename.js';
import { maybeFolded, ofDeeperNetwork } from './superfluous.js';

type Mapping = LoadedWeights['mapping'][number];

export interface Overlaid {
  file: OnnxFile;
  weights: LoadedWeights;
  /** Over the model's hash and those of the files, in their order. */
  sha256: string;
  warnings: string[];
}

/** A checkpoint with the place in it that was asked for. */
type Given = Checkpoint & Omit<Address, 'path'>;

export interface OverlayOptions {
  /** Loads what fits and leaves the model's own values elsewhere. */
  allowPartial?: boolean;
  /** Other names for the checkpoints' tensors, each `REGEX=REPLACEMENT`. */
  rename?: readonly string[];
  /** Of these those that change no name are passed over, where otherwise they are refused. */
  idleRenames?: boolean;
}

/**
 * Reads checkpoints and puts their tensors where the model has parameters of these names.
 *
 * @param addresses safetensors or torch.save files, each with the place in it that is meant, where it holds several sets
 *   of weights; of a parameter that several have, the last counts
 * @throws CritmapError: ERR_WEIGHTS when a file cannot be read or lacks some of the model's parameters; ERR_OPTION for a
 *   rename that is none, or changes nothing
 */
export async function overlay(
  model: Model,
  addresses: readonly Address[],
  options: OverlayOptions = {},
): Promise<Overlaid> {
  const asked = (options.rename ?? []).map(parseRename);
  const files: Given[] = [];
  try {
    for (const { path, ...said } of addresses) files.push({ ...(await openCheckpoint(path)), ...said });
    const renames = renameAll(files, asked, options.idleRenames ?? false);
    const parameters = parametersOf(model);
    const matched = matchInDialects(files, parameters, headOf(model));
    refuseFolded(model, files, matched);
    const warnings = [
      ...matched.warnings,
      ...judge(model, files, parameters, matched, options.allowPartial ?? false),
    ];
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
      weights: describe(model.weights, parameters, files, hashes, matched, renames),
      sha256: createHash('sha256')
        .update([model.sha256, ...hashes, ...choices(files, renames)].join())
        .digest('hex'),
      warnings,
    };
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

/** For whose names the files' were taken, where not for the model's; those of some files may be the model's. */
type InDialect = Matched & { readonly dialect?: string };

/**
 * By the files' own names, or by those of a known dialect, which is then said: where these alone give every parameter,
 * or where only these give most of them, so that what is told of a head of other classes is told by the model's names.
 * @throws CritmapError (ERR_WEIGHTS) for a file of which nothing fits
 */
function matchInDialects(
  files: readonly Given[],
  parameters: readonly ModelParameter[],
  head: ReturnType<typeof headOf>,
): InDialect {
  const attempt = (tried: readonly Given[]): { found?: Matched; thrown?: unknown } => {
    try {
      return { found: match(tried, parameters, head) };
    } catch (thrown) {
      return { thrown };
    }
  };
  const plain = attempt(files);
  if (plain.found && isWhole(plain.found)) return plain.found;
  let most: InDialect | undefined;
  for (const dialect of dialects) {
    const tried = files.map((file) => ({ ...file, ...namesIn(file, dialect) }));
    const changed = files.filter(({ tables }, i) => tables !== tried[i]!.tables);
    if (changed.length === 0) continue;
    const { found } = attempt(tried);
    if (!found || (!isWhole(found) && found.matches.length <= (most?.matches.length ?? 0))) continue;
    const paths = changed.map(({ path }) => path).join(', ');
    const warning = `${paths}: its names are taken for those of ${dialect.name}`;
    most = { ...found, dialect: dialect.name, warnings: [warning, ...found.warnings] };
    if (isWhole(found)) return most;
  }
  if (most && hasMost(most) && !(plain.found && hasMost(plain.found))) return most;
  if (!plain.found) throw plain.thrown;
  return plain.found;
}

const isWhole = ({ missing, misfit }: Matched) => missing.length + misfit.length === 0;

/** Whether half of the parameters are there: then the checkpoint is one of this network, or nearly. */
const hasMost = ({ matches, missing, misfit }: Matched) => matches.length >= missing.length + misfit.length;

/** The file's tables in a dialect, or as they are where it changes nothing or two names would become one. */
function namesIn({ path, tables }: Given, dialect: Dialect): Pick<Given, 'tables'> {
  try {
    return { tables: translated(path, tables, dialect) ?? tables };
  } catch {
    return { tables };
  }
}

/**
 * @returns the renames that changed a name
 * @throws CritmapError (ERR_OPTION) for one that changes no name of any file, unless such are passed over
 */
function renameAll(files: Given[], renames: readonly Rename[], passesOver: boolean): readonly Rename[] {
  if (renames.length === 0) return [];
  const all = new Set<Rename>();
  for (const [i, file] of files.entries()) {
    const { tables, used } = renamed(file.path, file.tables, renames);
    for (const one of used) all.add(one);
    files[i] = { ...file, tables };
  }
  const idle = renames.find((one) => !all.has(one));
  if (!idle || passesOver) return renames.filter((one) => all.has(one));
  const names = files.flatMap(({ tables }) => tables.flatMap(({ tensors }) => [...tensors.keys()]));
  throw new CritmapError(
    'ERR_OPTION',
    `--rename ${quoted(idle.text)} changes no name in ${files.map(({ path }) => path).join(', ')}, which has ${some(names, 3)}`,
  );
}

/** What besides the files decides which weights are taken. */
const choices = (files: readonly Given[], renames: readonly Rename[]) => [
  ...files.flatMap(({ place }, i) => (place === undefined ? [] : [`${i}#${place}`])),
  ...renames.map(({ text }) => JSON.stringify(text)),
];

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

/** @returns warnings about what is left out, and about what is only in part there when that is allowed */
function judge(
  model: Model,
  files: readonly Checkpoint[],
  parameters: readonly ModelParameter[],
  found: Matched,
  allowPartial: boolean,
): string[] {
  const { missing, misfit, unexpected, matches } = found;
  const deeper = ofDeeperNetwork(found);
  const refused = deeper.length > 0 ? deeper : maybeFolded(model, parameters, found);
  const paths = files.map(({ path }) => path).join(', ');
  const namesOf = (list: readonly Unexpected[]) => some(list.map((one) => nameInFile(found, one)));
  const problems = [
    missing.length > 0 && `missing ${some(missing)}${hiddenText(files)}`,
    misfit.length > 0 && `misshapen ${some(misfit.map(({ text }) => text))}`,
    (allowPartial || refused.length > 0) &&
      unexpected.length > 0 &&
      `unexpected ${namesOf(refused.length > 0 ? refused : unexpected)}`,
  ].filter((problem) => problem !== false);
  if (isWhole(found) && refused.length === 0) {
    const outside = found.outside.flat();
    const count = outside.reduce((sum, { tensors }) => sum + tensors, unexpected.length);
    if (count === 0) return [];
    const elsewhere = some(outside.map(({ place, tensors }) => `${place} (${tensors})`));
    const names = [namesOf(unexpected), elsewhere].filter(Boolean).join('; elsewhere ');
    return [
      `${paths}: ${count} ${count === 1 ? 'tensor' : 'tensors'} that ${model.file.path} has no place for ${count === 1 ? 'is' : 'are'} left out: ${names}`,
    ];
  }
  const all = matches.length + missing.length + misfit.length;
  const text = `has ${matches.length} of the ${all} parameters of ${model.file.path}: ${problems.join('; ')}`;
  if (allowPartial && matches.length > 0) return [`${paths}: ${text}`];
  const remedy = remedyFor(model, misfit, deeper.length > 0);
  throw weightsError(
    paths,
    text,
    hasMost(found) ? `${remedy}, or load just what fits with --allow-partial` : remedy,
  );
}

/** What may be missing only because it cannot be reached. */
function hiddenText(files: readonly Checkpoint[]): string {
  const unknown = files.flatMap(({ tables }) => tables.flatMap(unknownParametrisations));
  if (unknown.length > 0) {
    return ` (${some(unknown, 3)} is parametrised in a way that critmap does not know; torch.nn.utils.parametrize.remove_parametrizations makes plain weights)`;
  }
  const names = [...new Set(files.flatMap(({ hidden = [] }) => hidden.map(({ name }) => quoted(name))))];
  return names.length === 0
    ? ''
    : ` (tensors are inside of ${some(names)}, which only its own code could read; nothing was executed)`;
}

const nameInFile = ({ scopes }: Matched, { file, key }: { file: number; key: string }) =>
  fileName(scopes[file]!.table, key);

/** A built-in network has the number of classes that it is asked for. */
function remedyFor(model: Model, misfit: Matched['misfit'], isDeeper: boolean): string {
  if (isDeeper && misfit.length === 0) return 'it is of a deeper network: give a checkpoint of this one';
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
  files: readonly Given[],
  hashes: readonly string[],
  found: InDialect,
  renames: readonly Rename[],
): LoadedWeights {
  const before = earlier?.files.length ?? 0;
  const mapping: Mapping[] = [];
  for (const parameter of parameters) {
    const match = found.matches.find((one) => one.parameter === parameter);
    const kept = earlier?.mapping.find(({ tensor }) => tensor === parameter.tensor);
    if (match) mapping.push(mappingOf(found, match, before));
    else if (kept) mapping.push(kept);
  }
  const loaded = new Set(mapping.map(({ parameter }) => parameter));
  return {
    files: [
      ...(earlier?.files ?? []),
      ...files.map(({ path, source, format, place, tables }, i) => ({
        path,
        ...(source === undefined ? {} : { source }),
        format,
        sha256: hashes[i] ?? '',
        place: placeText(found.scopes[i]!),
        ...(place === undefined ? {} : { chosen: place }),
        ...(renames.length === 0 ? {} : { renames: renames.map(({ text }) => text) }),
        ...(found.dialect === undefined || tables.includes(found.scopes[i]!.table)
          ? {}
          : { names: found.dialect }),
      })),
    ],
    mapping,
    missing: found.missing.filter((name) => !loaded.has(name)),
    unexpected: [
      ...(earlier?.unexpected ?? []),
      ...found.unexpected.map((one) => ({ file: before + one.file, key: nameInFile(found, one) })),
    ],
    misfit: [...(earlier?.misfit ?? []), ...found.misfit.map(({ text }) => text)],
  };
}

function mappingOf(found: Matched, { parameter, file, key, tensor }: Match, filesBefore: number): Mapping {
  return {
    parameter: parameter.names[0] ?? parameter.tensor,
    tensor: parameter.tensor,
    shape: parameter.shape,
    file: filesBefore + file,
    key: nameInFile(found, { file, key }),
    type: tensor.made === undefined ? tensor.type.name : `${tensor.type.name}, ${tensor.made}`,
    transposed: parameter.transposed,
  };
}
