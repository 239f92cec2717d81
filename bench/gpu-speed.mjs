/** How fast whole sweeps of ResNet-50 are, without what is paid once a model, and what the published study would take. */
import { join } from 'node:path';
import { inChild } from './child.mjs';
import { spread } from './wall.mjs';

/** The published study: models x layers x trials x images. */
export const STUDY = { models: 51, layers: 54, trials: 3, images: 10_000 };

/**
 * Layer-images a second in the middle of a long sweep, and the seconds that a sweep takes besides: from two whole
 * sweeps, loading and results included, of which one has a quarter of the images.
 */
export async function sweepSpeed(task, images, rounds) {
  const counts = [Math.max(1, images / 4), images].map(Math.round);
  const cells = STUDY.layers * (task.trials ?? 1);
  const speeds = [];
  const besides = [];
  let peakBytes = 0;
  for (let round = 0; round < rounds; round++) {
    const seconds = [];
    for (const [i, count] of counts.entries()) {
      const out = join(task.out, `${round}-${i}`);
      const done = await inChild('./sweep-whole.mjs', 'wholeSweep', { ...task, images: count, out });
      seconds.push(done.loadSeconds + done.sweepSeconds);
      peakBytes = Math.max(peakBytes, done.peakBytes);
    }
    const perImage = (seconds[1] - seconds[0]) / (counts[1] - counts[0]);
    if (!(perImage > 0))
      throw new Error(`${counts[1]} images took no longer than ${counts[0]}; give more --images`);
    speeds.push(cells / perImage);
    besides.push(seconds[0] - counts[0] * perImage);
  }
  return { speed: spread(speeds), besides: spread(besides), images: counts, batch: task.batch, peakBytes };
}

/** Hours of the published study at that speed, extrapolated. */
export function studyHours({ speed, besides }) {
  const cells = STUDY.layers * STUDY.trials;
  return (STUDY.models * (besides.median + (cells * STUDY.images) / speed.median)) / 3600;
}
