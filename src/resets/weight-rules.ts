/**
 * Resets that look at a layer's trained weights as a whole: rounding them to few numbers, setting the smallest to zero,
 * lowering their rank. A parameter's weights are output channels x rest, in PyTorch's order. What is found for a reset is
 * kept as long as the reset.
 */
import { native } from '../native/addon.js';
import type { Layout, QuantizeGrid, ResetRule } from '../native/reset-rule.js';
import type { Parameter } from '../onnx/layers.js';

/** What is done to a weight; null leaves it as it is, as rounding does what has been rounded before. */
export type WeightRule = { rule: ResetRule; factor?: Float32Array } | null;

/** The same, or null where it comes to the values themselves. */
export async function unlessSame(
  found: WeightRule,
  { layout }: Parameter,
  values: Float32Array,
): Promise<WeightRule> {
  if (!found) return null;
  const changed = values.slice();
  const { rule, factor } = found;
  await native().resetAsync(changed, rule, { layout, ...(factor && { factor }) });
  return native().norms(values, changed).difference === 0 ? null : found;
}

/** The largest number of each grid, which the largest weight of a channel becomes. */
const largest = { int8: 127, int4: 7, fp8: 448 } as const;

/** Below it a float has fewer digits, and its inverse may be none. */
const LEAST_SCALE = 2 ** -126;

/**
 * Symmetric, per output channel: the scale is the channel's largest size by the grid's largest number, in float32.
 * @throws RangeError for weights that are not finite
 */
export function quantizeRule(
  grid: QuantizeGrid,
  { layout }: Parameter,
  values: Float32Array,
): NonNullable<WeightRule> {
  const sizes = perChannel(layout, values, (most, value) => Math.max(most, Math.abs(value)));
  if (!sizes.every(Number.isFinite)) throw new RangeError('its weights must be finite');
  const scales = Float32Array.from(sizes, (size) => Math.max(size / largest[grid], LEAST_SCALE));
  return { rule: { kind: 'quantize', grid, scales } };
}

/**
 * The smallest weights become zero; of equal ones, those that come first. As many as
 * `torch.nn.utils.prune.l1_unstructured` takes: the fraction of them, rounded, halves to the even number.
 */
export async function pruneRule(
  fraction: number,
  { layout }: Parameter,
  values: Float32Array,
): Promise<WeightRule> {
  const count = roundToEven(fraction * values.length);
  if (count === 0) return null;
  return { rule: { kind: 'prune', ...(await native().smallest(values, layout, count)) } };
}

/**
 * The output channels with the smallest Euclidean norms become zero; of equal ones, those that come first. As many as
 * `torch.nn.utils.prune.ln_structured` takes, with `n=2` and `dim=0`.
 */
export function pruneChannelsRule(fraction: number, { layout }: Parameter, values: Float32Array): WeightRule {
  const count = roundToEven(fraction * layout.channels);
  if (count === 0) return null;
  const squares = perChannel(layout, values, (sum, value) => sum + value * value);
  const order = [...squares.keys()].sort((a, b) => squares[a]! - squares[b]! || a - b);
  const factor = new Float32Array(layout.channels).fill(1);
  for (const channel of order.slice(0, count)) factor[channel] = 0;
  // Nothing but the factor: all of the weight stays.
  return { rule: { kind: 'interpolate', donor: values, alpha: 1 }, factor };
}

/** Roundings of the product, which must not lift a rank by one. */
const ROUNDING = 1e-9;

/** The nearest matrix of a lower rank, by singular values: the fraction of the full rank, rounded up. */
export async function lowRankRule(
  fraction: number,
  { layout }: Parameter,
  values: Float32Array,
): Promise<WeightRule> {
  const full = Math.min(layout.channels, values.length / layout.channels);
  const rank = Math.ceil(fraction * full - ROUNDING);
  if (rank === full) return null;
  const vectors = await vectorsOf(layout, values);
  return {
    rule: {
      kind: 'interpolate',
      donor: await native().keepRank(values, layout, vectors, rank),
      alpha: 0,
    },
  };
}

/** Cells go by layer: several ranks of one weight ask for its vectors one after the other. */
let newest: { values: WeakRef<Float32Array>; vectors: Promise<Float64Array> } | undefined;

function vectorsOf(layout: Layout, values: Float32Array): Promise<Float64Array> {
  if (newest?.values.deref() !== values) {
    newest = { values: new WeakRef(values), vectors: native().singularVectors(values, layout) };
  }
  return newest.vectors;
}

function perChannel(
  { channels, inner }: Layout,
  values: Float32Array,
  add: (total: number, value: number) => number,
): Float64Array {
  const totals = new Float64Array(channels);
  for (let from = 0, channel = 0; from < values.length; from += inner, channel++) {
    if (channel === channels) channel = 0;
    let total = totals[channel]!;
    for (let i = from; i < from + inner; i++) total = add(total, values[i]!);
    totals[channel] = total;
  }
  return totals;
}

/** As Python's `round`. */
function roundToEven(value: number): number {
  const below = Math.floor(value);
  const over = value - below;
  return over > 0.5 || (over === 0.5 && below % 2 === 1) ? below + 1 : below;
}
