/**
 * Which tensor of which checkpoint becomes which parameter of a model. A later file's tensor takes the place of an
 * earlier one's, so that a linear head can follow its backbone.
 */

import { quoted, some } from '../errors.js';
import type { Contents } from '../weights/checkpoint-file.js';
import { isSame, type StoredTensor } from '../weights/stored-tensor.js';
import { weightsError } from '../weights/weights-error.js';
import { type Outside, outsideOf } from './outside.js';
import type { ModelParameter } from './parameters.js';
import { nameOfPlace, scopesAt } from './place.js';
import { fileName } from './rename.js';
import { byNames, findScopes, fits, rivalsOf, type Scope } from './scope.js';

/** A checkpoint as far as it matters here. */
type Named = Contents & {
  readonly path: string;
  /** Where in it the weights are to be taken from. */
  readonly place?: string;
};

export interface Match {
  readonly parameter: ModelParameter;
  /** Position of the file among those given. */
  readonly file: number;
  /** The tensor's name in the file. */
  readonly key: string;
  readonly tensor: StoredTensor;
}

export interface Matched {
  /** In the order of the parameters. */
  readonly matches: readonly Match[];
  /** Where in each file they were found. */
  readonly scopes: readonly Scope[];
  /** Names of required parameters that no file has. */
  readonly missing: readonly string[];
  /** Tensors among a file's parameters that the model does not have: `key of file`. */
  readonly unexpected: readonly Unexpected[];
  /** By file: tensors elsewhere in it that became nothing. */
  readonly outside: readonly (readonly Outside[])[];
  /** Parameters whose tensor in the last file that has one is of another shape or type. */
  readonly misfit: readonly Misfit[];
  readonly warnings: readonly string[];
}

export interface Misfit {
  readonly parameter: ModelParameter;
  readonly tensor: StoredTensor;
  /** In words. */
  readonly text: string;
}

export interface Unexpected {
  readonly file: number;
  readonly key: string;
}

/** The name of a classifier, where a head is published under another one than the model's. */
const headName =
  /(^|\.)(fc|linear|lin|head|heads|classifier|clf|last_layer|last_linear|logits|probe|output)(\.\d+)?$/;

/**
 * @param head stored tensors of the layer that makes the logits
 * @throws CritmapError (ERR_WEIGHTS) for a file of which nothing fits
 */
export function match(
  files: readonly Named[],
  parameters: readonly ModelParameter[],
  head: { weight: string; bias: string | null } | undefined,
): Matched {
  const matches = new Map<ModelParameter, Match>();
  const misfit = new Map<ModelParameter, Misfit>();
  const scopes: Scope[] = [];
  /** By file: where the head's own neighbours are, when it lies outside of the scope. */
  const besides: (string | undefined)[] = [];
  /** By file: other places that have the model. */
  const rivals: Scope[][] = [];
  const warnings: string[] = [];
  const take = (one: Match) => {
    matches.set(one.parameter, one);
    misfit.delete(one.parameter);
  };
  for (const [file, checkpoint] of files.entries()) {
    const everywhere = findScopes(checkpoint.tables, parameters);
    const found = chosen(checkpoint, everywhere);
    const heads = headOf(checkpoint, parameters, head, found[0]);
    const best = found[0]?.fitting ? found[0] : (heads ?? found[0]);
    if (!best)
      throw checkpoint.place ? notThere(checkpoint, everywhere) : nothingFits(checkpoint, parameters);
    scopes.push(best);
    rivals.push(rivalsOf(best, everywhere));
    if (checkpoint.place === undefined)
      warnings.push(...choiceWarning(checkpoint.path, best, rivals.at(-1)!));
    const byName = byNames(parameters, best.modelPrefix);
    for (const [key, tensor] of best.table.tensors) {
      const parameter = key.startsWith(best.prefix) ? byName.get(key.slice(best.prefix.length)) : undefined;
      if (!parameter) continue;
      if (fits(parameter, tensor)) take({ parameter, file, key, tensor });
      else {
        const where = files.length > 1 ? checkpoint.path : 'the file';
        const text = misfitText(where, fileName(best.table, key), tensor, parameter);
        misfit.set(parameter, { parameter, tensor, text });
      }
    }
    for (const one of heads?.tensors ?? []) take({ ...one, file });
    besides.push(heads?.beside);
  }
  const used = [...matches.values()];
  const unexpected = scopes.map((scope, file) => unexpectedIn(scope, file, used, parameters, besides[file]));
  return {
    matches: parameters.flatMap((parameter) => matches.get(parameter) ?? []),
    scopes,
    missing: parameters
      .filter((parameter) => parameter.required && !matches.has(parameter) && !misfit.has(parameter))
      .map(({ names, tensor }) => names[0] ?? tensor),
    unexpected: unexpected.flat(),
    outside: scopes.map((scope, file) => {
      const told = new Set(unexpected[file]!.map(({ key }) => key));
      return outsideOf(
        files[file]!.tables,
        scope,
        rivals[file]!,
        (table, key, tensor) =>
          (table === scope.table && told.has(key)) || used.some((one) => isSame(one.tensor, tensor)),
      );
    }),
    misfit: [...misfit.values()],
    warnings,
  };
}

