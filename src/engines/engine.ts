/**
 * The seam between a sweep and what computes it. A sweep hands an engine a chunk of images and the cells that
 * still need it; the engine answers with each cell's rows, an image each, and those of the original with itself.
 */

import type { Cell } from '../design/cells.js';
import type { SliceDesign } from '../design/slices.js';
import { CritmapError } from '../errors.js';
import type { Model } from '../model/model.js';
import type { Precision } from '../native/cards.js';
import type { ImageRows } from '../native/columns.js';
import type { EngineSeconds } from '../native/engine.js';
import type { PlanLimits } from '../plan/limits.js';
import type { ResetContext } from '../resets/kinds.js';
import type { Chunk } from './chunk.js';

/** Where an engine puts results, each as soon as it is complete. */
export interface ResultSink {
  /** Whether it wants the logits themselves, too; what makes them comes with the rows and gives an array of its own. */
  wantsLogits?: boolean;
  /** The untouched model against itself: its accuracy, and images on which it is invalid. */
  original(rows: ImageRows, logits?: () => Logits): void | Promise<void>;
  cell(cell: Cell, rows: ImageRows, logits?: () => Logits): void | Promise<void>;
  /** Now and then: images of cells that have been computed since the engine was opened, put here or not yet. */
  computed?(units: number): void;
}

/** count x classes */
export interface Logits {
  logits: Float32Array;
  classes: number;
}

/**
 * The graph that an engine computes: the model's own, or what ONNX Runtime makes of it for the processor. The last bits
 * of their numbers differ.
 */
export type ComputedGraph = 'model' | 'runtime';

export interface Engine {
  readonly name: 'reference' | 'fast';
  readonly graph: ComputedGraph;
  /** Images that it computes at once, at most. */
  readonly batch: number;
  /** The untouched model's logits for the first images of a chunk, at most a batch. */
  original(chunk: Chunk, count: number): Promise<Logits>;
  /** The same with a cell's layer reset, by the draw that a slice has. */
  changed(chunk: Chunk, count: number, cell: Cell, slice: number): Promise<Logits>;
  /**
   * Compares every cell's predictions with the original's on a chunk. The fast engine takes several chunks at once.
   * Rejects with the signal's reason soon after it aborts; what was put into the sink stays valid.
   */
  evaluate(chunk: Chunk, cells: readonly Cell[], sink: ResultSink, signal?: AbortSignal): Promise<void>;
  /** What has been spent since it was opened; also when it is closed. */
  seconds(): EngineSeconds;
  close(): Promise<void>;
}

/** Every draw sees every image. */
export const CROSSED: SliceDesign = { imagesPerDraw: 'all', trials: 1 };

export interface EngineOptions {
  /** All cells of the sweep; what the engine is asked for later is a part of them. */
  cells: readonly Cell[];
  /** All cells of the sweep that these are a shard of: a shard's numbers are to be the same to the last bit. */
  whole?: readonly Cell[] | undefined;
  /** What resets draw from. */
  context: ResetContext;
  /** Which draws a slice has; default one draw a trial for all images. */
  design?: SliceDesign | undefined;
  /** Of the images, in pixels. */
  size: { height: number; width: number };
  /** Images per inference call. */
  batch: number;
  /** On cards: a smaller batch is taken where there is no room for that one. */
  smallerBatch?: boolean | undefined;
  /** On cards: the batch is the one that the run was begun in. */
  begun?: boolean | undefined;
  /** On cards: whether images come as pixels, not as floats; default true. */
  pixels?: boolean | undefined;
  /** Of the fast engine on the processor, for tests: plans are a card's. */
  limits?: PlanLimits | undefined;
  threads: number;
  /** CUDA's numbers of the cards that the fast engine computes on; the processor without it. */
  cards?: readonly number[] | undefined;
  /**
   * Of the fast engine; default fp32. TF32 is for cards; float16 on the processor computes in whatever its kernels do
   * between tensors of float16, for tests.
   */
  precision?: Precision | undefined;
  /** Of the fast engine: `model` cuts the model's own graph, also where the runtime's would serve. */
  graph?: 'runtime' | 'model' | undefined;
  /** Opening rejects with its reason soon after it aborts. */
  signal?: AbortSignal | undefined;
}

/** A graph that does not say how many classes it has shows it here first. */
export function refuseLabels(model: Model, labels: Int32Array | undefined, classes: number): void {
  const highest = labels?.reduce((most, label) => Math.max(most, label), 0) ?? 0;
  if (highest >= classes) {
    throw new CritmapError(
      'ERR_IMAGES',
      `the labels go up to ${highest}, ${model.file.path} has only classes 0 to ${classes - 1}; give the right labels, or --labels none to go without accuracy`,
    );
  }
}
