/** What a sweep will cost, told without running it: from the plan's multiply-accumulates and a first batch. */
import type { Cell } from '../design/cells.js';
import { openFastEngine } from '../engines/fast.js';
import { CritmapError } from '../errors.js';
import type { ImageSet } from '../images/index.js';
import type { Model } from '../model/model.js';
import { withTargets } from '../model/targets.js';
import { cudaLayout } from '../native/cards.js';
import { limitsOnCards } from '../plan/limits.js';
import { macsOfCells, planProblem, planSweep } from '../plan/plan-sweep.js';
import { readImages } from './chunks-ahead.js';
import { CARD_DEPTH, type Settings, type SweepOptions, withDefaults } from './settings.js';
import { chooseTargets, unmeasured } from './targets.js';

export interface SweepCost {
  /** Or groups of them. */
  layers: number;
  images: number;
  /** Of each layer, or group, that is tested under them. */
  resets: number;
  /** The same with the draws of each: what every image passes through. */
  cells: number;
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
  const { engine, threads, graph, cards } = settings;
  const model = withTargets(given, settings);
  const { layers, cells, replacements } = await chooseTargets(model, images.shape, settings);
  const context = { ...settings, activations: unmeasured(replacements) };
  const last = [{ ...cells.find(({ layer }) => layer === layers.at(-1))!, index: 0 }];
  /** Of the untouched model, and of all cells together. */
  const onCards = cards && { graph: 'model' as const, limits: limitsOnCards(cudaLayout()) };
  const macsOf = async (some: readonly Cell[]) => {
    const batch = model.io.batch ?? settings.batch;
    const options = { cells: some, context, size: images.shape, batch, graph, ...onCards };
    const plan = await planSweep(model, options).catch((error) => {
      const code = error instanceof CritmapError ? error.code : 'ERR_MODEL';
      throw new CritmapError(code, `${model.file.path}: ${planProblem(error)}`, { cause: error });
    });
    const each = macsOfCells(plan, some, context);
    return { forward: plan.macs.forward, cells: each.reduce((sum, one) => sum + one, 0) };
  };
  const whole = await macsOf(cells);
  const one = await macsOf(last);
  const resets = cells.filter(({ trial }) => trial === 0).length;
  const passes = cells.length * images.count;
  const perImage = engine === 'reference' ? (1 + cells.length) * whole.forward : whole.forward + whole.cells;
  const pilot = await timeOf(model, images, last, { ...settings, ...context });
  const macs = perImage * images.count;
  const seconds = macs * (pilot.seconds / (pilot.images * (one.forward + one.cells)));
  return {
    layers: layers.length,
    images: images.count,
    resets,
    cells: cells.length,
    passes,
    macs,
    threads,
    seconds,
  };
}

/** Seconds of the first images through the model and one of its layers, every thread with a batch. */
async function timeOf(
  model: Model,
  images: ImageSet,
  cells: readonly Cell[],
  settings: Settings,
): Promise<{ images: number; seconds: number }> {
  const { batch, smallerBatch, threads, cards, precision, graph, design } = settings;
  const count = Math.min(images.count, batch * (cards ? CARD_DEPTH * cards.length : threads));
  const chunk = await readImages(images, 0, 0, count);
  const engine = await openFastEngine(model, {
    ...{
      cells,
      context: settings,
      design,
      size: images.shape,
      batch,
      smallerBatch,
      threads,
      cards,
      precision,
      graph,
    },
    pixels: Boolean(images.normalizeTable),
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
