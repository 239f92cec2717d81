/**
 * Resets: what is done to a layer's parameters. From a reset, a layer and a trial this makes the new values of
 * every tensor that changes, and proves that something did change.
 */
import { createHash } from 'node:crypto';
import { CritmapError, messageOf } from '../errors.js';
import { type InitChoice, type Initial, initialsOf } from '../initialisation/initials.js';
import { drawFrom } from '../initialisation/scheme.js';
import { matchFactor } from '../initialisation/spread.js';
import { type LayerParts, membersOf, type Resettable } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import { type NormChoice, withAllTargets } from '../model/targets.js';
import { native } from '../native/addon.js';
import type { QuantizeGrid, ResetOptions, ResetRule } from '../native/reset-rule.js';
import type { Layer, Norm, Parameter } from '../onnx/layers.js';
import { isNormOp } from '../onnx/norm-ops.js';
import { transpose } from '../onnx/tensors.js';
import type { Activations } from './activation.js';
import {
  lowRankRule,
  pruneChannelsRule,
  pruneRule,
  quantizeRule,
  unlessSame,
  type WeightRule,
} from './weight-rules.js';

/** What `--reset` takes. */
export const resetForms =
  'random, zero, constant=V, shuffle, noise=SIGMA, donor=FILE[#PLACE], interpolate=FILE[#PLACE]@ALPHA[~SIGMA], ' +
  'quantize=int8|int4|fp8, prune=FRACTION, prune-channels=FRACTION, lowrank=FRACTION, skip, mean';

/** A reset as asked for, with its donor loaded. */
export type Reset =
  | { kind: 'random' | 'zero' | 'shuffle'; label: string }
  | { kind: 'skip' | 'mean'; label: string }
  | { kind: 'constant'; label: string; value: number }
  | { kind: 'noise'; label: string; sigma: number }
  /** `sigma`: of Gaussian noise that is added, as it is; default none. */
  | { kind: 'interpolate'; label: string; alpha: number; donor: Model; sigma?: number }
  | { kind: 'quantize'; label: string; grid: QuantizeGrid }
  | { kind: 'prune' | 'prune-channels' | 'lowrank'; label: string; fraction: number };

export interface ResetContext {
  seed: number;
  /** What random weights are drawn from. */
  init: InitChoice;
  /** Fresh models whose weights are the draws instead, in turn. */
  initFrom?: readonly Model[] | undefined;
  /**
   * `reset` also puts the convolution's BatchNorm to its initial state (scale 1, the rest 0, variance 1). `with-layer` has
   * the norm in the layer's group already.
   */
  norm: NormChoice;
  /** Which of a layer's own parameters are reset; default both. */
  parts?: LayerParts | undefined;
  /** What takes the place of what layers give, for resets of that. */
  activations?: Activations | undefined;
}

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
 * What is measured of trained values. They never change and every trial of a layer asks for it again, so it is
 * kept as long as they are.
 */
const matchFactors = new WeakMap<Float32Array, Float32Array>();
const norms = new WeakMap<Float32Array, number>();
/** A donor's matrices as the model stores them, where its export turned them round. */
const transposedDonors = new WeakMap<Float32Array, Float32Array>();
/** What a reset makes of a weight as a whole, by the weight's values. */
const weightRules = new WeakMap<Reset, WeakMap<Float32Array, Promise<WeightRule>>>();

/** Whether a reset has several independent trials with a layer or group: a norm always starts the same. */
export function isRandom(reset: Reset, layer: Resettable): boolean {
  if (reset.kind === 'random') return !membersOf(layer).every(({ op }) => isNormOp(op));
  if (reset.kind === 'interpolate') return (reset.sigma ?? 0) > 0;
  return reset.kind === 'shuffle' || reset.kind === 'noise';
}

/** The same of a reset that is known by its label only, `noise=0.1`, and a layer, or group, by its operators. */
export const isRandomLabel = (label: string, op: string) =>
  /^(shuffle|noise=.*|interpolate=.*@[^@]*~[^@]*)$/s.test(label) || (label === 'random' && !isNormOp(op));

/**
 * The Philox key of one parameter in one trial: the first 8 bytes of SHA-256 over seed, layer, parameter and
 * trial, little-endian. Nothing else enters, so a value does not depend on order, device or model.
 */
export function resetKey(seed: number, layer: string, parameter: string, trial: number): bigint {
  const text = ['critmap', seed, layer, parameter, trial].join('\0');
  return createHash('sha256').update(text).digest().readBigUInt64LE(0);
}

/** PyTorch's name of a parameter within its module. */
export type Role = 'weight' | 'bias' | 'running_mean' | 'running_var';

