/** Predictors as a table: one row a layer or group. Numbers keep their shortest exact form, null is an empty field. */
import { csvField } from '../files/csv.js';
import type { PredictorRow, Predictors } from './predictors.js';

const COLUMNS: readonly (readonly [name: string, key: keyof PredictorRow])[] = [
  ['layer', 'layer'],
  ['block_influence', 'blockInfluence'],
  ['relative_change', 'relativeChange'],
  ['stable_rank', 'stableRank'],
  ['parameter_share', 'parameterShare'],
  ['mac_share', 'macShare'],
  ['criticality', 'criticality'],
  ['criticality_low', 'criticalityLow'],
  ['criticality_high', 'criticalityHigh'],
];

export function predictorsCsv({ model, rows }: Predictors): string {
  const head = ['model', ...COLUMNS.map(([name]) => name)];
  const lines = rows.map((row) => [model.name, ...COLUMNS.map(([, key]) => row[key])]);
  return [head, ...lines].map((line) => `${line.map(csvField).join(',')}\n`).join('');
}
