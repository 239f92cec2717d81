/** Student's t distribution, by the incomplete beta function. */

/**
 * Quantile of Student's t distribution by bisection on its distribution function.
 * @param probability in (0, 1)
 * @param freedom degrees of freedom, any positive number
 */
export function tQuantile(probability: number, freedom: number): number {
  if (!(probability > 0 && probability < 1) || !(freedom > 0)) {
    throw new RangeError(`no t quantile for probability ${probability} and ${freedom} degrees of freedom`);
  }
  if (probability < 0.5) return -tQuantile(1 - probability, freedom);
  if (probability === last.probability && freedom === last.freedom) return last.quantile;
  let low = 0;
  let high = 1;
  while (tDistribution(high, freedom) < probability && high < 1e12) high *= 2;
  for (let i = 0; i < 200 && high - low > 1e-12 * high; i++) {
    const middle = (low + high) / 2;
    if (tDistribution(middle, freedom) < probability) low = middle;
    else high = middle;
  }
  last = { probability, freedom, quantile: (low + high) / 2 };
  return last.quantile;
}

/** Tables ask for one quantile many times. */
let last = { probability: 0, freedom: 0, quantile: 0 };

/**
 * P(|T| >= |t|), the two-sided p-value, with its small values as exact as its large ones; 0 for an infinite t.
 * @param freedom degrees of freedom, any positive number
 */
export function tTwoSided(t: number, freedom: number): number {
  const square = t * t;
  if (square === Number.POSITIVE_INFINITY) return 0;
  // Of small t the other tail's argument is too near to 1 to be told from it.
  if (square < 1) return 1 - incompleteBeta(0.5, freedom / 2, square / (freedom + square));
  return incompleteBeta(freedom / 2, 0.5, freedom / (freedom + square));
}

/** P(T <= t) for t >= 0. */
function tDistribution(t: number, freedom: number): number {
  return 1 - 0.5 * incompleteBeta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

/** Regularised incomplete beta function by its continued fraction (modified Lentz). */
function incompleteBeta(a: number, b: number, x: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast only below the mean; the other side is its mirror image.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(b, a, 1 - x);
  const front =
    Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  const tiny = 1e-300;
  const bounded = (value: number) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / bounded(1 - ((a + b) * x) / (a + 1));
  let result = d;
  for (let m = 1; m <= 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / bounded(1 + even * d);
    c = bounded(1 + even / c);
    result *= c * d;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / bounded(1 + odd * d);
    c = bounded(1 + odd / c);
    const step = c * d;
    result *= step;
    if (Math.abs(step - 1) < 1e-15) break;
  }
  return front * result;
}

/** What was asked for lately: a quantile asks for the same three numbers some fifty times. */
const logGammas = new Map<number, number>();

function logGamma(x: number): number {
  const known = logGammas.get(x);
  if (known !== undefined) return known;
  if (logGammas.size >= 100) logGammas.clear();
  const found = stirling(x);
  logGammas.set(x, found);
  return found;
}

/** log Gamma for x > 0 by Stirling's series, shifted up to where it is exact to double precision. */
function stirling(x: number): number {
  let shift = 0;
  let y = x;
  for (; y < 15; y++) shift += Math.log(y);
  const inverse = 1 / (y * y);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / y;
  return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
