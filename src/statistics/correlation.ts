/**
 * Correlations with two-sided p-values against independence, as scipy's `spearmanr`, `kendalltau` and `pearsonr` have them,
 * and intervals. Numbers must be finite; a correlation with what does not vary is not defined, and null.
 */
import { normalQuantile, normalTwoSided } from './normal.js';
import { averageRanks, tieSizes } from './ranks.js';
import { tTwoSided } from './student-t.js';

export interface Correlation {
  coefficient: number;
  /** Null for too few pairs: fewer than 3 of Spearman's, 2 of Kendall's. */
  p: number | null;
}

/** Spearman's rho; p by Student's t with n - 2 degrees of freedom. @throws RangeError for unequal lengths */
export function spearman(x: readonly number[], y: readonly number[]): Correlation | null {
  requirePairs(x, y);
  const n = x.length;
  // Twice the centred ranks are whole numbers: their products are exact.
  const [a, b] = [x, y].map((values) => averageRanks(values).map((rank) => 2 * rank - n - 1));
  const product = (one: readonly number[], other: readonly number[]) =>
    one.reduce((sum, value, i) => sum + value * other[i]!, 0);
  const spread = Math.sqrt(product(a!, a!) * product(b!, b!));
  if (!(spread > 0)) return null;
  const coefficient = product(a!, b!) / spread;
  const left = (1 + coefficient) * (1 - coefficient);
  const p = n < 3 ? null : tTwoSided(coefficient * Math.sqrt((n - 2) / Math.max(0, left)), n - 2);
  return { coefficient, p };
}

/** Pearson's r; p likewise. @throws RangeError for unequal lengths */
export function pearson(x: readonly number[], y: readonly number[]): Correlation | null {
  requirePairs(x, y);
  const n = x.length;
  const centred = (values: readonly number[]) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / n;
    return values.map((value) => value - mean);
  };
  const [a, b] = [centred(x), centred(y)];
  const product = (one: readonly number[], other: readonly number[]) =>
    one.reduce((sum, value, i) => sum + value * other[i]!, 0);
  const spread = Math.sqrt(product(a, a)) * Math.sqrt(product(b, b));
  if (!(spread > 0)) return null;
  const coefficient = clamp(product(a, b) / spread);
  const left = (1 + coefficient) * (1 - coefficient);
  const p = n < 3 ? null : tTwoSided(coefficient * Math.sqrt((n - 2) / left), n - 2);
  return { coefficient, p };
}

/**
 * An interval of a correlation by Fisher's transformation. The variance of Pearson's is 1 / (n - 3), of pairs that are
 * normal; of Spearman's (1 + rho^2 / 2) / (n - 3) (Bonett and Wright, Psychometrika 65, 2000), for rho within 0.95.
 *
 * @param n - number of pairs
 * @returns null for fewer than 4 pairs, and where all pairs lie on a line, which says nothing of others
 */
export function correlationInterval(
  kind: 'spearman' | 'pearson',
  coefficient: number,
  n: number,
  confidence = 0.95,
): [low: number, high: number] | null {
  if (n < 4 || !(Math.abs(coefficient) < 1 - 1e-12)) return null;
  const variance = (kind === 'spearman' ? 1 + coefficient ** 2 / 2 : 1) / (n - 3);
  const reach = normalQuantile((1 + confidence) / 2) * Math.sqrt(variance);
  const middle = Math.atanh(coefficient);
  return [Math.tanh(middle - reach), Math.tanh(middle + reach)];
}

/** Above so many pairs, p is the normal approximation's; scipy's border. */
const EXACT = 33;

/**
 * Kendall's tau-b; p exactly by counting permutations where there are no ties and at most 33 pairs (or all but one agree
 * or disagree), else by the normal approximation with the variance for ties. @throws RangeError for unequal lengths
 */
export function kendall(x: readonly number[], y: readonly number[]): Correlation | null {
  requirePairs(x, y);
  const n = x.length;
  const pairs = (n * (n - 1)) / 2;
  const [ties, tiesOfY] = [tieSizes(x), tieSizes(y)];
  const tied = (sizes: readonly number[]) => total(sizes, (size) => (size * (size - 1)) / 2);
  const [tiedX, tiedY] = [tied(ties), tied(tiesOfY)];
  if (n < 2 || tiedX === pairs || tiedY === pairs) return null;
  let difference = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) difference += Math.sign(x[i]! - x[j]!) * Math.sign(y[i]! - y[j]!);
  }
  const coefficient = clamp(difference / Math.sqrt(pairs - tiedX) / Math.sqrt(pairs - tiedY));
  const rarer = (pairs - Math.abs(difference)) / 2;
  if (tiedX === 0 && tiedY === 0 && (n <= EXACT || rarer <= 1)) return { coefficient, p: exact(n, rarer) };
  return { coefficient, p: normalTwoSided(difference / Math.sqrt(varianceOf(n, ties, tiesOfY))) };
}

/** Of concordant minus discordant pairs, of independent numbers with such ties (Kendall, Rank Correlation Methods). */
function varianceOf(n: number, ties: readonly number[], tiesOfY: readonly number[]): number {
  const m = n * (n - 1);
  const squares = (size: number) => size * (size - 1) * (2 * size + 5);
  const pairs = (size: number) => (size * (size - 1)) / 2;
  const triples = (size: number) => size * (size - 1) * (size - 2);
  const base = (m * (2 * n + 5) - total(ties, squares) - total(tiesOfY, squares)) / 18;
  const ofPairs = (2 * total(ties, pairs) * total(tiesOfY, pairs)) / m;
  const ofTriples = n > 2 ? (total(ties, triples) * total(tiesOfY, triples)) / (9 * m * (n - 2)) : 0;
  return base + ofPairs + ofTriples;
}

/** Twice the chance that a random permutation of n has at most so many inversions, not above 1. */
function exact(n: number, inversions: number): number {
  let chances = new Float64Array(inversions + 1);
  chances[0] = 1;
  // The j-th number put into its place passes 0 to j - 1 of those before it, all equally likely.
  for (let j = 2; j <= n; j++) {
    const next = new Float64Array(inversions + 1);
    for (let k = 0; k <= inversions; k++) {
      let sum = 0;
      for (let passed = 0; passed < j && passed <= k; passed++) sum += chances[k - passed]!;
      next[k] = sum / j;
    }
    chances = next;
  }
  return Math.min(1, 2 * chances.reduce((sum, chance) => sum + chance, 0));
}

const total = (sizes: readonly number[], of: (size: number) => number) =>
  sizes.reduce((sum, size) => sum + of(size), 0);
const clamp = (value: number) => Math.max(-1, Math.min(1, value));

function requirePairs(x: readonly number[], y: readonly number[]): void {
  if (x.length !== y.length) throw new RangeError(`${x.length} numbers cannot be paired with ${y.length}`);
}
