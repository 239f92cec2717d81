/** What is said across models, as tables and figures show it. */
import type { Correlation } from '../statistics/correlation.js';

export interface CorrelationRow {
  attribute: string;
  reset: string;
  /** The category that is left out; null where none is. */
  without: string | null;
  /** Models that have the attribute. */
  models: number;
  /** Null where one of the two does not vary. */
  spearman: Correlation | null;
  kendall: Correlation | null;
}

export interface CategoryRow {
  category: string;
  reset: string;
  models: number;
  /** Of the models' mean criticality, percent; the sample standard deviation of one model is null. */
  mean: number;
  sd: number | null;
  min: number;
  max: number;
}
