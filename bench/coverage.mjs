/**
 * node bench/coverage.mjs [REPETITIONS]: how often intervals of 95 % hold the true mean of made-up sweeps, as a table. The
 * tests do the same with fewer repetitions. Last come worlds in which most draws do nothing and a few do everything:
 * three or ten draws that all saw the easy side know nothing of it, and no interval made of them can.
 */
import { BettingSequence } from '../dist/statistics/betting.js';
import { crossedInterval } from '../dist/statistics/crossed.js';
import { groupsInterval } from '../dist/statistics/student.js';
import { crossedSweep, generator, shareOf, slicedSweep } from '../test/statistics/simulated.mjs';

const repetitions = Number(process.argv[2] ?? 10_000);
if (!Number.isInteger(repetitions) || repetitions < 1) {
  console.error('usage: node bench/coverage.mjs [REPETITIONS]');
  process.exit(2);
}
const SLICES = 125;
const PER_SLICE = 8;
const CONFIDENCE = 0.95;

const worlds = [0.05, 0.3, 0.5].flatMap((mean) =>
  [0.02, 0.1, 0.2].flatMap((sdDraws) => ['bernoulli', 'beta'].map((images) => ({ mean, sdDraws, images }))),
);
const isHard = ({ mean, sdDraws }) => sdDraws > mean;

const holds = (interval, mean) => interval.low <= mean && mean <= interval.high;
const always = (groups, mean) =>
  groups.every((_, i) => i < 4 || holds(groupsInterval(groups.slice(0, i + 1), CONFIDENCE), mean));

const methods = {
  'student, slices of 8': (random, world) =>
    holds(groupsInterval(slicedSweep(random, world, SLICES, PER_SLICE), CONFIDENCE), world.mean),
  'crossed, 3 draws': (random, world) =>
    holds(crossedInterval(crossedSweep(random, world, 3, 200), CONFIDENCE), world.mean),
  'crossed, 10 draws': (random, world) =>
    holds(crossedInterval(crossedSweep(random, world, 10, 200), CONFIDENCE), world.mean),
  'bets, always': (random, world) => {
    const sequence = new BettingSequence({ alpha: 1 - CONFIDENCE });
    for (const { sum, count } of slicedSweep(random, world, SLICES, PER_SLICE)) sequence.add(sum / count);
    return holds(sequence.interval, world.mean);
  },
  'student, always': (random, world) => always(slicedSweep(random, world, SLICES, PER_SLICE), world.mean),
};
/** They look 125 times. */
const isSlow = (method) => method.endsWith('always');

console.log(
  `share of sweeps whose interval holds the mean, in %; ${repetitions} repetitions, a tenth of "always"`,
);
console.log(['mean', 'sd', 'images'.padEnd(9), ...Object.keys(methods)].join('  '));
for (const world of [...worlds.filter((one) => !isHard(one)), ...worlds.filter(isHard)]) {
  const shares = Object.entries(methods).map(([name, method]) => {
    const random = generator(11);
    const times = Math.ceil(repetitions / (isSlow(name) ? 10 : 1));
    const { share, error } = shareOf(times, () => method(random, world));
    return `${(100 * share).toFixed(1)} ± ${(100 * error).toFixed(1)}`.padStart(name.length);
  });
  const { mean, sdDraws, images } = world;
  console.log([mean.toFixed(2), sdDraws.toFixed(2), images.padEnd(9), ...shares].join('  '));
}
