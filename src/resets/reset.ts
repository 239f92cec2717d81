/**
 * Resets: what is done to a layer's parameters. From a reset, a layer and a trial this makes the new values of
 * every tensor that changes, and proves that something did change.
 */
import { CritmapError, messageOf } from '../errors.js';
import { membersOf, type Resettable } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import { native } from '../native/addon.js';
import type { ResetOptions, ResetRule } from '../native/reset-rule.js';
import type { Layer, Norm } from '../onnx/layers.js';
import type { Reset, ResetContext } from './kinds.js';
import { norm } from './measured.js';
import { parameterResets, resetKey } from './parameter-resets.js';
import { type ParameterReset, parametersOf } from './parameters.js';

/** How far parameters were moved: |W|^2 and |W' - W|^2. */
export interface Moved {
  original: number;
  difference: number;
}

/** |W' - W| / |W| of several parameters, or layers, together; null when the trained values are all zero. */
export function changeOf(moved: readonly Moved[]): number | null {
  const sum = (of: keyof Moved) => moved.reduce((total, one) => total + one[of], 0);
  const original = sum('original');
  return original > 0 ? Math.sqrt(sum('difference') / original) : null;
}

/** New values by stored tensor, and how far they are from the trained ones: |W' - W| / |W| over all of them. */
export interface Patch {
  tensors: Map<string, Float32Array>;
  moved: Moved;
  /** null when the trained values are all zero. */
  change: number | null;
}

/**
 * Whether a reset of this kind may leave a layer, or all of a group's members, as they are, and does: a result then, of no
 * change, and no mistake.
 */
export function leavesLayer(
  layer: Resettable,
  { kind }: Reset,
  resets: readonly ParameterReset[],
  { norm }: ResetContext,
): boolean {
  const resetsNorm = norm === 'reset' && membersOf(layer).some((member) => member.norm);
  return kind !== 'random' && resets.length === 0 && !resetsNorm;
}

/** The values of a BatchNorm as PyTorch makes it: scale 1, shift 0, mean 0, variance 1. */
export function initialNorm(model: Model, { scale, bias, mean, variance }: Norm): Map<string, Float32Array> {
  const filled = (tensor: string, value: number) => model.values(tensor).slice().fill(value);
  return new Map([
    ...[bias, mean].map((tensor) => [tensor, filled(tensor, 0)] as const),
    ...[scale, variance].map((tensor) => [tensor, filled(tensor, 1)] as const),
  ]);
}

/**
 * The new values of a layer, or of all members of a group, made off the main thread.
 * @param copy gives the memory for them, holding the trained ones; default new memory
 * @throws CritmapError (ERR_RESET) when nothing changes in a layer, or the donor does not fit.
 */
export async function resetLayer(
  model: Model,
  layer: Resettable,
  reset: Reset,
  trial: number,
  context: ResetContext,
  copy?: (values: Float32Array) => Float32Array,
): Promise<Patch> {
  const patches: Patch[] = [];
  for (const member of membersOf(layer)) {
    patches.push(await resetOne(model, member, reset, trial, context, copy));
  }
  const [first] = patches;
  if (first && patches.length === 1) return first;
  const moved = {
    original: patches.reduce((sum, patch) => sum + patch.moved.original, 0),
    difference: patches.reduce((sum, patch) => sum + patch.moved.difference, 0),
  };
  return {
    tensors: new Map(patches.flatMap(({ tensors }) => [...tensors])),
    moved,
    change: changeOf([moved]),
  };
}

