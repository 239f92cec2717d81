/** What a reset does to each parameter of a layer, as rules that are applied where the weights are. */
import { createHash } from 'node:crypto';
import { type Initial, initialsOf } from '../initialisation/initials.js';
import { drawFrom } from '../initialisation/scheme.js';
import { matchFactor } from '../initialisation/spread.js';
import { membersOf, type Resettable } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import type { Layer, Parameter } from '../onnx/layers.js';
import { donorValues, gainResets } from './donor-values.js';
import type { Reset, ResetContext } from './kinds.js';
import { measured, norm } from './measured.js';
import { type ParameterReset, parametersOf, type Role } from './parameters.js';
import {
  lowRankRule,
  pruneChannelsRule,
  pruneRule,
  quantizeRule,
  unlessSame,
  type WeightRule,
} from './weight-rules.js';

const matchFactors = new WeakMap<Float32Array, Float32Array>();
/** What a reset makes of a weight as a whole, by the weight's values. */
const weightRules = new WeakMap<Reset, WeakMap<Float32Array, Promise<WeightRule>>>();

/**
 * The Philox key of one parameter in one trial: the first 8 bytes of SHA-256 over seed, layer, parameter and
 * trial, little-endian. Nothing else enters, so a value does not depend on order, device or model.
 */
export function resetKey(seed: number, layer: string, parameter: string, trial: number): bigint {
  const text = ['critmap', seed, layer, parameter, trial].join('\0');
  return createHash('sha256').update(text).digest().readBigUInt64LE(0);
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
    // Noise is for what is trained: a variance with noise is no variance.
    return mixture(reset, donorValues(reset.donor, layer, role, parameter));
  }
  switch (reset.kind) {
    case 'random': {
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
      return sigma > 0 ? { rule: { kind: 'blend', donor, alpha, std: sigma, key } } : mixture(reset, donor);
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

/** Nothing where all of it is the layer's own. */
const mixture = ({ alpha }: { alpha: number }, donor: Float32Array): WeightRule | undefined =>
  alpha === 1 ? undefined : { rule: { kind: 'interpolate', donor, alpha } };

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
