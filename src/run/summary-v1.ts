/** `summary.json` as version 1 had it: a few trials that saw all images, with their numbers in the file itself. */
import { z } from 'zod';
import { type Measure, measures } from '../native/columns.js';
import type { DrawNumbers } from './draw-numbers.js';
import { type Estimate, type LayerSummary, noEstimate, type Summary, summarySchema } from './summary.js';

const nullable = z.number().nullable();
const estimate = z.object({ mean: nullable, sdTrials: nullable, low: nullable, high: nullable });
const measured = Object.fromEntries(measures.map(({ name }) => [name, nullable])) as {
  [K in Measure]: typeof nullable;
};
const trial = z.object({
  trial: z.number(),
  images: z.number(),
  invalid: z.number(),
  agreementCount: z.number(),
  change: nullable,
  ...measured,
});
const layer = summarySchema.shape.layers.element
  .omit({ draws: true, passes: true, stoppedAt: true, publishedCrossEntropy: true })
  .extend({ criticality: estimate, agreement: estimate, trials: z.number(), perTrial: z.array(trial) });

export const earlierSchema = summarySchema.extend({ version: z.literal(1), layers: z.array(layer).min(1) });
export type EarlierSummary = z.infer<typeof earlierSchema>;

export function fromEarlier(earlier: EarlierSummary): {
  summary: Summary;
  drawsOf: (layer: LayerSummary) => DrawNumbers[];
} {
  const trialsOf = new Map<LayerSummary, DrawNumbers[]>();
  const layers = earlier.layers.map(({ trials, perTrial, criticality, agreement, ...rest }): LayerSummary => {
    const passes = perTrial.reduce((sum, { images }) => sum + images, 0);
    const published = perTrial.map((one) => one.publishedCrossEntropy).filter((value) => value !== null);
    const converted = {
      ...rest,
      publishedCrossEntropy:
        published.length > 0 ? published.reduce((sum, value) => sum + value, 0) / published.length : null,
      draws: trials,
      passes,
      stoppedAt: null,
      criticality: converting(criticality, trials),
      agreement: converting(agreement, trials),
    };
    trialsOf.set(
      converted,
      perTrial.map(({ trial: draw, ...numbers }) => ({ ...numbers, draw })),
    );
    return converted;
  });
  return {
    summary: { ...earlier, version: 2, layers },
    drawsOf: (layer) => trialsOf.get(layer) ?? [],
  };
}

/** With one trial its interval said nothing of other draws. */
function converting({ sdTrials, ...ends }: z.infer<typeof estimate>, trials: number): Estimate {
  const interval = ends.low === null ? null : trials > 1 ? 'trials' : 'images';
  return { ...noEstimate, ...ends, interval, sdDraws: sdTrials, sdTrial: sdTrials };
}
