/** Sums over ten images, as a sweep finishes them. */
import type { Sums } from '../../src/native/columns.js';
import type { DrawSums } from '../../src/run/finished.js';

export const sums = (extra: Partial<Sums> = {}): Sums => ({
  images: 10,
  invalid: 0,
  agreement: 7,
  cosine: 0.1,
  cosineSquares: 0.01,
  l1: 0.2,
  l2: 0.3,
  kl: 0.4,
  js: 0.5,
  publishedCrossEntropy: -3,
  ...extra,
});

export const drawSums = (slice: number, extra: Partial<DrawSums> = {}): DrawSums => ({
  slice,
  trial: 0,
  change: 1.5,
  ...sums(),
  ...extra,
});
