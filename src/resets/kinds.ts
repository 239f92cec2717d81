/** The kinds of resets, and what is asked of them besides the kind. */
import type { InitChoice } from '../initialisation/initials.js';
import { type LayerParts, membersOf, type Resettable } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import type { NormChoice } from '../model/target-choice.js';
import type { QuantizeGrid } from '../native/reset-rule.js';
import { isNormOp } from '../onnx/norm-ops.js';
import type { Activations, MeasuredReplacement } from './activation.js';

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
 * What takes the place of what a layer or group gives, for a reset of that.
 * @throws RangeError when the context does not say
 */
export function replacementIn(
  { activations }: ResetContext,
  one: { layer: { name: string }; reset: { label: string } },
): MeasuredReplacement {
  if (!activations) throw new RangeError(`the context has nothing for ${one.reset.label}`);
  return activations.of(one);
}
