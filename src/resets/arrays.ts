/**
 * The native resets and comparisons for scripts: names instead of rules, ndarrays instead of flat blocks; on the
 * processor for arrays, on a card for its buffers.
 */
import { types } from 'node:util';
import type { NdArray } from 'ndarray';
import { type Distribution, drawFrom, type Fans, parseScheme } from '../initialisation/scheme.js';
import { type Comparison, native } from '../native/addon.js';
import { DeviceBuffer } from '../native/open-card.js';
import type { ResetRule } from '../native/reset-rule.js';
import { type OptionKinds, refuseMisuse } from '../options.js';
import { resetKey } from './parameter-resets.js';

/** What is drawn, and which draw it is. */
export interface ResetWeightsOptions {
  /** PyTorch's shape, output channels first: `[out, in / groups, kh, kw]` or `[out, in]`. */
  shape: readonly number[];
  /**
   * A scheme as `--init` takes it, `trunc-normal:0.02`; default `kaiming-normal`. Not `match` or `auto`, which need a
   * trained model, or `keep`.
   */
  init?: string;
  /** Of a grouped convolution; default 1. */
  groups?: number;
  /** Instead of a scheme: what to do to every element. A `key` in it is used as it is. */
  rule?: ResetRule;
  /** Which draw; the same four give the same values everywhere. Defaults 0, `''`, `'weight'`, 0. */
  seed?: number;
  layer?: string;
  parameter?: string;
  trial?: number;
  /** One factor per output channel. */
  factor?: Float32Array;
}

const known = {
  ...{ shape: null, init: 'text', groups: null, rule: null, seed: null, layer: 'text', parameter: 'text' },
  ...{ trial: null, factor: null },
} as const satisfies OptionKinds<ResetWeightsOptions>;

/** Off the main thread from here: a copy costs less than a blocked event loop. */
const LARGE = 1 << 18;

/**
 * Re-initialises weights **in place**, with values that depend on nothing but seed, layer, parameter, trial and
 * an element's position, with the same bits in an array and in a card's buffer.
 *
 * @param weights row-major in the order of `shape`; what {@link Card.buffer} gives stays on its card
 * @returns a promise for the same array or buffer. Large arrays are filled off the main thread, and must not be
 *   transferred until it resolves; for a buffer it resolves when the work is queued, and whatever is asked of the buffer
 *   afterwards finds it done
 * @throws TypeError and RangeError for arrays and numbers that do not fit: a length other than the shape's, a
 *   fan of zero, a factor that is not one per output channel, shared or detached memory
 */
export async function resetWeights<W extends Float32Array | DeviceBuffer>(
  weights: W,
  options: ResetWeightsOptions,
): Promise<W> {
  const isOnCard = weights instanceof DeviceBuffer;
  if (!isOnCard && !types.isFloat32Array(weights)) {
    throw new TypeError('weights must be a Float32Array or a buffer of a card');
  }
  refuseMisuse('resetWeights', options, known);
  const { shape, init = 'kaiming-normal', groups = 1 } = options;
  if (!Array.isArray(shape)) throw new TypeError('shape must be an array of whole numbers');
  const { seed = 0, layer = '', parameter = 'weight', trial = 0 } = options;
  const size = shape.reduce((product, d) => product * d, 1);
  if (!shape.every((d) => Number.isSafeInteger(d) && d >= 0)) {
    throw new RangeError(`shape must be whole numbers, got [${shape.join(', ')}]`);
  }
  if (weights.length !== size) {
    throw new RangeError(`shape [${shape.join(', ')}] has ${size} elements, weights has ${weights.length}`);
  }
  for (const [name, value] of Object.entries({ seed, trial })) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`${name} must be a whole number from 0, got ${value}`);
    }
  }
  if (!Number.isSafeInteger(groups) || groups < 1) {
    throw new RangeError(`groups must be a whole number from 1, got ${groups}`);
  }
  const channels = shape[0] ?? 1;
  const receptive = shape.slice(2).reduce((product, d) => product * d, 1);
  const fans = { fanIn: (shape[1] ?? 1) * receptive, fanOut: channels * receptive, groups };
  const rule = options.rule ?? drawFrom(distributionOf(init, fans), resetKey(seed, layer, parameter, trial));
  const how = {
    layout: { channels, inner: channels > 0 ? size / channels : 1 },
    ...(options.factor && { factor: options.factor }),
  };
  if (isOnCard) await weights.reset(rule, how);
  else if (size >= LARGE) await native().resetAsync(weights, rule, how);
  else native().reset(weights, rule, how);
  return weights;
}

