/** One layer of one model as figures show it, from a run's summary or from a table's draws. */
import type { FigureCell } from '../figures/data.js';
import { measures } from '../native/columns.js';
import type { LayerSummary } from '../run/summary.js';
import { tQuantile } from '../statistics/student-t.js';
import { keyOf, type LayerNumbers, type ModelNumbers } from './numbers.js';

/** @returns null where the model was not swept there */
export function cellOf(model: ModelNumbers, layer: string): FigureCell | null {
  const { layers, summaries } = rowsOf(model);
  const numbers = layers.get(layer);
  if (!numbers) return null;
  const head = { model: model.id, layer, mean: numbers.mean, isDestroyed: numbers.isDestroyed };
  const summary = summaries.get(keyOf(numbers));
  if (summary) return { ...head, ...ofSummary(summary) };
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

interface Rows {
  layers: ReadonlyMap<string, LayerNumbers>;
  summaries: ReadonlyMap<string, LayerSummary>;
}
const known = new WeakMap<ModelNumbers, Rows>();

/** A model's rows by name, made once: there may be a hundred thousand. The first of a name counts. */
function rowsOf(model: ModelNumbers): Rows {
  const found = known.get(model);
  if (found) return found;
  const first = <T>(rows: readonly T[], key: (row: T) => string) =>
    new Map([...rows].reverse().map((row) => [key(row), row]));
  const rows = {
    layers: first(model.layers, ({ layer }) => layer),
    summaries: first(model.summary?.layers ?? [], keyOf),
  };
  known.set(model, rows);
  return rows;
}

function ofSummary(layer: LayerSummary) {
  const { criticality, agreement, images, draws, passes, stoppedAt } = layer;
  const others = measures.map(
    ({ name }) => [name, layer[name as keyof LayerSummary] as number | null] as const,
  );
  return {
    ...{ low: criticality.low, high: criticality.high, images, draws, passes, stoppedAt },
    spread: criticality.sdTrial ?? criticality.sdDraws,
    agreement: { mean: agreement.mean, low: agreement.low, high: agreement.high },
    metrics: {
      criticality: criticality.mean,
      agreement: agreement.mean,
      ...Object.fromEntries(others.filter(([, value]) => value !== null && value !== undefined)),
    },
  };
}

/** Of two values or more. */
function sampleSd(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