async function resetOne(
  model: Model,
  layer: Layer,
  reset: Reset,
  trial: number,
  context: ResetContext,
  copy: (values: Float32Array) => Float32Array = (values) => values.slice(),
): Promise<Patch> {
  const tensors = new Map<string, Float32Array>();
  const addon = native();
  const resets = await resetsOf(model, layer, reset, trial, context);
  for (const { parameter, rule, factor } of resets) {
    const values = copy(model.values(parameter.tensor));
    try {
      await addon.resetAsync(values, rule, { layout: parameter.layout, ...(factor && { factor }) });
    } catch (cause) {
      throw cannotReset(model, layer, reset, cause);
    }
    tensors.set(parameter.tensor, values);
  }
  if (context.norm === 'reset' && layer.norm) {
    for (const [tensor, values] of initialNorm(model, layer.norm)) tensors.set(tensor, values);
  }
  let difference = 0;
  let original = 0;
  for (const [tensor, values] of tensors) {
    const distance = addon.norms(model.values(tensor), values);
    original += distance.original ** 2;
    difference += distance.difference ** 2;
  }
  if (leavesLayer(layer, reset, resets, context)) original = ownSquare(model, layer);
  else if (difference === 0 && !layer.accompanies) throw changesNothing(layer, reset);
  const moved = { original, difference };
  return { tensors, moved, change: changeOf([moved]) };
}

/**
 * How far each of several draws moves a layer's weights, without keeping them.
 * @returns one for each draw
 * @throws CritmapError (ERR_RESET) when a draw changes nothing
 */
export async function movesOf(
  model: Model,
  layer: Layer,
  reset: Reset,
  draws: readonly number[],
  context: ResetContext,
): Promise<Moved[]> {
  const squares = draws.map(() => 0);
  let original = 0;
  const resets = await resetsOf(model, layer, reset, 0, context);
  for (const { role, owner, parameter, rule, factor } of resets) {
    const values = model.values(parameter.tensor);
    original += norm(values) ** 2;
    const keys = BigUint64Array.from(draws, (draw) => resetKey(context.seed, owner, role, draw));
    const options = { layout: parameter.layout, ...(factor && { factor }) };
    const distances =
      'key' in rule
        ? await native().drawDistances(values, rule, options, keys)
        : draws.map(() => fixedDistance(values, rule, options));
    for (const [i, distance] of distances.entries()) squares[i]! += distance ** 2;
  }
  for (const [tensor, values] of context.norm === 'reset' && layer.norm
    ? initialNorm(model, layer.norm)
    : []) {
    const { original: size, difference } = native().norms(model.values(tensor), values);
    original += size ** 2;
    for (const i of draws.keys()) squares[i]! += difference ** 2;
  }
  if (leavesLayer(layer, reset, resets, context)) original = ownSquare(model, layer);
  else if (!layer.accompanies && squares.some((square) => square === 0)) throw changesNothing(layer, reset);
  return squares.map((difference) => ({ original, difference }));
}

/** |W|^2 of all that a layer has. */
const ownSquare = (model: Model, layer: Layer) =>
  parametersOf(layer).reduce((sum, [, { tensor }]) => sum + norm(model.values(tensor)) ** 2, 0);

/** Of a parameter that every draw sets to the same, as a bias of zeros. */
function fixedDistance(values: Float32Array, rule: ResetRule, options: ResetOptions): number {
  const changed = values.slice();
  native().reset(changed, rule, options);
  return native().norms(values, changed).difference;
}

/** The same, its failure named: weights that are not finite give spreads that are not, and so no rule. */
async function resetsOf(...asked: Parameters<typeof parameterResets>): Promise<ParameterReset[]> {
  try {
    return await parameterResets(...asked);
  } catch (cause) {
    const [model, layer, reset] = asked;
    throw cause instanceof CritmapError ? cause : cannotReset(model, layer, reset, cause);
  }
}

function cannotReset(
  model: Model,
  { name }: Pick<Layer, 'name'>,
  reset: Reset,
  cause: unknown,
): CritmapError {
  return new CritmapError(
    'ERR_RESET',
    `cannot reset ${name} of ${model.file.path} with ${reset.label}: ${messageOf(cause)}`,
    { cause },
  );
}

function changesNothing(layer: Layer, reset: Reset): CritmapError {
  return new CritmapError(
    'ERR_RESET',
    `resetting ${layer.name} with ${reset.label} changes none of its weights; leave it out with --exclude ${layer.name} or choose another reset`,
  );
}
