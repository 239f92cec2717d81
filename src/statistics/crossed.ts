/**
 * The mean of a crossed design: every draw is shown the same images, so draws and images vary, and both are random. The
 * variance of the mean is that of a two-way random-effects model with one number a cell, its degrees of freedom are
 * Satterthwaite's (1946); lme4 with lmerTest gives the same where no component is 0.
 */
import { boundedInterval, type Interval } from './student.js';

export interface Crossed {
  /** Images that every draw has a number for. */
  images: number;
  /** Per draw, the sum of its numbers. */
  drawSums: readonly number[];
  /** Sum of all numbers squared. */
  sumSquares: number;
  /** Sum over images of the square of the sum over draws. */
  imageSquares: number;
}

export interface CrossedMeans {
  mean: number;
  /** Mean squares between draws, between images, and of what is left. */
  draws: number;
  images: number;
  rest: number;
}

export function meanSquares({ images, drawSums, sumSquares, imageSquares }: Crossed): CrossedMeans {
  const draws = drawSums.length;
  const sum = drawSums.reduce((total, value) => total + value, 0);
  const correction = sum ** 2 / (draws * images);
  const ofDraws = Math.max(0, drawSums.reduce((total, value) => total + value ** 2, 0) / images - correction);
  const ofImages = Math.max(0, imageSquares / draws - correction);
  const rest = Math.max(0, sumSquares - correction - ofDraws - ofImages);
  return {
    mean: sum / (draws * images),
    draws: ofDraws / (draws - 1),
    images: ofImages / (images - 1),
    rest: rest / ((draws - 1) * (images - 1)),
  };
}

/** The mean's variance over new draws and images, and how well that is known. */
export interface CrossedMean {
  mean: number;
  variance: number;
  /** Satterthwaite's degrees of freedom. */
  freedom: number;
}

/** @returns null for fewer than two draws or images, with which nothing can be said of new ones */
export function crossedMean(crossed: Crossed): CrossedMean | null {
  const { images, drawSums } = crossed;
  const draws = drawSums.length;
  if (draws < 2 || images < 2) return null;
  const squares = meanSquares(crossed);
  // A component cannot be negative: where what is left is larger than a mean square, it is that one's estimate too.
  const parts = [
    { value: squares.draws, freedom: draws - 1 },
    { value: squares.images, freedom: images - 1 },
    { value: -Math.min(squares.rest, squares.draws, squares.images), freedom: (draws - 1) * (images - 1) },
  ];
  const total = parts.reduce((sum, { value }) => sum + value, 0);
  // Of parts of the total, whose squares do not vanish where nearly nothing varies.
  const spread = parts.reduce((sum, { value, freedom }) => sum + (value / total) ** 2 / freedom, 0);
  return {
    mean: squares.mean,
    variance: total / (draws * images),
    freedom: total > 0 ? Math.max(1, 1 / spread) : draws - 1,
  };
}

/** @returns null where nothing can be said of new draws and images */
export function crossedInterval(crossed: Crossed, confidence: number): Interval | null {
  const found = crossedMean(crossed);
  if (!found) return null;
  return boundedInterval(found.mean, found.variance, found.freedom, crossed.drawSums.length, confidence);
}
