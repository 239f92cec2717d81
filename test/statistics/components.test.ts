import { readFileSync } from 'node:fs';
import t from 'tap';
import { components } from '../../src/statistics/components.js';
import type { Group } from '../../src/statistics/student.js';
import { fixture } from '../fixtures.js';
import { generator, slicedSweep } from './simulated.mjs';

/** Written by `oracle/make_components_golden.R`. */
const golden: { sets: { name: string; between: number; within: number; groups: (number[] | number)[] }[] } =
  JSON.parse(readFileSync(fixture('components.json'), 'utf8'));

function groupOf(values: number[] | number): Group {
  const numbers = [values].flat();
  const sum = (power: number) => numbers.reduce((total, value) => total + value ** power, 0);
  return { count: numbers.length, sum: sum(1), sumSquares: sum(2) };
}

for (const { name, between, within, groups } of golden.sets) {
  t.test(`deviations between and within groups are R's: ${name}`, async (t) => {
    const found = components(groups.map(groupOf));
    t.ok(Math.abs(found.between.sd! - between) < 1e-5, `between ${found.between.sd} is ${between}`);
    t.ok(Math.abs(found.within.sd! - within) < 1e-5, `within ${found.within.sd} is ${within}`);
    for (const { sd, interval } of [found.between, found.within]) {
      t.ok(interval && interval.low <= sd! && sd! <= interval.high && interval.high < 3 * sd!);
    }
    t.same(components([...groups.map(groupOf), { count: 0, sum: 0, sumSquares: 0 }]), found, 'empty groups');
  });
}

t.test('groups that differ less than their images would make them have a deviation of 0', async (t) => {
  const { between, within } = components([groupOf([0, 1]), groupOf([1, 0]), groupOf([0, 1])]);
  t.equal(between.sd, 0);
  t.ok(Math.abs(within.sd! - Math.SQRT1_2) < 1e-12);
});

t.test('what cannot be known is null', async (t) => {
  const nothing = { sd: null, interval: null };
  t.same(components([]), { between: nothing, within: nothing });
  t.same(components([groupOf([0.5])]), { between: nothing, within: nothing });
  t.same(components([groupOf([0.2]), groupOf([0.4])]), { between: nothing, within: nothing });
  const one = components([groupOf([0.2, 0.4])]);
  t.equal(one.between.sd, null);
  t.ok(Math.abs(one.within.sd! - Math.sqrt(0.02)) < 1e-12 && one.within.interval === null);
  t.equal(components([groupOf([0.2, 0.4]), groupOf([0.6, 0.8])]).between.interval, null, 'two say little');
});

t.test('intervals hold the true deviations of simulated draws in nine of ten or more', async (t) => {
  const random = generator(3);
  const held = { between: 0, within: 0 };
  // Of answers yes or no with the mean m = 0.3 and draws s apart, the mean variance within a draw is m - m^2 - s^2.
  const truth = { between: 0.1, within: Math.sqrt(0.3 - 0.09 - 0.01) };
  for (let i = 0; i < 200; i++) {
    const found = components(slicedSweep(random, { mean: 0.3, sdDraws: 0.1, images: 'bernoulli' }, 125, 8));
    for (const part of ['between', 'within'] as const) {
      const { low, high } = found[part].interval!;
      if (low <= truth[part] && truth[part] <= high) held[part]++;
    }
  }
  t.ok(held.between >= 180 && held.within >= 180, JSON.stringify(held));
});