/** The places that the file's `#` means, or all. */
const chosen = ({ place }: Named, scopes: readonly Scope[]) =>
  place === undefined ? scopes : scopesAt(scopes, place);

function notThere({ path, place = '' }: Named, scopes: readonly Scope[]) {
  const places = [...new Set(scopes.filter(({ fitting }) => fitting > 0).map(nameOfPlace))];
  return weightsError(
    path,
    `has no weights of the model at ${quoted(place)}`,
    places.length > 0 ? `it has some at ${some(places)}` : 'give a checkpoint of this architecture',
  );
}

/** Which of several sets was taken, and how to take another. */
function choiceWarning(path: string, best: Scope, rivals: readonly Scope[]): string[] {
  const [first] = rivals;
  if (!first) return [];
  const others = some(rivals.map(placeText));
  return [
    `${path} holds the model more than once: ${placeText(best)} is taken, not ${others}; --weights ${path}#${nameOfPlace(first)} takes another`,
  ];
}

/** `state_dict`, `state_dict, module.`, or the file itself. */
export function placeText({ table, prefix }: Scope): string {
  return [table.path.join('.'), prefix && `${prefix}*`].filter(Boolean).join(': ') || 'its top level';
}

/**
 * Floating-point tensors of a scope that became nothing, and are not another name of one that did.
 *
 * @param beside - what the names of the head's neighbours begin with: a norm in front of it is a part of that network
 */
function unexpectedIn(
  { table, prefix, modelPrefix }: Scope,
  file: number,
  used: readonly Match[],
  parameters: readonly ModelParameter[],
  beside: string | undefined,
): Unexpected[] {
  const byName = byNames(parameters, modelPrefix);
  const taken = new Set(used.filter((one) => one.file === file).map(({ key }) => key));
  return [...table.tensors].flatMap(([key, tensor]) => {
    const isInside = key.startsWith(prefix);
    if (!isInside && !(beside !== undefined && key.startsWith(beside))) return [];
    if (taken.has(key) || (isInside && byName.has(key.slice(prefix.length)))) return [];
    const counts = tensor.type.floating && !key.endsWith('num_batches_tracked');
    const tied = used.some((one) => isSame(one.tensor, tensor));
    return counts && !tied ? [{ file, key }] : [];
  });
}

/** A head that is published under another name: the one weight of a classifier's name that has the head's shape. */
function headOf(
  { tables, place }: Named,
  parameters: readonly ModelParameter[],
  head: { weight: string; bias: string | null } | undefined,
  best: Scope | undefined,
) {
  const weight = parameters.find(({ tensor }) => tensor === head?.weight);
  const bias = parameters.find(({ tensor }) => tensor === head?.bias);
  if (!weight) return undefined;
  const known = best && byNames(parameters, best.modelPrefix);
  const found = (best?.fitting ? [best.table] : tables).flatMap((table) =>
    [...table.tensors].flatMap(([key, tensor]) => {
      const module = key.endsWith('.weight') ? key.slice(0, -'.weight'.length) : undefined;
      if (!module || !headName.test(module) || !fits(weight, tensor)) return [];
      if (best?.fitting && known?.has(key.slice(best.prefix.length))) return [];
      const shift = table.tensors.get(`${module}.bias`);
      if (bias && !(shift && fits(bias, shift))) return [];
      const prefix = module.slice(0, module.search(headName)).replace(/[^.]$/, '$&.');
      const scope: Scope = { table, prefix, modelPrefix: '', fitting: 1, named: 1 };
      return [
        {
          ...scope,
          // `head.` of `head.2`: the last of several.
          beside: /\.\d+$/.test(module) ? module.replace(/\d+$/, '') : undefined,
          tensors: [
            { parameter: weight, key, tensor },
            ...(bias && shift ? [{ parameter: bias, key: `${module}.bias`, tensor: shift }] : []),
          ],
        },
      ];
    }),
  );
  const exact =
    best?.fitting &&
    [...(known ?? [])].some(([name, parameter]) => {
      const tensor = best.table.tensors.get(best.prefix + name);
      return parameter === weight && tensor && fits(weight, tensor);
    });
  const meant = place === undefined || best?.fitting ? found : scopesAt(found, place);
  return meant.length === 1 && !exact ? meant[0] : undefined;
}

function misfitText(
  where: string,
  key: string,
  { type, shape }: StoredTensor,
  parameter: ModelParameter,
): string {
  const name = parameter.names[0] ?? parameter.tensor;
  const size = (dims: readonly number[]) => dims.join('x') || 'a single number';
  const kind = type.readable ? '' : `${type.name} `;
  const named = key === name ? '' : ` as ${key}`;
  return `${name} (${kind}${size(shape)}${named} in ${where}, ${size(parameter.shape)} in the model)`;
}

function nothingFits({ path, tables }: Named, parameters: readonly ModelParameter[]) {
  const there = tables.flatMap(({ tensors }) => [...tensors.keys()]);
  const wanted = parameters.flatMap(({ names }) => names[0] ?? []);
  return weightsError(
    path,
    there.length === 0
      ? 'holds no named tensors'
      : `none of its ${there.length} tensors (${some(there, 3)}) is a parameter of the model (${some(wanted, 3)})`,
    'give a checkpoint of this architecture',
  );
}
