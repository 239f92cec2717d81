/**
 * What the native core should give, computed another way: Philox word by word in integers, the normal quantile in
 * float64 by Newton's method on the error function, and the comparison of two rows in float64 sums.
 */

/** High and low word of a 32 x 32 bit product. */
function product(a: number, b: number): [number, number] {
  const wide = BigInt(a) * BigInt(b);
  return [Number(wide >> 32n), Number(wide & 0xffffffffn)];
}

/** Philox4x32-10 as in the paper: four counter words, two key words. */
export function philox(counter: readonly number[], key: readonly number[]): number[] {
  let [c0, c1, c2, c3] = counter as [number, number, number, number];
  let [k0, k1] = key as [number, number];
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = product(0xd2511f53, c0);
    const [high1, low1] = product(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** The random words of elements 0 ... count - 1. */
export function words(key: bigint, count: number, stream = 0): Uint32Array {
  const out = new Uint32Array(Math.ceil(count / 4) * 4);
  const halves = [Number(key & 0xffffffffn), Number(key >> 32n)];
  for (let block = 0; block < out.length / 4; block++)
    out.set(philox([block, 0, stream, 0], halves), 4 * block);
  return out.subarray(0, count);
}

/** P(0 < Z < z) for small z >= 0, by its series. */
function lowerHalf(z: number): number {
  let term = z;
  let sum = z;
  for (let n = 1; n < 60; n++) {
    term *= -(z * z) / (2 * n);
    sum += term / (2 * n + 1);
  }
  return sum / Math.sqrt(2 * Math.PI);
}

/** P(Z > z) for z >= 0, beyond 2 by a continued fraction. */
function upperTail(z: number): number {
  if (z < 2) return 0.5 - lowerHalf(z);
  let fraction = z;
  for (let n = 200; n >= 1; n--) fraction = z + n / fraction;
  return Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI) / fraction;
}

export function normalCdf(z: number): number {
  return z > 0 ? 1 - upperTail(z) : upperTail(-z);
}

/** The normal of a random word: sign in bit 31, p = (r + 1/2) / 2^32 from the others. */
export function normalOf(word: number): number {
  const r = word & 0x7fffffff;
  const p = (r + 0.5) / 2 ** 32;
  const centre = (2 ** 31 - r - 0.5) / 2 ** 32;
  // Near the middle from x = 1/2 - p, or p would lose x's digits; in the tail from logarithms.
  const middle = p > 0.25;
  let z = middle ? centre * Math.sqrt(2 * Math.PI) : Math.sqrt(-2 * Math.log(p));
  for (let i = 0; i < 60; i++) {
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    const tail = upperTail(z);
    const step = (middle ? centre - lowerHalf(z) : tail * Math.log(tail / p)) / density;
    z += step;
    if (Math.abs(step) < 1e-14 * z) break;
  }
  return word >>> 31 ? -z : z;
}

export interface RowMetrics {
  cosine: number;
  l1: number;
  l2: number;
  kl: number;
  js: number;
  agree: boolean;
  publishedCrossEntropy: number;
  top1: boolean;
  top5: boolean;
  loss: number;
}

const best = (row: ArrayLike<number>) => {
  let top = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[top]!) top = i;
  return top;
};

const logSoftmax = (row: ArrayLike<number>) => {
  const top = row[best(row)]!;
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += Math.exp(row[i]! - top);
  return Array.from(row, (x) => x - top - Math.log(sum));
};

/** All metrics of one row in float64. */
export function compareRow(
  original: ArrayLike<number>,
  changed: ArrayLike<number>,
  label: number,
): RowMetrics {
  const logP = logSoftmax(original);
  const logQ = logSoftmax(changed);
  let [pq, pp, qq, l1, l2, kl, js, published, rank] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < logP.length; i++) {
    const p = Math.exp(logP[i]!);
    const q = Math.exp(logQ[i]!);
    const m = (p + q) / 2;
    pq += p * q;
    pp += p * p;
    qq += q * q;
    l1 += Math.abs(p - q);
    l2 += (p - q) ** 2;
    if (p > 0) kl += p * (logP[i]! - logQ[i]!);
    if (p > 0) js += (p * Math.log2(p / m)) / 2;
    if (q > 0) js += (q * Math.log2(q / m)) / 2;
    published -= changed[i]! * logP[i]!;
    if (label >= 0 && (changed[i]! > changed[label]! || (changed[i] === changed[label] && i < label))) rank++;
  }
  return {
    cosine: pq / Math.sqrt(pp * qq),
    l1,
    l2: Math.sqrt(l2),
    kl,
    js,
    agree: best(original) === best(changed),
    publishedCrossEntropy: published,
    top1: label >= 0 && best(changed) === label,
    top5: label >= 0 && rank < 5,
    loss: label >= 0 ? -logQ[label]! : Number.NaN,
  };
}

/** Bits of floats, for exact comparison. */
export function bits(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/** Largest distance between the empirical distribution of `values` and `cdf`. */
export function kolmogorovSmirnov(values: Float32Array, cdf: (x: number) => number): number {
  const sorted = values.slice().sort();
  let distance = 0;
  for (let i = 0; i < sorted.length; i++) {
    const expected = cdf(sorted[i]!);
    distance = Math.max(distance, (i + 1) / sorted.length - expected, expected - i / sorted.length);
  }
  return distance;
}
