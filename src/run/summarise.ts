/** From finished chunks to `summary.json` and `results.csv`. Pure: the same chunks give the same bytes. */

import type { ProvenCell } from '../design/cells.js';
import { type Measure, measures } from '../native/columns.js';
import { average, estimateShare, type TrialSums } from '../statistics/intervals.js';
import { type ChunkSums, type Finished, total } from './journal.js';
import type { RunIdentity } from './run.js';
import type { Estimate, LayerSummary, Summary, TrialSummary } from './summary.js';

export function summarise(
  identity: RunIdentity,
  cells: readonly ProvenCell[],
  finished: Finished,
  confidence: number,
  allLayers: readonly string[],
): Summary {
  const original = total(finished.original.values());
  const baseline =
    original && original.top1 !== undefined && original.images > original.invalid
      ? {
          top1: percent(original.top1, original),
          top5: percent(original.top5, original),
          loss: mean(original.loss, original),
        }
      : null;
  const { model, data, options } = identity;
  return {
    version: 1,
    model: { name: model.name, sha256: model.sha256, layers: model.layers },
    data: {
      source: data.source,
      images: data.images,
      fingerprint: data.fingerprint,
      invalid: original?.invalid ?? 0,
    },
    options,
    baseline: baseline as Summary['baseline'],
    layers: groups(cells).map((trials) =>
      layerSummary(trials, finished, confidence, allLayers, baseline?.top1 ?? null),
    ),
  };
}

/** Cells of one layer and reset, in plan order. */
function groups(cells: readonly ProvenCell[]): ProvenCell[][] {
  const found = new Map<string, ProvenCell[]>();
  for (const cell of cells) {
    const key = JSON.stringify([cell.layer.name, cell.reset.label]);
    const group = found.get(key);
    if (group) group.push(cell);
    else found.set(key, [cell]);
  }
  return [...found.values()];
}

function layerSummary(
  cells: readonly ProvenCell[],
  finished: Finished,
  confidence: number,
  allLayers: readonly string[],
  baselineTop1: number | null,
): LayerSummary {
  const { layer, reset } = cells[0] as ProvenCell;
  const sums = cells.map((cell) => total(finished.chunksOf(layer.name, reset.label, cell.trial).values()));
  const perTrial = cells
    .map((cell, i) => trialSummary(cell, sums[i] ?? null))
    .filter((trial) => trial.images > 0);
  const over = (key: keyof TrialSummary) => meanOf(perTrial.map((trial) => trial[key]));
  const { publishedCrossEntropy: _, ...means } = byMeasure(over);
  const { top1 } = means;
  return {
    layer: layer.name,
    op: layer.op,
    shape: layer.weight.shape,
    groups: layer.groups,
    parameters: layer.parameters,
    depth: allLayers.length > 1 ? allLayers.indexOf(layer.name) / (allLayers.length - 1) : 0,
    reset: reset.label,
    trials: perTrial.length,
    images: Math.max(0, ...perTrial.map((trial) => trial.images)),
    invalid: perTrial.reduce((sum, trial) => sum + trial.invalid, 0),
    change: meanOf(cells.map((cell) => cell.change)),
    criticality: criticality(sums, confidence),
    agreement: agreement(sums, confidence),
    ...means,
    recovered: top1 !== null && baselineTop1 ? top1 / baselineTop1 : null,
    perTrial,
  };
}

/** 100 x (1 - mean cosine): the interval's ends change places. */
function criticality(sums: readonly (ChunkSums | null)[], confidence: number): Estimate {
  const share = estimateShare(
    sums
      .filter(isMeasured)
      .map((s): TrialSums => ({ count: s.images - s.invalid, sum: s.cosine, sumSquares: s.cosineSquares })),
    confidence,
  );
  if (!share) return nothing;
  return {
    mean: 100 * (1 - share.mean),
    sdTrials: scaled(share.sdTrials),
    low: 100 * (1 - share.high),
    high: 100 * (1 - share.low),
  };
}

/** Percent of all images; an invalid one does not agree. */
function agreement(sums: readonly (ChunkSums | null)[], confidence: number): Estimate {
  const share = estimateShare(
    sums
      .filter(isMeasured)
      .map((s): TrialSums => ({ count: s.images, sum: s.agreement, sumSquares: s.agreement })),
    confidence,
  );
  if (!share) return nothing;
  return {
    mean: 100 * share.mean,
    sdTrials: scaled(share.sdTrials),
    low: 100 * share.low,
    high: 100 * share.high,
  };
}

const nothing: Estimate = { mean: null, sdTrials: null, low: null, high: null };
const scaled = (value: number | null) => (value === null ? null : 100 * value);
const isMeasured = (sums: ChunkSums | null): sums is ChunkSums => sums !== null && sums.images > 0;

function trialSummary(cell: ProvenCell, sums: ChunkSums | null): TrialSummary {
  return {
    trial: cell.trial,
    images: sums?.images ?? 0,
    invalid: sums?.invalid ?? 0,
    agreementCount: sums?.agreement ?? 0,
    change: cell.change,
    ...byMeasure((name, isHits) => (isHits ? percent : mean)(sums?.[name], sums)),
  };
}

/** One number for each measure, in their order. */
function byMeasure<T>(of: (name: Measure, isHits: boolean) => T): { [K in Measure]: T } {
  const entries = measures.map(({ name, kind }) => [name, of(name, kind === 'hits')]);
  return Object.fromEntries(entries) as { [K in Measure]: T };
}

/** Over the valid images. */
function mean(sum: number | undefined, sums: ChunkSums | null): number | null {
  const count = sums ? sums.images - sums.invalid : 0;
  return sum === undefined || count === 0 ? null : sum / count;
}

/** Hits over all images: on an invalid one the model is wrong. */
function percent(hits: number | undefined, sums: ChunkSums | null): number | null {
  return hits === undefined || !sums || sums.images === 0 ? null : (100 * hits) / sums.images;
}

function meanOf(values: readonly (number | null)[]): number | null {
  const present = values.filter((value) => value !== null);
  return present.length > 0 ? average(present) : null;
}
