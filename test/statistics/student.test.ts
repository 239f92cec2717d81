import t from 'tap';
import {
  boundedInterval,
  type Group,
  groupsInterval,
  meanOf,
  numbersInterval,
} from '../../src/statistics/student.js';
import { tQuantile } from '../../src/statistics/student-t.js';

t.test("tQuantile equals scipy.stats.t.ppf (SciPy 1.17's values)", async (t) => {
  const golden = [
    [0.975, 1, 12.706204736174694],
    [0.975, 2, 4.302652729749462],
    [0.975, 2.5, 3.5746548420036817],
    [0.95, 7, 1.8945786050900062],
    [0.995, 30, 2.7499956535672254],
    [0.975, 999, 1.9623414611334493],
    [0.75, 0.5, 1.5537739740300383],
    [0.9999, 3, 22.203742273205],
    [0.975, 1e7, 1.959964221767205],
  ] as const;
  for (const [probability, freedom, expected] of golden) {
    for (const sign of [1, -1]) {
      const found = tQuantile(sign > 0 ? probability : 1 - probability, freedom);
      t.ok(Math.abs(found - sign * expected) < 1e-7 * expected, `${probability}, ${freedom}: ${found}`);
    }
  }
  t.throws(() => tQuantile(1, 3), RangeError);
  t.throws(() => tQuantile(0.5, 0), RangeError);
});

t.test(
  "the interval over groups of one size is Student's of their means where it is far from 0 and 1",
  async (t) => {
    // scipy.stats.t.interval(0.95, 4, mean, sem) of these five means: 0.5 -+ 2.7764451 x 0.0070710678.
    const groups = [0.48, 0.49, 0.5, 0.51, 0.52].map((mean) => group(1000, mean));
    const { low, high } = groupsInterval(groups, 0.95)!;
    t.ok(Math.abs(low - 0.48036756) < 1e-4, `${low}`);
    t.ok(Math.abs(high - 0.51963244) < 1e-4, `${high}`);
  },
);

t.test('groups of unequal size count by their images', async (t) => {
  const groups = [group(8, 0.25), group(8, 0.5), group(4, 1)];
  t.equal(meanOf(groups), 0.5);
  const { low, high } = groupsInterval(groups, 0.95)!;
  t.ok(low < 0.25 && low > 0 && high > 0.75 && high < 1, `${low} to ${high}`);
  t.same(groupsInterval([...groups, group(0, 0)], 0.95), { low, high }, 'those without images are left out');
});

t.test('what varies within groups does not widen their interval', async (t) => {
  const groups = [group(8, 0.25), group(8, 0.5)];
  const spread = groups.map((one) => ({ ...one, sumSquares: one.sum }));
  t.same(groupsInterval(spread, 0.95), groupsInterval(groups, 0.95));
});

t.test("the interval over many yes/no answers is Wilson's", async (t) => {
  // statsmodels' proportion_confint(200, 400, method='wilson'): 0.4512 to 0.5488.
  const { low, high } = numbersInterval({ count: 400, sum: 200, sumSquares: 200 }, 0.95)!;
  t.ok(Math.abs(low - 0.4512) < 1e-3, `${low}`);
  t.ok(Math.abs(high - 0.5488) < 1e-3, `${high}`);
});

t.test('when nothing varies an interval still has a width and stays within [0, 1]', async (t) => {
  for (const mean of [0, 1, 0.3]) {
    for (const interval of [
      groupsInterval(Array(20).fill(group(8, mean)), 0.95)!,
      numbersInterval({ count: 20, sum: 20 * mean, sumSquares: 20 * mean ** 2 }, 0.95)!,
    ]) {
      const { low, high } = interval;
      t.ok(low >= 0 && high <= 1 && low <= mean + 1e-12 && high >= mean - 1e-12, `${low} to ${high}`);
      if (mean !== 0.3) t.ok(high - low > 0.05 && high - low < 0.3, `${mean}: ${low} to ${high}`);
    }
  }
});

t.test('of fewer than two nothing is said', async (t) => {
  t.equal(groupsInterval([], 0.95), null);
  t.equal(groupsInterval([group(0, 0), group(8, 0.5)], 0.95), null);
  t.equal(numbersInterval({ count: 1, sum: 1, sumSquares: 1 }, 0.95), null);
  t.equal(numbersInterval({ count: 0, sum: 0, sumSquares: 0 }, 0.95), null);
  t.equal(meanOf([group(0, 0)]), null);
});

t.test('more confidence and fewer degrees of freedom widen an interval', async (t) => {
  const width = (freedom: number, confidence: number) => {
    const { low, high } = boundedInterval(0.4, 1e-4, freedom, 10, confidence);
    return high - low;
  };
  t.ok(width(2, 0.95) > width(9, 0.95));
  t.ok(width(9, 0.99) > width(9, 0.95));
});

/** Images that are all alike. */
function group(count: number, mean: number): Group {
  return { count, sum: count * mean, sumSquares: count * mean ** 2 };
}
