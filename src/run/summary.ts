/**
 * The shape of `summary.json`, as a schema (files come from outside) and as types. Percentages are 0-100;
 * `null` stands for "not measured" or "not defined". It holds no times: equal inputs give equal bytes.
 */
import { z } from 'zod';
import { type Measure, measures } from '../native/columns.js';

const number = z.number();
const nullable = number.nullable();

/** Means over valid images; with labels, top1 and top5 in percent of all images and the loss in nats. */
const measured = Object.fromEntries(measures.map(({ name }) => [name, nullable])) as {
  [K in Measure]: typeof nullable;
};
const { publishedCrossEntropy: _, ...layerMeasured } = measured;

/** A mean over images and trials, the spread of the trial means, and its confidence interval. */
const estimate = z.object({
  mean: nullable,
  /** Sample standard deviation of the trials' means; null with one trial. */
  sdTrials: nullable,
  low: nullable,
  high: nullable,
});

const trialSummary = z.object({
  trial: number,
  images: number,
  /** Images with a NaN or infinite logit: in `agreementCount`'s denominator, outside the means. */
  invalid: number,
  agreementCount: number,
  change: nullable,
  ...measured,
});

const layerSummary = z.object({
  layer: z.string(),
  op: z.string(),
  shape: z.array(number),
  /** Of a grouped convolution; 1 otherwise. */
  groups: number,
  parameters: number,
  /** Position in graph order, 0 for the first layer, 1 for the last. */
  depth: number,
  reset: z.string(),
  trials: number,
  /** Images of the trial that saw most. */
  images: number,
  invalid: number,
  /** Mean over trials of |W' - W| / |W|; null where |W| is 0. */
  change: nullable,
  /** 100 x (1 - mean cosine), percent. */
  criticality: estimate,
  /** Percent of images whose top-1 class did not change. */
  agreement: estimate,
  ...layerMeasured,
  /** top1 after the reset as a share of the baseline's top1. */
  recovered: nullable,
  perTrial: z.array(trialSummary),
});

export const summarySchema = z.object({
  version: z.literal(1),
  model: z.object({ name: z.string(), sha256: z.string(), layers: number }),
  data: z.object({
    source: z.string(),
    images: number,
    fingerprint: z.string(),
    /** Images on which the untouched model gives a NaN or infinite logit. */
    invalid: number,
  }),
  options: z.record(z.string(), z.unknown()),
  /** Of the untouched model on these images; null without labels. Percent, percent, nats. */
  baseline: z.object({ top1: number, top5: number, loss: number }).nullable(),
  layers: z.array(layerSummary),
});

export type Summary = z.infer<typeof summarySchema>;
export type LayerSummary = z.infer<typeof layerSummary>;
export type TrialSummary = z.infer<typeof trialSummary>;
export type Estimate = z.infer<typeof estimate>;
