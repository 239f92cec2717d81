/**
 * One whole `sweep()` with the fast engine in a process that does nothing else: what it takes in memory, when
 * the first result is there, how long the event loop stands still.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { openImages } from '../dist/images/index.js';
import { modelInput } from '../dist/model/input.js';
import { loadModel } from '../dist/model/load.js';
import { sweep } from '../dist/sweep/sweep.js';
import { peakBytes } from './child.mjs';
import { timed } from './wall.mjs';

const RESOLUTION_MS = 2;

/** @param task `graph`, `data`, `out`, `batch`, `trials` or `design`, `images` (count, or 'all'), `device`, `precision` */
export async function wholeSweep({
  graph,
  data,
  out,
  batch,
  trials,
  images: wanted,
  device,
  precision,
  design = { trials },
}) {
  const load = await watched(() => loadModel(graph));
  const model = load.value;
  const images = await openImages(data, { ...modelInput(model), images: wanted, labels: 'none' });
  let first = Number.NaN;
  const run = await watched(async () => {
    const started = performance.now();
    const onProgress = () => {
      if (Number.isNaN(first)) first = (performance.now() - started) / 1000;
    };
    const where = { ...(device && { device }), ...(precision && { precision }) };
    return sweep(model, images, { out, ...design, onProgress, ...where, ...(batch && { batch }) });
  });
  await images.close();
  return {
    images: images.count,
    loadSeconds: load.seconds,
    loadDelayMs: load.delayMs,
    sweepSeconds: run.seconds,
    sweepDelayMs: run.delayMs,
    firstResultSeconds: load.seconds + first,
    peakBytes: peakBytes(),
  };
}

/** Runs and takes the longest time that the event loop stood still meanwhile. */
async function watched(run) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  // What is before the first sample is not seen.
  await setTimeout(10 * RESOLUTION_MS);
  const ran = await timed(run);
  await setTimeout(10 * RESOLUTION_MS);
  delay.disable();
  // Samples are times between two ticks of a timer, not lateness.
  return { ...ran, delayMs: Math.max(0, delay.max / 1e6 - RESOLUTION_MS) };
}
