/** The numbers of a run directory, by slice from its journal. */
import { basename, join, resolve } from 'node:path';
import { isRandomLabel } from '../resets/kinds.js';
import { criticalityShare } from '../run/estimate.js';
import { crossedTotals, type DrawSums, drawTotals, type Finished } from '../run/finished.js';
import { readJournal } from '../run/journal.js';
import { readRunAndJournal } from '../run/read-run.js';
import { files, journalSeal } from '../run/run.js';
import type { LayerSummary, Summary } from '../run/summary.js';
import { crossedMean } from '../statistics/crossed.js';
import type { Group } from '../statistics/student.js';
import type { LayerNumbers, Measurements, ModelNumbers } from './numbers.js';

/** @throws CritmapError (ERR_RUN) when it is no run, is not finished, or a file of it is damaged */
export async function fromRun(directory: string): Promise<ModelNumbers & { folder: string }> {
  const { run, finished: known } = await readRunAndJournal(directory);
  const { summary, info } = run;
  const finished =
    known ?? (await readJournal(join(directory, files.journal), journalSeal(info)).catch(() => null));
  const drawsOf = (layer: LayerSummary) => {
    const matrix = run.matrix('criticality', layer.reset);
    const row = run.summary.layers.filter(({ reset }) => reset === layer.reset).indexOf(layer);
    return Array.from({ length: matrix.shape[1]! }, (_, draw) => matrix.get(row, draw)).filter(
      Number.isFinite,
    );
  };
  const { options, data, baseline } = summary;
  const of = (...names: string[]) => JSON.stringify(names.map((name) => options[name] ?? null));
  const notes = [
    ...(info.status === 'done' ? [] : [`the run is ${info.status}`]),
    ...(options.tolerance === undefined
      ? []
      : ['layers stopped as soon as they were known (--tolerance), so that p-values are only approximate']),
  ];
  return {
    id: summary.model.name,
    folder: basename(resolve(directory)),
    source: directory,
    category: null,
    summary,
    attributes: baseline ? { top1: baseline.top1 } : {},
    shared: {
      images: data.fingerprint,
      design: of('imagesPerDraw'),
      draws: of('seed', 'trials', 'init', 'initFrom', 'norm'),
    },
    layers: summary.layers.map((layer) => layerNumbers(layer, summary, finished, drawsOf)),
    notes,
  };
}

function layerNumbers(
  layer: LayerSummary,
  summary: Summary,
  finished: Finished | null,
  drawsOf: (layer: LayerSummary) => number[],
): LayerNumbers {
  const { passes, invalid, reset, criticality } = layer;
  const numbers = measured(layer, summary, finished) ?? { kind: 'draws', values: drawsOf(layer) };
  return {
    layer: layer.layer,
    reset,
    mean: criticality.mean,
    isDestroyed: passes > 0 && invalid === passes,
    numbers,
    drawn: JSON.stringify([layer.shape, layer.init ?? null]),
  };
}

function measured(
  { layer, op, reset, passes }: LayerSummary,
  { options }: Summary,
  finished: Finished | null,
): Measurements | null {
  const chunks = finished?.chunksOf(layer, reset);
  if (!chunks || chunks.size === 0) return null;
  if (typeof options.imagesPerDraw === 'number') {
    // Those that the summary counts, which come first.
    let seen = 0;
    const counted = drawTotals(chunks).filter(({ images }) => {
      seen += images;
      return seen <= passes;
    });
    return { kind: 'slices', slices: bySlice(counted), isRandom: isRandomLabel(reset, op) };
  }
  const crossed = crossedTotals(chunks);
  const found = crossed && crossedMean(crossed.cosine);
  if (!found) return null;
  const { mean, variance, freedom } = found;
  return { kind: 'mean', mean: 100 * (1 - mean), variance: 100 ** 2 * variance, freedom };
}

/** Draws of one slice see the same images: together they are one independent unit. */
function bySlice(draws: readonly DrawSums[]): Map<number, Group> {
  const slices = new Map<number, Group>();
  for (const draw of draws) {
    const { count, sum, sumSquares } = percent(criticalityShare.of(draw));
    const before = slices.get(draw.slice) ?? { count: 0, sum: 0, sumSquares: 0 };
    slices.set(draw.slice, {
      count: before.count + count,
      sum: before.sum + sum,
      sumSquares: before.sumSquares + sumSquares,
    });
  }
  return slices;
}

/** Of 100 x (1 - cosine). */
const percent = ({ count, sum, sumSquares }: Group): Group => ({
  count,
  sum: 100 * (count - sum),
  sumSquares: 100 ** 2 * (count - 2 * sum + sumSquares),
});
