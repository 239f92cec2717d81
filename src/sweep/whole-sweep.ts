/**
 * A whole sweep as its parts describe it, without model and images: what it must come to, what lacks of it, and its results
 * when nothing does. Pure.
 */
import { z } from 'zod';
import { imagesOfSlices, type SliceDesign } from '../design/slices.js';
import { isRandomLabel } from '../resets/kinds.js';
import type { Finished } from '../run/finished.js';
import type { RunIdentity } from '../run/identity.js';
import { type ShardPlan, testedIn } from '../run/shard-plan.js';
import { type Results, type SummaryTarget, summarise } from '../run/summarise.js';
import { chunkCount, type Part } from './part.js';
import { shardProblem, shardsOf } from './shards.js';
import { Stopping } from './stopping.js';

const optionsSchema = z.object({
  reset: z.array(z.string()),
  imagesPerDraw: z.union([z.int().min(1), z.literal('all')]),
  trials: z.int().min(1),
  confidence: z.number(),
  tolerance: z.number().optional(),
  simultaneous: z.boolean().default(false),
});

/** Chunks that a layer and reset lack; with `layer` null those of the untouched model. */
export interface Missing {
  layer: string | null;
  reset: string | null;
  chunks: number[];
}

export class WholeSweep {
  readonly targets: readonly SummaryTarget[];
  readonly chunks: number;
  readonly #options: z.infer<typeof optionsSchema>;
  readonly #design: SliceDesign;

  constructor(
    readonly identity: RunIdentity,
    readonly plan: ShardPlan,
  ) {
    this.#options = optionsSchema.parse(identity.options);
    const { reset, imagesPerDraw, trials } = this.#options;
    this.#design = { imagesPerDraw, trials };
    this.chunks = chunkCount(identity.data.images, plan.chunk);
    const isTested = testedIn(plan);
    this.targets = plan.layers.flatMap((layer) =>
      reset
        .filter((label) => isTested(layer.name, label))
        .map((label) => ({
          layer,
          reset: { label },
          cells: { length: isRandomLabel(label, layer.op) ? trials : 1 },
        })),
    );
  }

  /** The parts of each of N shards. */
  shards(of: number): Part[][] {
    const { reset, trials, tolerance } = this.#options;
    const { images } = this.identity.data;
    const problem = shardProblem(this.plan, reset, trials, images, tolerance !== undefined);
    return shardsOf(problem, of);
  }

  /** What has to be computed still. A layer that is known well enough lacks nothing. */
  missing(finished: Finished): Missing[] {
    const stopping = this.#stopping(finished);
    const all = Array.from({ length: this.chunks }, (_, chunk) => chunk);
    const lacks: Missing[] = [];
    let most = 0;
    for (const target of this.targets) {
      const slices = stopping?.known(target)?.slices ?? null;
      if (slices !== null) {
        most = Math.max(most, this.#chunksOf(slices));
        continue;
      }
      most = this.chunks;
      const { layer, reset } = target;
      const has = finished.chunksOf(layer.name, reset.label);
      const chunks = all.filter((chunk) => !has.has(chunk));
      if (chunks.length > 0) lacks.push({ layer: layer.name, reset: reset.label, chunks });
    }
    const original = all.filter((chunk) => chunk < most && !finished.original.has(chunk));
    return original.length > 0 ? [...lacks, { layer: null, reset: null, chunks: original }] : lacks;
  }

  results(finished: Finished): Results {
    const { identity, targets } = this;
    const stopping = this.#stopping(finished);
    return summarise({
      identity,
      targets,
      finished,
      design: this.#design,
      confidence: this.#options.confidence,
      leftOut: this.plan.leftOut,
      knownOf: stopping ? (target) => stopping.known(target) : undefined,
    });
  }

  #stopping(finished: Finished): Stopping | null {
    const settings = { ...this.#options, design: this.#design };
    return Stopping.of(settings, this.targets, this.identity.data.images, finished);
  }

  #chunksOf(slices: number): number {
    return chunkCount(imagesOfSlices(this.#design, slices, this.identity.data.images), this.plan.chunk);
  }
}
