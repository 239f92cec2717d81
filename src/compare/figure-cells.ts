/** One layer of one model as figures show it, from a run's summary or from a table's draws. */
import type { FigureCell } from '../figures/data.js';
import { cellNumbers } from '../report/page-columns.js';
import { tQuantile } from '../statistics/student-t.js';
import type { ModelNumbers } from './numbers.js';

/** @returns null where the model was not swept there */
export function cellOf(model: ModelNumbers, layer: string): FigureCell | null {
  const numbers = model.layers.find((one) => one.layer === layer);
  if (!numbers) return null;
  const head = { model: model.id, layer, mean: numbers.mean, isDestroyed: numbers.isDestroyed };
  const summary = model.summary?.layers.find((one) => one.layer === layer && one.reset === numbers.reset);
  if (summary) return { ...head, ...cellNumbers(summary) };
  const unknown = { agreement: null, metrics: {}, images: null, passes: null, stoppedAt: null };
  const values = numbers.numbers.kind === 'draws' ? numbers.numbers.values : [];
  const spread = sampleSd(values);
  const half =
    spread === null ? null : (tQuantile(0.975, values.length - 1) * spread) / Math.sqrt(values.length);
  return {
    ...{ ...head, ...unknown, spread, draws: values.length },
    low: half === null ? null : numbers.mean! - half,
    high: half === null ? null : numbers.mean! + half,
  };
}

/** Of two values or more. */
function sampleSd(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
