/**
 * Made-up sweeps whose true mean is known, to count how often an interval holds it. Draws and images come from beta
 * distributions, since what is measured lies in [0, 1] and often near an end. Seeded; the tests and `bench/coverage.mjs`
 * share it; `simulated.d.mts` has its types. A world is the truth: what a layer's mean is, how far draws lie apart, and
 * what an image answers around the mean of its draw.
 */

/** sfc32 (Doty-Humphrey, PractRand): 128 bits of state, seeded by one number */
export function generator(seed) {
  let [a, b, c, counter] = [0, seed | 0, 0x9e3779b9 | 0, 1];
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return ((sum >>> 0) + 0.5) / 2 ** 32;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

/** Each slice has a draw and images of its own. */
export function slicedSweep(random, world, slices, perSlice) {
  return Array.from({ length: slices }, () => {
    const mean = betaAround(random, world.mean, world.sdDraws);
    const group = { count: perSlice, sum: 0, sumSquares: 0 };
    for (let i = 0; i < perSlice; i++) {
      const value = answer(random, mean, world.images);
      group.sum += value;
      group.sumSquares += value * value;
    }
    return group;
  });
}

/**
 * All draws see the same images: an image that is hard is so under every draw.
 */
export function crossedSweep(random, world, draws, images) {
  const means = Array.from({ length: draws }, () => betaAround(random, world.mean, world.sdDraws));
  const crossed = { images, drawSums: means.map(() => 0), sumSquares: 0, imageSquares: 0 };
  for (let image = 0; image < images; image++) {
    // Its mean is 0, and the room d (1 - d) reaches neither end: every cell's mean lies in [0, 1], and the mean of
    // all of them is the draws' own.
    const effect = IMAGE_EFFECT * (2 * random() - 1);
    let sum = 0;
    for (let draw = 0; draw < draws; draw++) {
      const mean = means[draw];
      const value = answer(random, mean + effect * mean * (1 - mean), world.images);
      crossed.drawSums[draw] += value;
      crossed.sumSquares += value * value;
      sum += value;
    }
    crossed.imageSquares += sum * sum;
  }
  return crossed;
}

const IMAGE_EFFECT = 0.9;

/** @param kind - yes or no, or the beta distribution with these parameters: mean / (1 - mean), 1 */
function answer(random, mean, kind) {
  if (kind === 'bernoulli') return random() < mean ? 1 : 0;
  return mean > 0 ? random() ** ((1 - mean) / mean) : 0;
}

/** One number from the beta distribution of this mean and standard deviation. */
function betaAround(random, mean, sd) {
  if (sd === 0 || mean <= 0 || mean >= 1) return mean;
  const weight = (mean * (1 - mean)) / (sd * sd) - 1;
  if (!(weight > 0))
    throw new RangeError(`no beta distribution has the mean ${mean} and the deviation ${sd}`);
  const a = gammaOf(random, mean * weight);
  const b = gammaOf(random, (1 - mean) * weight);
  return a + b > 0 ? a / (a + b) : random() < mean ? 1 : 0;
}

/** Marsaglia and Tsang (2000); shapes below 1 by a power of a uniform. */
function gammaOf(random, shape) {
  if (shape < 1) return gammaOf(random, shape + 1) * random() ** (1 / shape);
  const d = shape - 1 / 3;
  for (;;) {
    const x = Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** How often `holds` is true, and the standard error of that share. */
export function shareOf(repetitions, holds) {
  let held = 0;
  for (let i = 0; i < repetitions; i++) if (holds()) held++;
  const share = held / repetitions;
  return { share, error: Math.sqrt((share * (1 - share)) / repetitions) };
}
