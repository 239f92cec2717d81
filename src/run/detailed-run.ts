/** What a run's files of images and classes are made from: its options, its summary, and lines of its journal. */
import { z } from 'zod';
import type { LineDetails } from './finished.js';
import type { RunIdentity } from './identity.js';
import { imageMetrics } from './image-numbers.js';
import type { LayerSummary, Summary } from './summary.js';

export const detailOptions = z.object({
  perImage: z.array(z.enum(imageMetrics)).default([]),
  perImageMean: z.boolean().default(false),
  perClass: z.boolean().default(false),
  imagesPerDraw: z.union([z.int().min(1), z.literal('all')]),
  trials: z.int().min(1),
});
export type DetailOptions = z.infer<typeof detailOptions>;

/** What a run is, as far as its files of images need it. */
export interface DetailedRun {
  identity: RunIdentity;
  summary: Summary;
  /** Images of a chunk. */
  chunk: number;
  /** By index; null where they have none. */
  classNames: readonly string[] | null;
}

/** What the journal has of a layer under a reset, by chunk. */
export interface LayerLines {
  /** Its place in the summary. */
  number: number;
  layer: LayerSummary;
  /** Draws of one image. */
  draws: number;
  lines: Map<number, LineDetails>;
}