function distributionOf(init: string, fans: Fans): Distribution {
  const scheme = init === 'auto' ? undefined : parseScheme(init);
  const distribution = scheme?.matched ? undefined : scheme?.draw(fans);
  if (!distribution) throw new RangeError(`init must be a scheme that needs no trained model, got ${init}`);
  return distribution;
}

/** An N x classes block of logits. */
export type Logits = NdArray<Float32Array> | { data: Float32Array; shape: readonly [number, number] };

/** The same in a card's memory, row after row. */
export interface DeviceLogits {
  data: DeviceBuffer;
  shape: readonly [number, number];
}

/**
 * Compares two blocks of logits image by image: softmax probabilities p and q of the original and the changed
 * model by cosine, L1, L2, KL(p||q) in nats and Jensen-Shannon (base 2), and their top-1 classes. Two blocks in the
 * memory of one card are compared there, with the same bits, and only the numbers of images come back.
 *
 * @param original N x classes
 * @param changed the same shape
 * @param labels one class index per image, or -1 for none: then also top-1, top-5 and cross-entropy of `changed`
 * @throws TypeError and RangeError when shapes, lengths or labels do not fit
 */
export async function compareLogits(
  original: Logits | DeviceLogits,
  changed: Logits | DeviceLogits,
  labels?: Int32Array,
): Promise<Comparison> {
  const [rows, classes] = sizeOf('original', original);
  const [otherRows, otherClasses] = sizeOf('changed', changed);
  if (rows !== otherRows || classes !== otherClasses) {
    throw new RangeError(
      `original is ${rows} x ${classes}, changed is ${otherRows} x ${otherClasses}; they must be equal`,
    );
  }
  if (isOnCard(original) || isOnCard(changed)) {
    if (!isOnCard(original) || !isOnCard(changed)) {
      throw new TypeError('original and changed must both be arrays, or both be buffers of one card');
    }
    for (const [name, { data }] of Object.entries({ original, changed })) {
      if (data.length === rows * classes) continue;
      throw new RangeError(
        `${name} of ${rows} x ${classes} has ${rows * classes} elements, its buffer ${data.length}`,
      );
    }
    return original.data.compare(changed.data, classes, labels);
  }
  const [a, b] = [rowMajor(original, rows, classes), rowMajor(changed, rows, classes)];
  return a.length >= LARGE
    ? native().compareAsync(a, b, classes, labels)
    : native().compare(a, b, classes, labels);
}

const isOnCard = (block: Logits | DeviceLogits): block is DeviceLogits => block.data instanceof DeviceBuffer;

function sizeOf(name: string, { shape }: Logits | DeviceLogits): [rows: number, classes: number] {
  const [rows, classes] = shape;
  if (shape.length !== 2 || rows === undefined || classes === undefined) {
    throw new RangeError(`${name} must be N x classes, got a shape of length ${shape.length}`);
  }
  return [rows, classes];
}

/** The block's own memory when it is dense, a copy of a strided view. */
function rowMajor(block: Logits, rows: number, classes: number): Float32Array {
  if (!('stride' in block)) return block.data;
  const { data, offset, stride } = block;
  if (stride[1] === 1 && stride[0] === classes) return data.subarray(offset, offset + rows * classes);
  const dense = new Float32Array(rows * classes);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < classes; j++) dense[i * classes + j] = block.get(i, j);
  }
  return dense;
}
