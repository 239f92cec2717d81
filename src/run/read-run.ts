/** A run read back: its description, its summary, and its numbers as matrices. */
import ndarray, { type NdArray } from 'ndarray';
import { CritmapError } from '../errors.js';
import { files, type RunInfo, readJson, runInfoSchema } from './run.js';
import { type Summary, summarySchema, type TrialSummary } from './summary.js';

/** A number measured per trial. */
export type TrialMetric = Exclude<keyof TrialSummary, 'trial'> | 'criticality' | 'agreement';

export interface Run {
  directory: string;
  info: RunInfo;
  summary: Summary;
  /** Layer names in the order of a matrix's rows. */
  layers: string[];
  /**
   * One metric as a layers x trials matrix of float64; NaN where it was not measured. `criticality` and
   * `agreement` are in percent, the rest as in `summary.json`.
   *
   * @param reset which reset of a run that has several; default the first
   */
  matrix(metric: TrialMetric, reset?: string): NdArray<Float64Array>;
}

/**
 * Reads a run directory, finished or interrupted.
 * @throws CritmapError (ERR_RUN) when it is not one, or a file of it is damaged; RangeError for an unknown reset
 */
export async function readRun(directory: string): Promise<Run> {
  const info = await readJson(directory, files.info, runInfoSchema);
  if (info.status === 'running') await explainRunning(directory);
  const summary = await readJson(directory, files.summary, summarySchema);
  const resets = [...new Set(summary.layers.map((layer) => layer.reset))];
  const rowsOf = (reset = resets[0]) => {
    const rows = summary.layers.filter((layer) => layer.reset === reset);
    if (rows.length === 0) {
      throw new RangeError(`the run has no reset ${JSON.stringify(reset)}; it has ${resets.join(', ')}`);
    }
    return rows;
  };
  return {
    directory,
    info,
    summary,
    layers: rowsOf().map((layer) => layer.layer),
    matrix(metric, reset) {
      const rows = rowsOf(reset);
      const trials = Math.max(1, ...rows.flatMap((row) => row.perTrial.map((trial) => trial.trial + 1)));
      const matrix = ndarray(new Float64Array(rows.length * trials).fill(Number.NaN), [rows.length, trials]);
      for (const [i, row] of rows.entries()) {
        for (const trial of row.perTrial) matrix.set(i, trial.trial, numberOf(trial, metric) ?? Number.NaN);
      }
      return matrix;
    },
  };
}

function numberOf(trial: TrialSummary, metric: TrialMetric): number | null {
  if (metric === 'criticality') return trial.cosine === null ? null : 100 * (1 - trial.cosine);
  if (metric === 'agreement') return trial.images > 0 ? (100 * trial.agreementCount) / trial.images : null;
  return trial[metric];
}

/** A run that was killed has no summary yet: say what makes one. */
async function explainRunning(directory: string): Promise<void> {
  try {
    await readJson(directory, files.summary, summarySchema);
  } catch (error) {
    throw new CritmapError(
      'ERR_RUN',
      `${directory} is still being computed, or was killed; repeat its sweep command to go on with it`,
      { cause: error },
    );
  }
}
