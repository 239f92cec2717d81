/** A run read back: its description, its summary, and its numbers as matrices. */
import { join } from 'node:path';
import ndarray, { type NdArray } from 'ndarray';
import { CritmapError, quoted } from '../errors.js';
import { measures } from '../native/columns.js';
import { isRandomLabel } from '../resets/kinds.js';
import type { DrawNumbers, TrialMetric } from './draw-numbers.js';
import { drawTotals, type Finished } from './finished.js';
import { readJournal } from './journal.js';
import { files, journalSeal, type RunInfo, readJson, runInfoSchema } from './run.js';
import { drawsOf, means } from './summarise.js';
import { type LayerSummary, resetsIn, type Summary, summarySchema } from './summary.js';
import { earlierSchema, fromEarlier } from './summary-v1.js';

export type { TrialMetric } from './draw-numbers.js';

/** Of a matrix: a gigabyte. */
const MOST_NUMBERS = 2 ** 27;

const metrics: readonly TrialMetric[] = [
  ...(['criticality', 'agreement'] as const),
  ...measures.map(({ name }) => name),
  ...(['images', 'invalid', 'agreementCount', 'change'] as const),
];

/** A finished run, read back. */
export interface Run {
  directory: string;
  info: RunInfo;
  summary: Summary;
  /** Layer names in the order of a matrix's rows. */
  layers: string[];
  /**
   * One metric as a layers x draws matrix of float64; NaN where it was not measured. `criticality` and
   * `agreement` are in percent, the rest as in `summary.json`.
   *
   * @throws RangeError for an unknown metric or reset
   * @param reset which reset of a run that has several; default the first
   */
  matrix(metric: TrialMetric, reset?: string): NdArray<Float64Array>;
}

/**
 * Reads a run directory, finished or interrupted.
 * @throws CritmapError (ERR_RUN) when it is not one, or a file of it is damaged; RangeError for an unknown reset
 */
export async function readRun(directory: string): Promise<Run> {
  if (typeof directory !== 'string' || directory === '') throw new TypeError('the directory must be a path');
  return (await readRunAndJournal(directory)).run;
}

/** @returns also what is in its journal; null of an earlier version, whose summary has the draws */
export async function readRunAndJournal(directory: string): Promise<{ run: Run; finished: Finished | null }> {
  const info = await readJson(directory, files.info, runInfoSchema);
  if (info.shard !== null) throw isShard(directory, info.shard);
  if (info.status === 'running') await explainRunning(directory);
  const { summary, drawsOf, finished } = await readSummary(directory, info);
  const resets = resetsIn(summary);
  const rowsOf = (reset = resets[0]) => {
    const rows = summary.layers.filter((layer) => layer.reset === reset);
    if (rows.length === 0) {
      throw new RangeError(`the run has no reset ${JSON.stringify(reset)}; it has ${resets.join(', ')}`);
    }
    return rows;
  };
  const run: Run = {
    directory,
    info,
    summary,
    layers: rowsOf().map((layer) => layer.layer),
    matrix(metric, reset) {
      if (!metrics.includes(metric)) {
        throw new RangeError(`a run has no metric ${quoted(String(metric))}; it has ${metrics.join(', ')}`);
      }
      const rows = rowsOf(reset).map(drawsOf);
      let draws = 1;
      for (const row of rows) for (const { draw } of row) draws = Math.max(draws, draw + 1);
      if (!(rows.length * draws <= MOST_NUMBERS)) {
        throw new CritmapError(
          'ERR_RUN',
          `${directory} is damaged: ${draws} draws of ${rows.length} layers are more than any run has`,
        );
      }
      const matrix = ndarray(new Float64Array(rows.length * draws).fill(Number.NaN), [rows.length, draws]);
      for (const [i, row] of rows.entries()) {
        for (const draw of row) matrix.set(i, draw.draw, numberOf(draw, metric) ?? Number.NaN);
      }
      return matrix;
    },
  };
  return { run, finished };
}

/** `summary.json` alone, of this version or the one before. */
export async function readRunSummary(directory: string): Promise<Summary> {
  const found = await readJson(directory, files.summary, summarySchema.or(earlierSchema));
  return found.version === 1 ? fromEarlier(found).summary : found;
}

async function readSummary(directory: string, info: RunInfo) {
  const found = await readJson(directory, files.summary, summarySchema.or(earlierSchema));
  if (found.version === 1) return { ...fromEarlier(found), finished: null };
  const finished = await readJournal(join(directory, files.journal), journalSeal(info));
  return { summary: found, finished, drawsOf: (layer: LayerSummary) => drawsIn(finished, layer, found) };
}

/** Single draws are in the journal; those that the summary counts, which come first. */
function drawsIn(finished: Finished, layer: LayerSummary, { options }: Summary): DrawNumbers[] {
  let passes = 0;
  const counted = drawTotals(finished.chunksOf(layer.layer, layer.reset)).filter(({ images }) => {
    passes += images;
    return passes <= layer.passes;
  });
  const trials = typeof options.trials === 'number' ? options.trials : 1;
  return drawsOf(counted, isRandomLabel(layer.reset, layer.op)).map((sums) => ({
    ...means(sums),
    draw: sums.slice * trials + sums.trial,
    images: sums.images,
    invalid: sums.invalid,
    agreementCount: sums.agreement,
    change: sums.change,
  }));
}

function numberOf(draw: DrawNumbers, metric: TrialMetric): number | null {
  if (metric !== 'criticality' && metric !== 'agreement') return draw[metric];
  const { images, invalid, cosine, agreementCount } = draw;
  if (metric === 'criticality') {
    if (cosine !== null) return 100 * (1 - (images ? (cosine * (images - (invalid ?? 0))) / images : cosine));
    return images && invalid === images ? 100 : null;
  }
  return images ? (100 * (agreementCount ?? 0)) / images : null;
}

function isShard(directory: string, { index, of }: { index: number; of: number }): CritmapError {
  return new CritmapError(
    'ERR_RUN',
    `${directory} is shard ${index} of ${of} of a sweep; critmap merge puts shards together`,
  );
}

/** A run that was killed has no summary yet: say what makes one. */
async function explainRunning(directory: string): Promise<void> {
  try {
    await readRunSummary(directory);
  } catch (error) {
    throw new CritmapError(
      'ERR_RUN',
      `${directory} is still being computed, or was killed; repeat its sweep command to go on with it`,
      { cause: error },
    );
  }
}
