/** What the addon does to an array of weights: the rule, and the order in which its elements are stored. */

/**
 * How the elements of a parameter are numbered and scaled. Random values belong to an element's *logical*
 * index, PyTorch's (output channel first), so a Gemm stored transposed gets the same reset as one that is not.
 */
export interface Layout {
  /** Number of output channels. */
  channels: number;
  /** Stored elements between two neighbouring output channels (rows `[out, ...]`: the length of a row). */
  inner: number;
  /** Storage is `[rest, channels]` (`inner` must be 1) while the logical order is `[channels, rest]`. */
  transposed?: boolean;
  /**
   * Draws begin with this element of their key, a multiple of 4: a part of a larger parameter gets what it has in a draw
   * of the whole. Default 0.
   */
  first?: number;
}

/**
 * The element order that ONNX Runtime's convolutions want on processors with vectors: `[outputs, inputs, kernel]`
 * stored as `[outputs / block][inputs / inputBlock][kernel][inputBlock][block]`, what is past the last channel zero.
 */
export interface Blocked {
  outputs: number;
  /** Input channels of one group. */
  inputs: number;
  /** Elements of one kernel. */
  kernel: number;
  block: number;
  /** `block`, or 1. */
  inputBlock: number;
}

/**
 * What a reset does to every element of a parameter; `key` seeds Philox4x32-10 (64 bits). Numbers are rounded to
 * float32 and must be finite.
 */
export type ResetRule =
  /** On [low, high): 24 bits, the float below `high` where rounding would reach it; `low` if the two are equal. */
  | { kind: 'uniform'; low: number; high: number; key: bigint }
  /** The quantile of 32 random bits, within 1e-6 of it: |z| is at most 6.34. */
  | { kind: 'normal'; mean: number; std: number; key: bigint }
  /**
   * Normal(mean, std) conditioned on [low, high] (absolute bounds, as torch.nn.init.trunc_normal_). RangeError where
   * less than 2 % of the normals fall into the interval.
   */
  | { kind: 'trunc-normal'; mean: number; std: number; low: number; high: number; key: bigint }
  | { kind: 'constant'; value: number }
  /** Permute the elements that are in the target, all permutations equally likely; needs 24 bytes per element. */
  | { kind: 'shuffle'; key: bigint }
  /** (1 - alpha) * donor + alpha * target; the donor's elements are stored in the target's order. */
  | { kind: 'interpolate'; donor: Float32Array; alpha: number }
  /** Both: (1 - alpha) * donor + alpha * target + std * Normal(0, 1). */
  | { kind: 'blend'; donor: Float32Array; alpha: number; std: number; key: bigint }
  /** target + std * Normal(0, 1). */
  | { kind: 'noise'; std: number; key: bigint }
  /**
   * Rounded to the nearest of a grid's numbers, ties to even, times a scale per output channel (from 2^-126 to 2^126);
   * needs `layout`. The grids are the integers to 127 or to 7, and the floats of 4 exponent and 3 mantissa bits (E4M3)
   * to 448.
   */
  | { kind: 'quantize'; grid: QuantizeGrid; scales: Float32Array }
  /** Zero where |target| is below the threshold, or equal to it and the logical index below `ties`. */
  | { kind: 'prune'; threshold: number; ties: number };

/** Names of the grids of `quantize`. */
export const quantizeGrids = ['int8', 'int4', 'fp8'] as const;
export type QuantizeGrid = (typeof quantizeGrids)[number];

export interface ResetOptions {
  layout?: Layout;
  /** One factor per output channel, applied to the new value; needs `layout`. */
  factor?: Float32Array;
}
