/** Types of `simulated.mjs`, which is JavaScript so that `bench/` can run it too. */
import type { Crossed } from '../../src/statistics/crossed.js';
import type { Group } from '../../src/statistics/student.js';

export type Random = () => number;
export interface World {
  mean: number;
  sdDraws: number;
  images: 'bernoulli' | 'beta';
}
export function generator(seed: number): Random;
export function slicedSweep(random: Random, world: World, slices: number, perSlice: number): Group[];
export function crossedSweep(random: Random, world: World, draws: number, images: number): Crossed;
export function shareOf(repetitions: number, holds: () => boolean): { share: number; error: number };
