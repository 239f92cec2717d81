/** A sweep runs beside other work of its process: the event loop is never held up for long. */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { loadModel, modelInput, openImages, parseReset, sweep } from '../../src/index.js';
import { writeResnet50 } from '../resnet50.js';

/**
 * Twenty are aimed at, about a hundred are reached on an idle machine; other test files run at the same time, with
 * which five hundred were seen. Before planning left the main thread, an idle machine needed 1600 to 3000.
 */
const BOUND_MS = 1500;

const path = writeResnet50(t.testdir({}));
const delays = monitorEventLoopDelay({ resolution: 1 });
delays.enable();

/** The longest time between two turns of the event loop since it was asked last. */
async function longestDelay(of: IntervalHistogram): Promise<number> {
  // A block is counted in the turn after it.
  await setTimeout(20);
  const longestMs = of.max / 1e6;
  of.reset();
  return longestMs;
}

t.test('loading a ResNet-50 and sweeping some layers does not hold up the event loop', async (t) => {
  await longestDelay(delays);
  const model = await loadModel(path);
  const images = await openImages('synthetic:16', { ...modelInput(model), images: 16 });
  const loading = await longestDelay(delays);
  let settingUp: Promise<number> | undefined;
  const resets = await Promise.all(['random', 'shuffle'].map(parseReset));
  await sweep(model, images, {
    layers: ['layer3.5.*', 'layer4.2.*', 'fc'],
    resets,
    trials: 1,
    threads: 2,
    // The first is told when the engine is there and has begun.
    onProgress: () => {
      settingUp ??= longestDelay(delays);
    },
  });
  const computing = await longestDelay(delays);
  await images.close();
  for (const [phase, longestMs] of Object.entries({ loading, settingUp: await settingUp!, computing })) {
    t.comment(`${phase}: ${longestMs.toFixed(1)} ms at most`);
    t.ok(longestMs < BOUND_MS, phase);
  }
});
