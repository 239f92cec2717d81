/**
 * From sums over images to means, spreads and intervals. A trial is one draw of a reset, seen on the same images
 * as every other trial, so two things vary: the draw and the images.
 */

/** Mean and interval of a share or a mean, in the same unit as the input. */
export interface Interval {
  mean: number;
  /** Sample standard deviation of the trials' means; null with one trial. */
  sdTrials: number | null;
  low: number;
  high: number;
}

/** One trial's images: how many, and the sum and the sum of squares of the measured number. */
export interface TrialSums {
  count: number;
  sum: number;
  sumSquares: number;
}

/**
 * The mean over trials of the mean over images, with a confidence interval for "any draw, any image". The
 * variance is that of the trials' means over T plus the mean variance between images over N: the second term
 * counts the interaction of draw and image twice, so the interval errs on the wide side. Degrees of freedom
 * after Welch and Satterthwaite. The interval is kept within [0, 1] by Wilson's form, which also gives it a
 * width when every image of every trial agrees.
 *
 * @param trials one entry per trial; values must lie in [0, 1]; trials without images are left out
 * @returns null when there is nothing to average
 */
export function estimateShare(trials: readonly TrialSums[], confidence: number): Interval | null {
  const used = trials.filter((trial) => trial.count > 0);
  if (used.length === 0) return null;
  const means = used.map((trial) => trial.sum / trial.count);
  const mean = average(means);
  const images = Math.max(...used.map((trial) => trial.count));
  const sdTrials = used.length > 1 ? Math.sqrt(variance(means, mean)) : null;

  const betweenTrials = sdTrials === null ? 0 : sdTrials ** 2 / used.length;
  const betweenImages = average(used.map(imageVariance)) / images;
  const total = betweenTrials + betweenImages;
  const freedom =
    total > 0
      ? total ** 2 /
        (betweenTrials ** 2 / Math.max(1, used.length - 1) + betweenImages ** 2 / Math.max(1, images - 1))
      : Math.max(1, images - 1);
  const t = tQuantile((1 + confidence) / 2, freedom);

  // The number of independent yes/no images that would give this variance; all of them when nothing varies.
  const effective = total > 0 ? (mean * (1 - mean)) / total : images;
  const n = effective > 0 && Number.isFinite(effective) ? effective : images;
  const centre = (mean + (t * t) / (2 * n)) / (1 + (t * t) / n);
  const half = (t / (1 + (t * t) / n)) * Math.sqrt((mean * (1 - mean)) / n + (t * t) / (4 * n * n));
  return {
    mean,
    sdTrials,
    low: Math.max(0, Math.min(mean, centre - half)),
    high: Math.min(1, Math.max(mean, centre + half)),
  };
}

export function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function variance(values: readonly number[], mean: number): number {
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
}

function imageVariance({ count, sum, sumSquares }: TrialSums): number {
  if (count < 2) return 0;
  return Math.max(0, (sumSquares - (sum * sum) / count) / (count - 1));
}

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
  let low = 0;
  let high = 1;
  while (tDistribution(high, freedom) < probability && high < 1e12) high *= 2;
  for (let i = 0; i < 200 && high - low > 1e-12 * high; i++) {
    const middle = (low + high) / 2;
    if (tDistribution(middle, freedom) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
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

/** log Gamma for x > 0 by Stirling's series, shifted up to where it is exact to double precision. */
function logGamma(x: number): number {
  let shift = 0;
  let y = x;
  for (; y < 15; y++) shift += Math.log(y);
  const inverse = 1 / (y * y);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / y;
  return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
