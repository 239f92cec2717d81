/** The numbers of single draws, as a run gives them back. */
import type { Measure } from '../native/columns.js';

/** A number measured per draw. */
export type TrialMetric =
  | Measure
  | 'criticality'
  | 'agreement'
  | 'images'
  | 'invalid'
  | 'agreementCount'
  | 'change';

/** What is known of one draw. */
export type DrawNumbers = { [K in Exclude<TrialMetric, 'criticality' | 'agreement'>]: number | null } & {
  draw: number;
};
