/**
 * How often intervals hold the truth in made-up sweeps of known mean: 95 % is promised, 94 % asked for, less two standard
 * errors of the simulation itself. `bench/coverage.mjs` does the same at length, in worlds that are harder too.
 */
import t from 'tap';
import { BettingSequence } from '../../src/statistics/betting.js';
import { crossedInterval } from '../../src/statistics/crossed.js';
import { groupsInterval, type Interval } from '../../src/statistics/student.js';
import { crossedSweep, generator, shareOf, slicedSweep } from './simulated.mjs';

const SLICES = 125;
const PER_SLICE = 8;
const holds = (interval: Interval | null, mean: number) =>
  interval !== null && interval.low <= mean && mean <= interval.high;

const worlds = [
  { mean: 0.3, sdDraws: 0.02, images: 'bernoulli' },
  { mean: 0.05, sdDraws: 0.02, images: 'beta' },
  { mean: 0.5, sdDraws: 0.1, images: 'beta' },
  { mean: 0.3, sdDraws: 0.2, images: 'bernoulli' },
] as const;
const named = ({ mean, sdDraws, images }: (typeof worlds)[number]) =>
  `mean ${mean}, draws ${sdDraws} apart, ${images} images`;

t.test("Student's interval over slices holds the mean in 94 % of sweeps or more", async (t) => {
  for (const world of worlds) {
    const random = generator(1);
    const { share, error } = shareOf(1000, () =>
      holds(groupsInterval(slicedSweep(random, world, SLICES, PER_SLICE), 0.95), world.mean),
    );
    t.ok(share >= 0.94 - 2 * error && share <= 0.99, `${named(world)}: ${share}`);
  }
});

t.test('the interval of crossed draws holds the mean in 94 % of sweeps or more', async (t) => {
  for (const [draws, images] of [
    [3, 200],
    [10, 100],
  ] as const) {
    for (const world of worlds) {
      const random = generator(2);
      const { share, error } = shareOf(1000, () =>
        holds(crossedInterval(crossedSweep(random, world, draws, images), 0.95), world.mean),
      );
      t.ok(share >= 0.94 - 2 * error, `${draws} draws, ${named(world)}: ${share}`);
    }
  }
});

t.test('looked at after every slice, bets hold the mean in 95 % of sweeps, Student does not', async (t) => {
  const repetitions = 150;
  for (const world of [worlds[0], worlds[3]]) {
    let [always, naively] = [0, 0];
    const random = generator(4);
    for (let i = 0; i < repetitions; i++) {
      const groups = slicedSweep(random, world, SLICES, PER_SLICE);
      const sequence = new BettingSequence({ alpha: 0.05 });
      for (const { sum, count } of groups) sequence.add(sum / count);
      // The sequence is a running intersection: its last interval lies in all before it.
      if (holds(sequence.interval, world.mean)) always++;
      if (alwaysHeld(groups, world.mean)) naively++;
    }
    const error = Math.sqrt((0.95 * 0.05) / repetitions);
    t.ok(always / repetitions >= 0.95 - 2 * error, `bets, ${named(world)}: ${always} of ${repetitions}`);
    t.ok(naively / repetitions < 0.85, `Student, ${named(world)}: ${naively} of ${repetitions}`);
  }
});

/** Whether Student's interval holds the mean each time that one looks, from the fifth slice on. */
function alwaysHeld(groups: Parameters<typeof groupsInterval>[0], mean: number): boolean {
  for (let slices = 5; slices <= groups.length; slices++) {
    if (!holds(groupsInterval(groups.slice(0, slices), 0.95), mean)) return false;
  }
  return true;
}
