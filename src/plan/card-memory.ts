/**
 * How much of a card's memory a sweep takes, from its plan. What CUDA, cuBLAS and cuDNN take for themselves is taken for
 * the constants below, which no card has shown yet. Pure.
 */
import { bytesOf } from './lay-out.js';
import type { Compiled } from './program.js';

/** Bytes on the card, by what they are for. */
export interface CardMemory {
  /** CUDA's own: kernels and its state. */
  context: number;
  /** Handles of cuBLAS and cuDNN, which every session has. */
  sessions: number;
  /** Values that weights are made of: trained ones, donors, factors. */
  values: number;
  /** Weights, activations between sessions, and logits that are kept. */
  tensors: number;
  /** Activations inside of a session, the most at once. */
  inside: number;
  /** What convolutions want while they compute. */
  workspace: number;
  /** Two batches on their way: images and rows of results. */
  batches: number;
  total: number;
}

/** Of the H200's driver it is about so much with ONNX Runtime's kernels. */
export const CONTEXT_BYTES = 500e6;
/** cuBLAS takes 32 MiB on cards of compute capability 9.0, less on older ones. */
const HANDLE_BYTES = 40 * 2 ** 20;
const WORKSPACE_BYTES = 128 * 2 ** 20;
/** Batches that a card has under way. */
const UNDER_WAY = 2;

/** A session's copies of weights that it has as constants: its own, and one that it packs. */
const COPIES = 2;

/**
 * @param pixels - whether images come as pixels, not as floats
 * @param columns - numbers of one image in a cell's results
 * @param weights - bytes of the model's
 */
export function cardMemory(
  { sessions, program, workerBytes, insideBytes = workerBytes, storedBytes = 0 }: Compiled,
  { pixels, columns }: { pixels: boolean; columns: number },
): CardMemory {
  const { slots, input, cells, constants } = program;
  const { dims } = slots[input]!;
  const image = bytesOf(slots[input]!) / (pixels ? Float32Array.BYTES_PER_ELEMENT : 1);
  const rows = (cells + 1) * dims[0]! * columns * Float64Array.BYTES_PER_ELEMENT;
  const parts = {
    context: CONTEXT_BYTES,
    sessions: sessions.length * HANDLE_BYTES,
    values: constants.reduce((sum, { byteLength }) => sum + byteLength, 0) + COPIES * storedBytes,
    tensors: workerBytes,
    inside: insideBytes,
    workspace: WORKSPACE_BYTES,
    batches: UNDER_WAY * (image + rows),
  };
  return { ...parts, total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) };
}

/** Of what a card has, what a sweep may take: a prediction may be short. */
const USABLE = 0.95;

export const fitsCard = ({ total }: CardMemory, available: number): boolean => total <= USABLE * available;

/** The most images of a batch: more make no card faster, and chunks longer. */
export const MOST_CARD_BATCH = 256;

/**
 * Where a sweep stops when it knows enough: what is computed beyond that is lost, and smaller batches see it sooner.
 */
export const MOST_STOPPING_BATCH = 64;

/** Batches to choose from, falling: the most that is wanted, then powers of two, of slices where one has several. */
export function cardBatches(most: number, imagesPerDraw: number | 'all' = 'all'): number[] {
  const slice = imagesPerDraw === 'all' || imagesPerDraw > most ? most : imagesPerDraw;
  const powers = (to: number) =>
    Array.from({ length: 1 + Math.floor(Math.log2(to)) }, (_, i) => 2 ** i).reverse();
  const together = powers(most / slice).map((slices) => slices * slice);
  return [...new Set([Math.floor(most / slice) * slice, ...together, ...powers(slice)])];
}

/** The largest of some batches that fits, as far as memory grows with the batch; undefined where none does. */
export function likelyBatch(
  memory: CardMemory,
  batch: number,
  batches: readonly number[],
  available: number,
  weights: number,
): number | undefined {
  const { tensors, inside, batches: underWay, total } = memory;
  // All weights are tensors, whatever the batch.
  const perImage = Math.max(0, tensors - weights + inside + underWay) / batch;
  const fixed = total - perImage * batch;
  return batches.find((one) => fixed + perImage * one <= USABLE * available);
}

const words = {
  context: 'CUDA itself',
  sessions: 'sessions',
  values: 'trained values',
  tensors: 'weights and activations',
  inside: 'activations inside of a session',
  workspace: 'convolutions',
  batches: 'images and results',
} as const satisfies Record<Exclude<keyof CardMemory, 'total'>, string>;

/** `500 MB for CUDA itself, 503 MB for sessions, …` */
export function memoryText(memory: CardMemory): string {
  return Object.entries(words)
    .map(([part, what]) => `${shownBytes(memory[part as keyof typeof words])} for ${what}`)
    .join(', ');
}

export const shownBytes = (bytes: number): string =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
