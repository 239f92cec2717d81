/**
 * The shape of `summary.json`, as a schema (files come from outside) and as types. Percentages are 0-100;
 * `null` stands for "not measured" or "not defined". It holds no times: equal inputs give equal bytes.
 */
import { z } from 'zod';
import { type Measure, measures } from '../native/columns.js';

const number = z.number();
const nullable = number.nullable();
/** Of things; other files have them as 32 bits. */
const count = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

/** Means over valid images; with labels, top1 and top5 in percent of all images and the loss in nats. */
const measured = Object.fromEntries(measures.map(({ name }) => [name, nullable])) as {
  [K in Measure]: typeof nullable;
};

/**
 * A mean in percent and its interval, which says what it covers:
 * - `student`: new draws and new images, from slices that each have a draw of their own
 * - `betting`: the same, and it holds however often one has looked (a confidence sequence)
 * - `crossed`: new draws and new images, from draws that have all seen the same images
 * - `images`: new images only, under the draws that were made (or a reset without any)
 * - `trials`: as version 1 had it
 */
const estimate = z.object({
  mean: nullable,
  low: nullable,
  high: nullable,
  interval: z.enum(['student', 'betting', 'crossed', 'images', 'trials']).nullable(),
  /** Standard deviations between draws (of their means over endless images) and between images of one draw. */
  sdDraws: nullable,
  sdDrawsInterval: z.tuple([number, number]).nullable(),
  sdImages: nullable,
  sdImagesInterval: z.tuple([number, number]).nullable(),
  /** Of the means of single draws over all images: what the published design shows as spread over trials. */
  sdTrial: nullable,
});

const layerSummary = z.object({
  /** Or of layers that were reset together. */
  layer: z.string(),
  /** Of a group all that its layers have, `Conv+Gemm`. */
  op: z.string(),
  /** Of the weight; empty of a group. */
  shape: z.array(number),
  /** Of a grouped convolution; 1 otherwise. */
  groups: number,
  parameters: number,
  /** Position in graph order, 0 for the first layer, 1 for the last; of a group on average, or where a cascade has come to. */
  depth: number,
  reset: z.string(),
  /** What a random reset drew from, `trunc-normal(0.02) bias 0`; null of other resets. */
  init: z.string().nullable().default(null),
  /** Images, draws, and images under a draw that the numbers are from. */
  images: count,
  draws: count,
  passes: z.int().min(0),
  /** Images after which it was known as well as asked for; null where it was not, or nothing was asked for. */
  stoppedAt: nullable,
  /** Passes that gave a NaN or infinite logit. */
  invalid: number,
  /** Mean over draws of |W' - W| / |W|, or under `skip` and `mean` of what the layer or group gives; null where |W| is 0. */
  change: nullable,
  /** 100 x (1 - mean cosine), percent, over valid images. */
  criticality: estimate,
  /** Percent of images whose top-1 class did not change; an invalid one's did. */
  agreement: estimate,
  ...measured,
  /** top1 after the reset as a share of the baseline's top1. */
  recovered: nullable,
  /** Of a group the layers that were reset together. */
  members: z.array(z.string()).optional(),
  /** Places in which its weight is used, where there are several: they were reset together. */
  uses: number.optional(),
});

/** What has a trained tensor, or may have, and cannot be reset as a layer, with the reason. */
export const leftOut = z.object({
  name: z.string(),
  op: z.string(),
  why: z.string(),
  /** Of a layer or group that cannot be tested under this one; without it, what is no layer. */
  reset: z.string().optional(),
});

export const summarySchema = z.object({
  version: z.literal(2),
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
  layers: z.array(layerSummary).min(1),
  /** Of the model; not there where it has none. */
  leftOut: z.array(leftOut).optional(),
});

/** What `summary.json` holds. */
export type Summary = z.infer<typeof summarySchema>;
/** One layer, or group of layers, under one reset. */
export type LayerSummary = z.infer<typeof layerSummary>;
/** A mean in percent, its interval and what it covers, and spreads; `null` is what is not known. */
export type Estimate = z.infer<typeof estimate>;

export const noEstimate: Estimate = {
  mean: null,
  low: null,
  high: null,
  interval: null,
  sdDraws: null,
  sdDrawsInterval: null,
  sdImages: null,
  sdImagesInterval: null,
  sdTrial: null,
};

/** The resets that some layer has, in the order in which they were asked for: the first layer need not have the first. */
export function resetsIn({ layers, options }: Pick<Summary, 'layers' | 'options'>): string[] {
  const found = new Set(layers.map(({ reset }) => reset));
  const asked: unknown[] = Array.isArray(options.reset) ? options.reset : [];
  const known = asked.filter((one): one is string => typeof one === 'string' && found.has(one));
  return [...new Set([...known, ...found])];
}

/** The resets of several runs, each in the order of its own, those that all of them have first: the first is what is shown. */
export function resetsOfSeveral(runs: readonly (readonly string[])[]): string[] {
  const all = [...new Set(runs.flat())];
  const isShared = (reset: string) => runs.every((resets) => resets.includes(reset));
  return [...all.filter(isShared), ...all.filter((reset) => !isShared(reset))];
}