/** What a reset does to one parameter: the rule, and the factor of every output channel that goes with it. */
export interface ParameterReset {
  layer: Layer;
  /** Of a `gain`, which is what the graph multiplies the weight with, only a donor brings others. */
  role: Role | 'gain';
  /** The layer whose key its draws have: of a part the whole, so that the two are paired. */
  owner: string;
  parameter: Parameter;
  rule: ResetRule;
  factor?: Float32Array;
}

/**
 * What a reset does to the own parameters of a layer, or of a group's members, in one trial, as rules: engines apply them
 * where the weights are. A parameter that the reset leaves as it is has no entry: so does an interpolation all the way to
 * the layer's own weights.
 * @throws CritmapError (ERR_RESET) when the donor does not fit
 */
export async function parameterResets(
  model: Model,
  layer: Resettable,
  reset: Reset,
  trial: number,
  context: ResetContext,
): Promise<ParameterReset[]> {
  const resets: ParameterReset[] = [];
  for (const member of membersOf(layer)) {
    resets.push(...(await layerResets(model, member, reset, trial, context)));
  }
  return resets;
}

async function layerResets(
  model: Model,
  layer: Layer,
  reset: Reset,
  trial: number,
  context: ResetContext,
): Promise<ParameterReset[]> {
  const resets: ParameterReset[] = [];
  for (const [role, parameter] of parametersOf(layer, context.parts)) {
    const values = model.values(parameter.tensor);
    // What a part's own elements are shuffled by must not be what the other parts' are.
    const owner = reset.kind === 'shuffle' ? layer.name : (layer.whole ?? layer).name;
    const key = resetKey(context.seed, owner, role, trial);
    const drawn = drawnFrom(reset, trial, context);
    const found = await ruleFor(model, drawn, layer, role, values, key, context, parameter);
    if (!found) continue;
    const matched =
      reset.kind === 'random' &&
      !context.initFrom?.length &&
      isOwn(role) &&
      initialOf(model, layer, role, context).scheme.matched;
    const factor = () => measured(matchFactors, values, () => matchFactor(parameter, values));
    resets.push({ layer, role, owner, parameter, ...found, ...(matched && { factor: factor() }) });
    if (role === 'weight') resets.push(...gainResets(model, layer, drawn));
  }
  return resets;
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

const norm = (values: Float32Array) => measured(norms, values, () => native().norms(values, values).original);

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

function measured<T>(known: WeakMap<Float32Array, T>, values: Float32Array, measure: () => T): T {
  let found = known.get(values);
  if (found === undefined) {
    found = measure();
    known.set(values, found);
  }
  return found;
}

/** A layer's own parameters that are reset, by PyTorch's name within the module. */
export function parametersOf(layer: Layer, parts: LayerParts = 'both'): [role: Role, parameter: Parameter][] {
  const { weight, bias, statistics } = layer;
  const all: [Role, Parameter | null][] = [
    ['weight', weight],
    ['bias', bias],
    ['running_mean', statistics?.mean ?? null],
    ['running_var', statistics?.variance ?? null],
  ];
  return all.flatMap(([role, one]) => (one && (parts === 'both' || parts === role) ? [[role, one]] : []));
}

/** Not what a norm has measured. */
const isOwn = (role: Role): role is 'weight' | 'bias' => role === 'weight' || role === 'bias';

function initialOf(model: Model, layer: Layer, role: 'weight' | 'bias', { init }: ResetContext): Initial {
  const found = initialsOf(model, init).get(layer.name);
  if (!found) throw new RangeError(`${model.file.path} has no layer ${layer.name}`);
  return found[role];
}

/** A random reset whose draws are fresh models puts the draw's own model in the layer's place. */
function drawnFrom(reset: Reset, trial: number, { initFrom = [] }: ResetContext): Reset {
  const donor = reset.kind === 'random' ? initFrom[trial % initFrom.length] : undefined;
  return donor ? { kind: 'interpolate', label: reset.label, alpha: 0, donor } : reset;
}

async function ruleFor(
  model: Model,
  reset: Reset,
  layer: Layer,
  role: Role,
  values: Float32Array,
  key: bigint,
  context: ResetContext,
  parameter: Parameter,
): Promise<WeightRule | undefined> {
  if (!isOwn(role)) {
    // Means and variances of what never was make no norm.
    const value = role === 'running_var' ? 1 : 0;
    if (reset.kind === 'random') return { rule: { kind: 'constant', value } };
    if (reset.kind !== 'interpolate') return undefined;
  }
  switch (reset.kind) {
    case 'random': {
      if (!isOwn(role)) return undefined;
      const { distribution } = initialOf(model, layer, role, context);
      return distribution ? { rule: drawFrom(distribution, key) } : undefined;
    }
    case 'zero':
      return { rule: { kind: 'constant', value: 0 } };
    case 'skip':
    case 'mean':
      throw new RangeError(`${reset.label} leaves all weights as they are`);
    case 'constant':
      return { rule: { kind: 'constant', value: reset.value } };
    case 'shuffle':
      return { rule: { kind: 'shuffle', key } };
    case 'noise': {
      if (reset.sigma === 0) return undefined;
      // Relative to the parameter's root mean square, so that one sigma means the same in every layer.
      const std = (reset.sigma * norm(values)) / Math.sqrt(values.length);
      return { rule: { kind: 'noise', std, key } };
    }
    case 'interpolate': {
      const donor = donorValues(reset.donor, layer, role, parameter);
      const { alpha, sigma = 0 } = reset;
      if (sigma > 0) return { rule: { kind: 'blend', donor, alpha, std: sigma, key } };
      return reset.alpha === 1 ? undefined : { rule: { kind: 'interpolate', donor, alpha: reset.alpha } };
    }
    default: {
      // Biases are few and stay.
      if (role !== 'weight') return undefined;
      const ofReset = weightRules.get(reset) ?? new WeakMap<Float32Array, Promise<WeightRule>>();
      weightRules.set(reset, ofReset);
      return measured(ofReset, values, async () =>
        unlessSame(await weightRuleOf(reset, parameter, values), parameter, values),
      );
    }
  }
}

/** A donor's weight without its gain would be no weight of the donor's. */
function gainResets(model: Model, layer: Layer, reset: Reset): ParameterReset[] {
  if (reset.kind !== 'interpolate' || reset.alpha === 1 || !layer.gains) return [];
  const { donor, alpha } = reset;
  const theirs = donor.layers.find(({ name }) => name === layer.name)?.gains ?? [];
  const refuse = (why: string) => doesNotFit(donor, layer, why);
  if (theirs.map(({ shape }) => shape).join() !== layer.gains.map(({ shape }) => shape).join())
    throw refuse('its weight is computed in another way: export both with the same exporter');
  const found = new Map<string, ParameterReset>();
  for (const [i, parameter] of layer.gains.entries()) {
    const own = model.values(parameter.tensor);
    const other = donor.values(theirs[i]?.tensor ?? '');
    if (native().norms(own, other).difference === 0) continue;
    const known = found.get(parameter.tensor);
    if (parameter.shared || known)
      throw refuse(
        "the model's gain is stored once for several layers that have equal ones: export it with optimize=False",
      );
    found.set(parameter.tensor, {
      layer,
      role: 'gain',
      owner: layer.name,
      parameter,
      rule: { kind: 'interpolate', donor: other, alpha },
    });
  }
  return [...found.values()];
}

async function weightRuleOf(
  reset: Extract<Reset, { kind: 'quantize' | 'prune' | 'prune-channels' | 'lowrank' }>,
  parameter: Parameter,
  values: Float32Array,
): Promise<WeightRule> {
  switch (reset.kind) {
    case 'quantize':
      return quantizeRule(reset.grid, parameter, values);
    case 'prune':
      return pruneRule(reset.fraction, parameter, values);
    case 'prune-channels':
      return pruneChannelsRule(reset.fraction, parameter, values);
    case 'lowrank':
      return lowRankRule(reset.fraction, parameter, values);
  }
}

const doesNotFit = (donor: Model, { name }: Layer, why: string) =>
  new CritmapError(
    'ERR_RESET',
    `the donor ${donor.file.path} does not fit ${name}: ${why}; it must be the same architecture`,
  );

/**
 * A donor's values of one of a layer's parameters, in the order in which the model stores its own.
 * @throws CritmapError (ERR_RESET) when the donor does not fit
 */
export function donorValues(given: Model, layer: Layer, role: Role, wanted: Parameter): Float32Array {
  const donor = layer.whole || isNormOp(layer.op) ? withAllTargets(given) : given;
  const twin = donor.layers.find((candidate) => candidate.name === layer.name);
  const there = twin && parametersOf(twin).find(([one]) => one === role)?.[1];
  const refuse = (why: string) => doesNotFit(donor, layer, why);
  if (!there) throw refuse(`it has no ${role} of that layer`);
  if ((twin?.bias === null) !== (layer.bias === null) || (twin?.norm === null) !== (layer.norm === null)) {
    throw refuse('one of the two was exported with BatchNorm folded into the convolution, the other without');
  }
  if (there.shape.join() !== wanted.shape.join()) {
    throw refuse(
      `its ${role} is [${there.shape.join(', ')}] where the model's is [${wanted.shape.join(', ')}]`,
    );
  }
  const values = donor.values(there.tensor);
  if ((there.layout.transposed ?? false) === (wanted.layout.transposed ?? false)) return values;
  return measured(transposedDonors, values, () => transpose(values, there.stored));
}
