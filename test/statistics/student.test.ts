import t from 'tap';
import { estimateShare, type TrialSums, tQuantile } from '../../src/statistics/intervals.js';

t.test("tQuantile equals scipy.stats.t.ppf (SciPy 1.17's values)", async (t) => {
  const golden = [
    [0.975, 1, 12.706204736174694],
    [0.975, 2, 4.302652729749462],
    [0.975, 2.5, 3.5746548420036817],
    [0.95, 7, 1.8945786050900062],
    [0.995, 30, 2.7499956535672254],
    [0.975, 999, 1.9623414611334493],
    [0.75, 0.5, 1.5537739740300383],
    [0.9999, 3, 22.203742273205],
    [0.975, 1e7, 1.959964221767205],
  ] as const;
  for (const [probability, freedom, expected] of golden) {
    for (const sign of [1, -1]) {
      const found = tQuantile(sign > 0 ? probability : 1 - probability, freedom);
      t.ok(Math.abs(found - sign * expected) < 1e-7 * expected, `${probability}, ${freedom}: ${found}`);
    }
  }
  t.throws(() => tQuantile(1, 3), RangeError);
  t.throws(() => tQuantile(0.5, 0), RangeError);
});

t.test('a share over trials: mean of the means, their spread, and an interval around', async (t) => {
  const trials = [0.2, 0.3, 0.4].map((share) => binary(1000, share));
  const estimate = estimateShare(trials, 0.95);
  t.ok(estimate);
  if (!estimate) return;
  t.ok(Math.abs(estimate.mean - 0.3) < 1e-12);
  t.ok(Math.abs((estimate.sdTrials ?? 0) - 0.1) < 1e-12);
  t.ok(estimate.low > 0 && estimate.low < 0.2, 'three draws that differ leave a wide interval');
  t.ok(estimate.high > 0.4 && estimate.high < 1);
});

t.test('one trial has no spread, and an interval from the images alone', async (t) => {
  const estimate = estimateShare([binary(400, 0.5)], 0.95);
  t.equal(estimate?.sdTrials, null);
  // Wilson's interval for 200 of 400 is 0.4512 to 0.5488.
  t.ok(Math.abs((estimate?.low ?? 0) - 0.4512) < 1e-3, `${estimate?.low}`);
  t.ok(Math.abs((estimate?.high ?? 0) - 0.5488) < 1e-3, `${estimate?.high}`);
});

t.test('when every image agrees the interval still has a width and stays within [0, 1]', async (t) => {
  const estimate = estimateShare([binary(100, 1), binary(100, 1)], 0.95);
  t.equal(estimate?.mean, 1);
  t.equal(estimate?.high, 1);
  t.ok((estimate?.low ?? 1) < 0.99 && (estimate?.low ?? 0) > 0.9);
});

t.test('trials without images are left out; with none at all there is no estimate', async (t) => {
  t.equal(estimateShare([], 0.95), null);
  t.equal(estimateShare([{ count: 0, sum: 0, sumSquares: 0 }], 0.95), null);
  t.equal(estimateShare([{ count: 0, sum: 0, sumSquares: 0 }, binary(10, 0.5)], 0.95)?.mean, 0.5);
});

t.test('the 95 % interval holds the true mean in 95 % of simulated sweeps or a little more', async (t) => {
  // Draws differ, images differ, and the two interact: value = clamp(0.5 + draw + image + noise).
  const random = generator(7);
  const gauss = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  for (const [drawSpread, imageSpread] of [
    [0.1, 0.02],
    [0.01, 0.1],
    [0.05, 0.05],
  ] as const) {
    let held = 0;
    const sweeps = 600;
    for (let s = 0; s < sweeps; s++) {
      const images = Array.from({ length: 60 }, () => imageSpread * gauss());
      const trials = Array.from({ length: 4 }, (): TrialSums => {
        const draw = drawSpread * gauss();
        const values = images.map((image) => Math.min(1, Math.max(0, 0.5 + draw + image + 0.05 * gauss())));
        return {
          count: values.length,
          sum: values.reduce((sum, v) => sum + v, 0),
          sumSquares: values.reduce((sum, v) => sum + v * v, 0),
        };
      });
      const estimate = estimateShare(trials, 0.95);
      if (estimate && estimate.low <= 0.5 && 0.5 <= estimate.high) held++;
    }
    const share = held / sweeps;
    t.ok(share >= 0.93 && share <= 0.999, `draws ${drawSpread}, images ${imageSpread}: ${share}`);
  }
});

function binary(count: number, share: number): TrialSums {
  return { count, sum: count * share, sumSquares: count * share };
}

/** Seeded uniforms in (0, 1): a linear congruential generator is random enough for a coverage check. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}
