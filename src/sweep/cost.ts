/** What a sweep will cost, told without running it: from the plan's multiply-accumulates and a first batch. */
import { planCells } from '../design/cells.js';
import { chosenOf } from '../design/groups.js';
import { openFastEngine } from '../engines/fast.js';
import { CritmapError } from '../errors.js';
import type { ImageSet } from '../images/index.js';
import type { Model } from '../model/model.js';
import { withTargets } from '../model/targets.js';
import { planProblem, planSweep } from '../plan/plan-sweep.js';
import { readImages } from './chunks-ahead.js';
import type { Settings, SweepOptions } from './settings.js';
import { withDefaults } from './settings.js';

export interface SweepCost {
  /** Or groups of them. */
  layers: number;
  images: number;
  /** Images times layers, resets and draws of one image: how often a layer is seen reset. */
  passes: number;
  /** Multiply-accumulates of all passes, and of the untouched model's. */
  macs: number;
  threads: number;
  /** About how long it takes here once the model is open; images are decoded meanwhile. */
  seconds: number;
}

/** One to allocate, then those that are timed. */
const TIMED_RUNS = 2;
const nothing = { original() {}, cell() {} };

/**
 * @param options as `sweep` takes them. With a tolerance it is what the sweep costs at most.
 * @throws what `sweep` would throw for the same model, images and options
 */
export async function predictCost(
  given: Model,
  images: ImageSet,
  options: SweepOptions = {},
): Promise<SweepCost> {
  if (!given?.layers || !images?.shape) {
    throw new TypeError('predictCost takes a model (loadModel), images (openImages) and options');
  }
  const settings = withDefaults(options, images);
  const { engine, threads, design, resets } = settings;
  const model = withTargets(given, settings);
  const layers = chosenOf(model.layers, settings, model.behind);
  const cells = planCells(layers, resets, design.trials);
  const last = planCells(layers.slice(-1), resets.slice(0, 1), 1);
  const macsOf = async (some: typeof cells) => {
    const batch = model.io.batch ?? settings.batch;
    const options = { cells: some, context: settings, size: images.shape, batch };
    const { macs } = await planSweep(model, options).catch((error) => {
      const code = error instanceof CritmapError ? error.code : 'ERR_MODEL';
      throw new CritmapError(code, `${model.file.path}: ${planProblem(error)}`, { cause: error });
    });
    return macs;
  };
  const whole = await macsOf(cells);
  const one = await macsOf(last);
  const passes = cells.length * images.count;
  const perImage =
    engine === 'reference'
      ? (1 + cells.length) * whole.forward
      : whole.forward + (whole.suffixes * cells.length) / layers.length;
  const pilot = await timeOf(model, images, last, settings);
  const macs = perImage * images.count;
  const seconds = macs * (pilot.seconds / (pilot.images * (one.forward + one.suffixes)));
  return { layers: layers.length, images: images.count, passes, macs, threads, seconds };
}

/** Seconds of the first images through the model and one of its layers, every thread with a batch. */
async function timeOf(
  model: Model,
  images: ImageSet,
  cells: ReturnType<typeof planCells>,
  settings: Settings,
): Promise<{ images: number; seconds: number }> {
  const { batch, threads, cards, precision } = settings;
  const count = Math.min(images.count, batch * threads);
  const chunk = await readImages(images, 0, 0, count);
  const engine = await openFastEngine(model, {
    ...{ cells, context: settings, size: images.shape, batch, threads, cards, precision },
  });
  try {
    await engine.evaluate(chunk, cells, nothing);
    const started = performance.now();
    for (let i = 0; i < TIMED_RUNS; i++) await engine.evaluate(chunk, cells, nothing);
    return { images: count * TIMED_RUNS, seconds: (performance.now() - started) / 1000 };
  } finally {
    await engine.close();
  }
}
