/**
 * Where in a checkpoint a model's parameters are. Training scripts save them under many names: in `state_dict` or
 * `model` or `online_backbone`, behind `module.` or `backbone.`, once plain and once averaged. No list of such names
 * is kept: the place is the dict and the prefix under which most parameters of the model are found in their shapes.
 */
import type { Table } from '../weights/checkpoint-file.js';
import { isSame, type StoredTensor } from '../weights/stored-tensor.js';
import type { ModelParameter } from './parameters.js';

export interface Scope {
  readonly table: Table;
  /** Before every name in the file, `module.`. */
  readonly prefix: string;
  /** Before every name in the model, when it was wrapped before it was exported. */
  readonly modelPrefix: string;
  /** Parameters found in their shape. */
  readonly fitting: number;
  /** Parameters found by name. */
  readonly named: number;
}

/** Longer names, and ones of more parts, are no parameter's. */
const LONGEST_NAME = 512;
const MOST_PARTS = 32;

/**
 * Of copies that fit equally well, evaluation takes averaged weights and the teacher's, as timm and DINO do, and not
 * those that only serve training.
 */
const preferred = /(^|[._/])((\w+_)?ema(_\w+)?|averaged?|teacher)([._/]|$)/i;
const avoided = /(^|[._/])(\w*momentum\w*|target\w*|encoder_k|attacker)([._/]|$)/i;

/** The places where parameters are found, the best first; none when no name fits. */
export function findScopes(tables: readonly Table[], parameters: readonly ModelParameter[]): Scope[] {
  const scopes: Scope[] = [];
  for (const modelPrefix of wrappers(parameters)) {
    const byName = byNames(parameters, modelPrefix);
    for (const table of tables) {
      for (const scope of scopesOf(table, modelPrefix, byName)) scopes.push(scope);
    }
  }
  const rank = ({ table, prefix }: Scope) => {
    const where = [...table.path, prefix].join('/').slice(-LONGEST_NAME);
    return (preferred.test(where) ? 1 : 0) - (avoided.test(where) ? 1 : 0);
  };
  // Many names whose shapes differ tell more of a file than a few that fit under a prefix of chance.
  const score = ({ fitting, named }: Scope) => 2 * fitting + named;
  return scopes.sort(
    (a, b) =>
      score(b) - score(a) ||
      b.fitting - a.fitting ||
      rank(b) - rank(a) ||
      a.prefix.length - b.prefix.length ||
      a.modelPrefix.length - b.modelPrefix.length,
  );
}

/** The part of the best place's parameters from which on another one is a set of weights too; its head may be missing. */
const COMPLETE = 0.9;

/** Other places that have the model too, as other tensors: the choice was not forced. One of each name. */
export function rivalsOf(best: Scope, scopes: readonly Scope[]): Scope[] {
  const rivals: Scope[] = [];
  for (const other of scopes) {
    if (other.fitting < COMPLETE * best.fitting || [best, ...rivals].some((one) => isPlace(one, other)))
      continue;
    const differs = [...best.table.tensors].some(([name, tensor]) => {
      if (!name.startsWith(best.prefix)) return false;
      const twin = other.table.tensors.get(other.prefix + name.slice(best.prefix.length));
      return twin?.type.floating && !isSame(tensor, twin);
    });
    if (differs) rivals.push(other);
  }
  return rivals;
}

const isPlace = (a: Scope, b: Scope) => a.table === b.table && a.prefix === b.prefix;

/** By the names that a checkpoint has after its own prefix. */
export function byNames(
  parameters: readonly ModelParameter[],
  modelPrefix: string,
): Map<string, ModelParameter> {
  const found = new Map<string, ModelParameter>();
  // A parameter's first name counts more than another one's second.
  for (const turn of [0, 1]) {
    for (const parameter of parameters) {
      const name = parameter.names[turn];
      if (!name?.startsWith(modelPrefix)) continue;
      const rest = name.slice(modelPrefix.length);
      if (!found.has(rest)) found.set(rest, parameter);
    }
  }
  return found;
}

export function fits({ shape }: ModelParameter, tensor: StoredTensor): boolean {
  return tensor.type.readable && tensor.shape.join() === shape.join();
}

function scopesOf(table: Table, modelPrefix: string, byName: ReadonlyMap<string, ModelParameter>): Scope[] {
  const counts = new Map<string, { fitting: number; named: number }>();
  for (const [key, tensor] of table.tensors) {
    if (key.length > LONGEST_NAME) continue;
    for (let at = 0, parts = 0; at >= 0 && parts < MOST_PARTS; parts++) {
      const parameter = byName.get(key.slice(at));
      if (parameter) {
        const prefix = key.slice(0, at);
        const count = counts.get(prefix) ?? { fitting: 0, named: 0 };
        counts.set(prefix, count);
        count.named += 1;
        if (fits(parameter, tensor)) count.fitting += 1;
      }
      const dot = key.indexOf('.', at);
      at = dot < 0 ? -1 : dot + 1;
    }
  }
  return [...counts].map(([prefix, count]) => ({ table, prefix, modelPrefix, ...count }));
}

/** Prefixes that most of the model's own names have, and none: `model.` of a wrapper. */
function wrappers(parameters: readonly ModelParameter[]): string[] {
  const counts = new Map<string, number>();
  const required = parameters.filter((parameter) => parameter.required);
  for (const { names } of required) {
    const name = names[0] ?? '';
    let prefix = '';
    for (const part of name.split('.').slice(0, -1).slice(0, 3)) {
      prefix += `${part}.`;
      counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
    }
  }
  const most = [...counts].filter(([, count]) => count > required.length / 2).map(([prefix]) => prefix);
  return ['', ...most];
}
