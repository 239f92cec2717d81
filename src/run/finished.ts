/**
 * What a sweep has finished: per chunk of the sample, the sums of the untouched model's slices, and those of every draw
 * of every layer and reset. Sums run over images in order and chunks are folded in order, so a total does not depend on
 * when or in which process its parts were computed.
 */

import { type Sums, sumNames } from '../native/columns.js';
import type { Crossed } from '../statistics/crossed.js';
import type { ClassRow } from './image-numbers.js';

/** Sums over the images of one slice in one chunk. */
export type SliceSums = Sums & { slice: number };

/** The same under one draw, with how far it moved the weights: |W' - W| / |W|, null where |W| is 0. */
export type DrawSums = SliceSums & { trial: number; change: number | null };

/**
 * What draws that see the same images have in common: without it nothing is known of how images differ. `cosine` is
 * over images that are valid in all of them.
 */
export interface CrossedSums {
  cosine: Crossed;
  agreement: Crossed;
}

/** One layer and reset in one chunk. */
export interface TargetChunk {
  /** By slice, then trial. */
  draws: DrawSums[];
  crossed?: CrossedSums;
}

/** What a line has besides, where it is asked for; `image-numbers.ts` makes both. It is not kept in memory. */
export interface LineDetails {
  /** By metric, in the order in which they were asked for. */
  perImage?: string[] | undefined;
  perClass?: ClassRow[] | undefined;
}

export type JournalLine =
  | ({ type: 'original'; chunk: number; slices: SliceSums[] } & Pick<LineDetails, 'perClass'>)
  | ({ type: 'target'; layer: string; reset: string; chunk: number } & TargetChunk & LineDetails);

export class Finished {
  readonly original = new Map<number, SliceSums[]>();
  readonly #targets = new Map<string, Map<number, TargetChunk>>();

  /** A chunk counts once, however often it was written. */
  add(line: JournalLine): void {
    if (line.type === 'original') {
      if (!this.original.has(line.chunk)) this.original.set(line.chunk, line.slices);
      return;
    }
    const chunks = this.chunksOf(line.layer, line.reset);
    const { draws, crossed } = line;
    if (!chunks.has(line.chunk)) chunks.set(line.chunk, { draws, ...(crossed && { crossed }) });
  }

  /** Finished chunks of a layer and reset by number. */
  chunksOf(layer: string, reset: string): Map<number, TargetChunk> {
    const key = JSON.stringify([layer, reset]);
    const chunks = this.#targets.get(key) ?? new Map<number, TargetChunk>();
    this.#targets.set(key, chunks);
    return chunks;
  }
}

/** In the order of chunks, whenever they were finished. */
export function inOrder<T>(chunks: ReadonlyMap<number, T>): T[] {
  return [...chunks].sort(([a], [b]) => a - b).map(([, chunk]) => chunk);
}

/** Adds sums to those of earlier images. */
export function addSums<S extends Sums>(total: S | undefined, part: S): S {
  if (!total) return { ...part };
  const result: S = { ...total };
  for (const { name } of sumNames) {
    const value = part[name];
    if (value !== undefined) (result as Sums)[name] = ((result as Sums)[name] ?? 0) + value;
  }
  return result;
}

/** Sums of each draw over all chunks, by slice, then trial. */
export function drawTotals(chunks: ReadonlyMap<number, TargetChunk>): DrawSums[] {
  const totals = new Map<string, DrawSums>();
  for (const { draws } of inOrder(chunks)) {
    for (const draw of draws) {
      const key = `${draw.slice}/${draw.trial}`;
      totals.set(key, addSums(totals.get(key), draw));
    }
  }
  return [...totals.values()];
}

/** The same for slices of the untouched model. */
export function sliceTotals(chunks: ReadonlyMap<number, SliceSums[]>): SliceSums[] {
  const totals = new Map<number, SliceSums>();
  for (const sums of inOrder(chunks).flat()) totals.set(sums.slice, addSums(totals.get(sums.slice), sums));
  return [...totals.values()];
}

/** What crossed draws have in common over all chunks; null where a chunk lacks it. */
export function crossedTotals(chunks: ReadonlyMap<number, TargetChunk>): CrossedSums | null {
  let total: CrossedSums | null = null;
  for (const { crossed } of inOrder(chunks)) {
    if (!crossed) return null;
    total = total
      ? {
          cosine: addCrossed(total.cosine, crossed.cosine),
          agreement: addCrossed(total.agreement, crossed.agreement),
        }
      : crossed;
  }
  return total;
}

function addCrossed(a: Crossed, b: Crossed): Crossed {
  return {
    images: a.images + b.images,
    drawSums: a.drawSums.map((sum, i) => sum + (b.drawSums[i] ?? 0)),
    sumSquares: a.sumSquares + b.sumSquares,
    imageSquares: a.imageSquares + b.imageSquares,
  };
}
