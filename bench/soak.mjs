/** Whether memory grows: a sweep of ResNet-50 over and over in one process. Runs only when it is named. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { resnet } from '../dist/architectures/resnet.js';
import { openImages } from '../dist/images/index.js';
import { modelInput } from '../dist/model/input.js';
import { loadModel } from '../dist/model/load.js';
import { sweep } from '../dist/sweep/sweep.js';
import { inChild, peakBytes } from './child.mjs';
import { temporaryFolder } from './material.mjs';
import { fewest, writeCase } from './sweep.mjs';
import { spread } from './wall.mjs';

const EVERY_MS = 5000;

/** @returns {Record<string, (options: import('./index.mjs').Options) => Promise<import('./index.mjs').Outcome>>} */
export function soakCases() {
  return {
    async soak({ minutes = 20 }) {
      const folder = temporaryFolder();
      const task = await writeCase(folder, resnet, fewest());
      const result = await inChild('./soak.mjs', 'soak', { ...task, minutes, out: join(folder, 'run') });
      return { result, text: describe(result) };
    },
  };
}

/** @param task `graph`, `data`, `out`, `images`, `batch`, `minutes` */
export async function soak({ graph, data, out, images: wanted, batch, minutes }) {
  const model = await loadModel(graph);
  const images = await openImages(data, { ...modelInput(model), images: wanted });
  const bytes = [];
  const sample = setInterval(() => bytes.push(process.memoryUsage.rss()), EVERY_MS);
  const signal = AbortSignal.timeout(minutes * 60_000);
  const started = performance.now();
  let sweeps = 0;
  try {
    for (;;) {
      await sweep(model, images, { out, batch, trials: 1, signal });
      sweeps++;
      await rm(out, { recursive: true });
    }
  } catch (error) {
    if (error !== signal.reason) throw error;
  }
  clearInterval(sample);
  await images.close();
  return {
    seconds: (performance.now() - started) / 1000,
    sweeps,
    samples: bytes.length,
    ...driftOf(bytes),
    ...range(bytes),
    peakBytes: peakBytes(),
  };
}

/** From the second tenth of the samples, when everything has been used once, to the last. */
function driftOf(bytes) {
  const tenth = (n) => {
    const from = Math.floor((n * bytes.length) / 10);
    const to = Math.max(from + 1, Math.floor(((n + 1) * bytes.length) / 10));
    return spread(bytes.slice(from, to)).median;
  };
  const [early, late] = [tenth(1), tenth(9)];
  return { earlyBytes: early, lateBytes: late, driftPercent: 100 * (late / early - 1) };
}

function range(bytes) {
  const { low, high } = spread(bytes);
  return { lowestBytes: low, highestBytes: high };
}

function describe({ seconds, sweeps, samples, driftPercent, ...bytes }) {
  const { earlyBytes, lateBytes, lowestBytes, highestBytes } = bytes;
  const megabytes = (count) => `${(count / 2 ** 20).toFixed(0)} MiB`;
  return [
    `  ${sweeps} whole sweeps in ${(seconds / 60).toFixed(1)} minutes, ${samples} samples`,
    `  resident ${megabytes(earlyBytes)} in the second tenth, ${megabytes(lateBytes)} in the last: drift ${driftPercent.toFixed(1)} %`,
    `  lowest ${megabytes(lowestBytes)}, highest ${megabytes(highestBytes)}`,
  ].join('\n');
}
