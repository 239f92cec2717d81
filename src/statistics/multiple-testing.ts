/**
 * p-values of many tests at once, adjusted: compared with a level alpha, the adjusted ones keep the error that they are
 * named after below it. Both keep the order of what they are given.
 */

/**
 * Holm (1979): the chance of even one false discovery among all tests is at most alpha, however the tests depend on each
 * other.
 */
export function holm(p: readonly number[]): number[] {
  let largest = 0;
  return byRank(p, ascending(p), (value, rank) => {
    largest = Math.max(largest, Math.min(1, (p.length - rank) * value));
    return largest;
  });
}

/**
 * Benjamini and Hochberg (1995): at most a share alpha of the discoveries is expected to be false, where tests are
 * independent or positively dependent.
 */
export function benjaminiHochberg(p: readonly number[]): number[] {
  let smallest = 1;
  return byRank(p, ascending(p).reverse(), (value, rank) => {
    smallest = Math.min(smallest, (p.length / (p.length - rank)) * value);
    return smallest;
  });
}

const ascending = (p: readonly number[]) => p.map((_, i) => i).sort((a, b) => p[a]! - p[b]!);

function byRank(
  p: readonly number[],
  order: readonly number[],
  adjust: (value: number, rank: number) => number,
): number[] {
  const adjusted = new Array<number>(p.length);
  for (const [rank, i] of order.entries()) adjusted[i] = adjust(p[i]!, rank);
  return adjusted;
}
