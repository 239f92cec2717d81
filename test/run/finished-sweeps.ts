/** Small finished sweeps of one layer, made by hand, for the tests of what is said of them. */
import type { ProvenCell, Target } from '../../src/design/cells.js';
import type { SliceDesign } from '../../src/design/slices.js';
import type { Sums } from '../../src/native/columns.js';
import type { Layer } from '../../src/onnx/layers.js';
import type { Reset } from '../../src/resets/kinds.js';
import { Finished } from '../../src/run/finished.js';
import type { RunIdentity } from '../../src/run/run.js';
import type { SummaryInput } from '../../src/run/summarise.js';
import { sums } from './sums.js';

export const identity: RunIdentity = {
  model: { name: 'm,1', sha256: 'aa', layers: 2 },
  data: { source: 'photos', images: 30, fingerprint: 'bb', transform: null },
  options: { seed: 0 },
};

export const random: Reset = { kind: 'random', label: 'random' };
const layer = {
  name: 'conv2',
  op: 'Conv',
  weight: { shape: [4, 2, 1, 1] },
  groups: 2,
  parameters: 12,
} as Layer;

/** The layer under one reset, with so many draws of a slice; draw t moves the weights by 1 + t. */
export function targetOf(reset: Reset, trials: number): Target<ProvenCell> {
  const cells = Array.from({ length: trials }, (_, trial) => ({
    index: trial,
    layer,
    reset,
    trial,
    change: 1 + trial,
  }));
  return { layer, reset, cells };
}

/** Of images whose cosine is all the same, and other numbers too. */
export function alike(images: number, invalid: number, agreement: number, cosine = 0.5): Sums {
  const valid = images - invalid;
  const measured = {
    cosine: cosine * valid,
    cosineSquares: cosine ** 2 * valid,
    l1: 0.1 * valid,
    l2: 0.2 * valid,
  };
  const rest = { kl: 0.3 * valid, js: 0.4 * valid, publishedCrossEntropy: -2 * valid };
  return { images, invalid, agreement, ...measured, ...rest, top1: 3, top5: 6, loss: 1.5 * valid };
}

/** Two draws that both see chunks of 20 and 10 images; draw 0 has 5 invalid images, all in the first. */
export function crossedSweep(): SummaryInput {
  const finished = new Finished();
  // In the first chunk 10 images agree under both draws and 10 under one, in the second 5 and 5.
  finished.add({
    type: 'target',
    layer: 'conv2',
    reset: 'random',
    chunk: 1,
    draws: drawsOf(alike(10, 0, 5), alike(10, 0, 10)),
    crossed: {
      cosine: { images: 10, drawSums: [5, 5], sumSquares: 5, imageSquares: 10 },
      agreement: { images: 10, drawSums: [5, 10], sumSquares: 15, imageSquares: 25 },
    },
  });
  finished.add({
    type: 'target',
    layer: 'conv2',
    reset: 'random',
    chunk: 0,
    draws: drawsOf(alike(20, 5, 10), alike(20, 0, 20)),
    crossed: {
      cosine: { images: 15, drawSums: [7.5, 7.5], sumSquares: 7.5, imageSquares: 15 },
      agreement: { images: 20, drawSums: [10, 20], sumSquares: 30, imageSquares: 50 },
    },
  });
  addOriginal(finished);
  return input(finished, { imagesPerDraw: 'all', trials: 2 }, [targetOf(random, 2)]);
}

const drawsOf = (...draws: Sums[]) =>
  draws.map((one, trial) => ({ ...one, slice: 0, trial, change: 1 + trial }));

function addOriginal(finished: Finished): void {
  const none = { cosine: 0, cosineSquares: 0, l1: 0, l2: 0, kl: 0, js: 0, publishedCrossEntropy: 0 };
  const slice = (images: number, invalid: number, top1: number, top5: number, loss: number) => [
    { slice: 0, ...sums({ ...none, images, invalid, agreement: 0, top1, top5, loss }) },
  ];
  finished.add({ type: 'original', chunk: 0, slices: slice(20, 2, 12, 16, 9) });
  finished.add({ type: 'original', chunk: 1, slices: slice(10, 0, 9, 10, 5) });
}

export function input(
  finished: Finished,
  design: SliceDesign,
  targets: readonly Target<ProvenCell>[],
): SummaryInput {
  const facts = { name: 'conv2', op: 'Conv', shape: [4, 2, 1, 1], groups: 2, parameters: 12, position: 1 };
  const planned = targets.map((target) => ({ ...target, layer: { ...facts, init: 'uniform of conv2' } }));
  return { identity, targets: planned, finished, design, confidence: 0.95 };
}

/** 30 images in slices of 8, 8, 8 and 6, in chunks of 20 and 10: slice 2 lies in both. */
export function slicedSweep(reset: Reset, trials: number): SummaryInput {
  const finished = new Finished();
  const parts = [
    [
      [0, 8],
      [1, 8],
      [2, 4],
    ],
    [
      [2, 4],
      [3, 6],
    ],
  ] as const;
  for (const [chunk, slices] of parts.entries()) {
    finished.add({
      type: 'target',
      layer: 'conv2',
      reset: reset.label,
      chunk,
      draws: slices.flatMap(([slice, images]) =>
        Array.from({ length: trials }, (_, trial) => ({
          ...alike(images, 0, slice === 0 ? 0 : images / 2, cosineOf(slice, trial)),
          slice,
          trial,
          change: 1 + slice,
        })),
      ),
    });
    finished.add({
      type: 'original',
      chunk,
      slices: slices.map(([slice, images]) => ({ ...alike(images, 0, images, 1), slice })),
    });
  }
  return input(finished, { imagesPerDraw: 8, trials }, [targetOf(reset, trials)]);
}

export const cosineOf = (slice: number, trial: number) => 0.9 - 0.1 * slice - 0.02 * trial;
