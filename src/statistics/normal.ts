/** The standard normal distribution's tails, by the incomplete gamma function: erfc(x) = Q(1/2, x^2). */

/** P(|Z| >= |z|), the two-sided p-value, with its small values as exact as its large ones. */
export function normalTwoSided(z: number): number {
  const x = (z * z) / 2;
  if (x === 0) return 1;
  if (!Number.isFinite(x)) return 0;
  return x < 1.5 ? 1 - lowerByTerms(x) : upperByFraction(x);
}

/** Quantile of the standard normal distribution, by bisection. @param probability in (0, 1) */
export function normalQuantile(probability: number): number {
  if (!(probability > 0 && probability < 1)) throw new RangeError(`no normal quantile for ${probability}`);
  if (probability < 0.5) return -normalQuantile(1 - probability);
  let [low, high] = [0, 9];
  while (high - low > 1e-13) {
    const middle = (low + high) / 2;
    if (1 - normalTwoSided(middle) / 2 < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(1/2, x) by its series, for small x. */
function lowerByTerms(x: number): number {
  let term = 2;
  let sum = term;
  for (let n = 1; term > 1e-17 * sum; n++) {
    term *= x / (0.5 + n);
    sum += term;
  }
  return sum * Math.sqrt(x / Math.PI) * Math.exp(-x);
}

/** Q(1/2, x) by its continued fraction (modified Lentz), for large x. */
function upperByFraction(x: number): number {
  let b = x + 0.5;
  let c = 1e300;
  let d = 1 / b;
  let result = d;
  for (let n = 1; n <= 1000; n++) {
    const a = -n * (n - 0.5);
    b += 2;
    d = 1 / (a * d + b);
    c = b + a / c;
    const step = c * d;
    result *= step;
    if (Math.abs(step - 1) < 1e-16) break;
  }
  return result * Math.sqrt(x / Math.PI) * Math.exp(-x);
}
