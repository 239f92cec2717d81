/** What a run says of its whole sweep, so that parts can be planned, held against it and put together without a model. */
import { z } from 'zod';
import { leftOut } from './summary.js';

const whole = z.int().min(0);

export const shardPlan = z.object({
  /** Images of a chunk. */
  chunk: z.int().min(1),
  /** Of the model; null where the graph does not say. */
  classes: z.int().nullable(),
  /** Multiply-accumulates of the untouched model for one image; made up, as those of layers, where nothing is divided. */
  forward: z.number(),
  /** Those that are reset, layers or groups of them, in graph order. */
  layers: z.array(
    z.object({
      name: z.string(),
      /** Of a group all that its layers have. */
      op: z.string(),
      /** Empty of a group. */
      shape: z.array(whole),
      groups: whole,
      parameters: whole,
      /** Among all layers of the model; of a group on average, or where a cascade has come to. */
      position: z.number().min(0),
      /** What a random reset draws from, in words. */
      init: z.string().nullable(),
      /** Multiply-accumulates of one image from the layer to the logits. */
      macs: z.number(),
      /** Those of one image with the layer's own weight; null where they are not known. */
      ownMacs: z.number().nullable().default(null),
      /** Of a group its layers. */
      members: z.array(z.string()).optional(),
      /** Places in which a tied weight is used, where there are several. */
      uses: whole.optional(),
    }),
  ),
  /** All layers of the model, also those that are not reset: parameters, and the multiply-accumulates of one image. */
  model: z.object({ parameters: whole, macs: z.number().nullable() }).nullable().default(null),
  /** What has a trained tensor, or may have, and is no layer, or cannot be tested under a reset; nothing where there is none. */
  leftOut: z.array(leftOut).optional(),
});
export type ShardPlan = z.infer<typeof shardPlan>;
/** Whether a layer is tested under a reset, both by name: what cannot be is among what is left out. */
export function testedIn({
  leftOut = [],
}: Pick<ShardPlan, 'leftOut'>): (layer: string, reset: string) => boolean {
  const untested = new Set(leftOut.map(({ name, reset }) => JSON.stringify([name, reset ?? null])));
  return (layer, reset) => !untested.has(JSON.stringify([layer, reset]));
}

export type PlannedLayer = ShardPlan['layers'][number];
