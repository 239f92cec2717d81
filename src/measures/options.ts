/** The options of module criticality, beside those of a sweep that it shares. */
import { z } from 'zod';
import type { OptionValues } from '../options.js';
import { sweepOptions } from '../sweep/options.js';

const group = 'Module criticality:';

/** What the loss of the definition is. */
export const criteria = ['error', 'loss', 'agreement'] as const;
export type Criterion = (typeof criteria)[number];

/** Up to what a point of the grid may be worse than the untouched model: percentage points, nats, percent. */
export const THRESHOLDS: Readonly<Record<Criterion, number>> = { error: 1, loss: 0.1, agreement: 1 };

const tenths = Array.from({ length: 11 }, (_, i) => i / 10);

/** Standard deviations, three to a decade. */
const spreads = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];

const numbers = (least: z.ZodNumber, preset: readonly number[]) =>
  z
    .array(least)
    .min(1)
    .refine((list) => new Set(list).size === list.length)
    .readonly()
    .default([...preset]);

export const gridOptions = {
  /** Shares of the trained weights, from 0 to 1; default 0, 0.1, ... 1. */
  alphas: numbers(z.number().min(0).max(1), tenths).meta({
    description: 'The grid of α: 0 is the initial weights, 1 the trained ones',
    group,
    wanted: 'a list of different numbers from 0 to 1',
  }),
  /** Standard deviations of the noise, above 0 and to 1; default 0.0001, 0.0002, 0.0005, 0.001, ... 1. */
  sigmas: numbers(z.number().min(1e-30).max(1), spreads).meta({
    description: "The grid of σ, the noise's standard deviation",
    group,
    wanted: 'a list of different numbers above 0 and up to 1',
  }),
  /** Default `error` where the images have labels, `agreement` where they have none. */
  criterion: z.enum(criteria).optional().meta({
    description:
      'What may grow by the threshold: the top-1 error, the cross-entropy loss, or (without labels) the part of images whose class changes',
    group,
  }),
  /** Percentage points of error or agreement (default 1), nats of loss (default 0.1). */
  threshold: z.number().min(0).max(100).optional().meta({
    description:
      'By how much: percentage points for error and agreement (default 1), nats for loss (default 0.1)',
    group,
  }),
};

const { layers, exclude, parts, imagesPerDraw, trials, seed, engine, device, precision, batch, threads } =
  sweepOptions;

/** Options of a sweep that module criticality has too. */
export const sharedOptions = {
  ...{ layers, exclude, group: sweepOptions.group, parts, imagesPerDraw, trials, seed },
  ...{ engine, device, precision, batch, threads },
};

export type GridValues = OptionValues<typeof gridOptions>;
export type SharedValues = OptionValues<typeof sharedOptions>;
