/**
 * How fast cells are computed, in one process and in turn: the plain session, the fast engine, the reference
 * engine. Engines are open and warm, images decoded: this is the speed in the middle of a long sweep.
 */

import { planCells } from '../dist/design/cells.js';
import { floatsOf } from '../dist/engines/chunk.js';
import { openFastEngine } from '../dist/engines/fast.js';
import { openImages } from '../dist/images/index.js';
import { modelInput } from '../dist/model/input.js';
import { loadModel } from '../dist/model/load.js';
import { planSweep } from '../dist/plan/plan-sweep.js';
import { readChunk } from '../dist/sweep/chunks-ahead.js';
import { withDefaults } from '../dist/sweep/settings.js';
import { openPlain } from './plain.mjs';
import { openReference } from './reference.mjs';
import { alternate, secondsPerCall, spread, timed } from './wall.mjs';

/** A quick contestant is repeated for this long: what the clock cannot resolve is then small. */
const LEAST_SECONDS = 2;
/** Cells that the reference engine computes. */
const REFERENCE_CELLS = 3;
const nothing = { original() {}, cell() {} };

/**
 * @param task `graph`, `data`, `batch`, `trials`, `resets`, `images` (count, or 'all'), `rounds`; `perSession`: images that
 *   one session of the reference engine serves, default those of its chunks
 */
export async function sweepSpeeds({ graph, data, images: wanted, rounds, perSession, ...asked }) {
  const model = await loadModel(graph);
  const images = await openImages(data, { ...modelInput(model), images: wanted, labels: 'none' });
  const settings = withDefaults(asked, images);
  const { batch, threads, resets, trials } = settings;
  const cells = planCells(model.layers, resets, trials);
  const few = spacedOut(cells, REFERENCE_CELLS);
  const chunk = await readChunk(images, 0, images.count);
  const options = { cells, context: settings, size: images.shape, batch, threads };

  const plain = await openPlain({ graph, threads, batch, shape: images.shape });
  const { value: fast, seconds: setUpSeconds } = await timed(() => openFastEngine(model, options));
  const reference = await openReference({ model, options, images, chunk, cells, few, perSession });
  const floats = floatsOf(chunk, 0, chunk.count);
  const runPlain = () => plain(floats, chunk.count);
  const runFast = (some) => fast.evaluate(chunk, some, nothing);
  const perSecond = async (work, run) => work / (await secondsPerCall(run, LEAST_SECONDS));
  const contestants = {
    plain: { unit: 'images', speed: () => perSecond(chunk.count, runPlain) },
    fast: {
      unit: 'layer-images',
      speed: () => perSecond(cells.length * chunk.count, () => runFast(cells)),
    },
    reference: { unit: 'layer-images', speed: reference.speed },
  };
  // The first calls allocate.
  await runPlain();
  await runFast(few);
  const speeds = await alternate(contestants, rounds);
  for (const open of [fast, reference, images]) await open.close();
  const about = {
    layers: model.layers.length,
    cells: cells.length,
    images: chunk.count,
    batch,
    threads,
    rounds,
  };
  return {
    ...about,
    speeds,
    ...besideReference(speeds, reference.ownChunk()),
    bound: await boundByMacs(model, cells, options),
    setUpSeconds,
  };
}

/** The fast engine's speed in reference's, by way of what each is to the plain session beside it. */
function besideReference([, fast, reference], { images, speeds }) {
  const ratios = fast.ratios.map((ratio, round) => ratio / reference.ratios[round]);
  const own = ratios.map((ratio, round) => (ratio * reference.speeds[round]) / speeds[round]);
  return {
    fastToReference: spread(ratios),
    referenceOwnChunk: { images, speed: spread(speeds), fastToReference: spread(own) },
  };
}

/**
 * How many times the plain session's speed the fast engine can reach if multiply-accumulates were all that costs:
 * a cell needs the forward pass only from its layer on.
 */
async function boundByMacs(model, cells, options) {
  const { macs } = await planSweep(model, { ...options, cells });
  const layers = new Set(cells.map(({ layer }) => layer)).size;
  const trials = cells.length / layers;
  return (cells.length * macs.forward) / (trials * macs.suffixes + macs.forward);
}

/** `count` of the items, the first and the last among them. */
function spacedOut(items, count) {
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]);
}
