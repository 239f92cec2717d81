import { readFileSync } from 'node:fs';
import t from 'tap';
import { kendall, spearman } from '../../src/statistics/correlation.js';
import {
  type Difference,
  meanOfGroups,
  meanOfNumbers,
  paired,
  welch,
} from '../../src/statistics/difference.js';
import { benjaminiHochberg, holm } from '../../src/statistics/multiple-testing.js';
import { normalTwoSided } from '../../src/statistics/normal.js';
import { averageRanks } from '../../src/statistics/ranks.js';
import { tTwoSided } from '../../src/statistics/student-t.js';
import { fixture } from '../fixtures.js';

type Numbers = [statistic: number, freedom: number, p: number, low: number, high: number];
/** Written by `oracle/make_comparison_golden.py` with scipy and statsmodels. */
const golden: {
  correlations: {
    name: string;
    x: number[];
    y: number[];
    spearman: [number, number];
    kendall: [number, number];
  }[];
  p: number[];
  holm: number[];
  bh: number[];
  samples: { x: number[]; y: number[]; welch: Numbers; paired?: Numbers }[];
  t: [number, number, number][];
  z: [number, number][];
} = JSON.parse(readFileSync(fixture('comparison.json'), 'utf8'));
/** Written by `oracle/make_comparison_golden.R`. */
const byR: {
  holm: number[];
  bh: number[];
  a: number[];
  b: number[];
  welch: Numbers;
  paired: Numbers;
  x: number[];
  y: number[];
  kendall: [number, number];
  spearman: number;
} = JSON.parse(readFileSync(fixture('comparison-r.json'), 'utf8'));

type Tap = { ok(value: boolean, message: string): void };
const near = (t: Tap, found: number | null, expected: number, what: string) =>
  t.ok(
    found !== null && Math.abs(found - expected) <= 1e-9 * Math.max(1e-300, Math.abs(expected)),
    `${what}: ${found} is ${expected}`,
  );

t.test('two-sided p-values of t and z are scipy’s to 1e-9 of themselves, however small', async (t) => {
  for (const [value, freedom, p] of golden.t) near(t, tTwoSided(value, freedom), p, `t ${value}, ${freedom}`);
  for (const [value, p] of golden.z) near(t, normalTwoSided(value), p, `z ${value}`);
  t.same([tTwoSided(0, 3), tTwoSided(Infinity, 3), normalTwoSided(0), normalTwoSided(-50)], [1, 0, 1, 0]);
  t.equal(tTwoSided(-2, 5), tTwoSided(2, 5));
});

for (const { name, x, y, spearman: s, kendall: k } of golden.correlations) {
  t.test(`Spearman’s rho and Kendall’s tau-b are scipy’s: ${name}`, async (t) => {
    near(t, spearman(x, y)!.coefficient, s[0], 'rho');
    near(t, spearman(x, y)!.p, s[1], 'p of rho');
    near(t, kendall(x, y)!.coefficient, k[0], 'tau');
    near(t, kendall(x, y)!.p, k[1], 'p of tau');
  });
}

t.test('rank correlations are R’s, whose p of tau is exact too', async (t) => {
  near(t, spearman(byR.x, byR.y)!.coefficient, byR.spearman, 'rho');
  near(t, kendall(byR.x, byR.y)!.coefficient, byR.kendall[0], 'tau');
  near(t, kendall(byR.x, byR.y)!.p, byR.kendall[1], 'p');
});

t.test('what does not vary has no correlation, two pairs have no p of rho, lengths must agree', async (t) => {
  t.equal(spearman([1, 1, 1], [1, 2, 3]), null);
  t.equal(kendall([1, 2, 3], [4, 4, 4]), null);
  t.equal(kendall([1], [1]), null);
  t.same(spearman([1, 2], [3, 4]), { coefficient: 1, p: null });
  t.throws(() => spearman([1], [1, 2]), RangeError);
  t.same(averageRanks([3, 1, 3, 0]), [3.5, 2, 3.5, 1]);
});

t.test('adjusted p-values are statsmodels’ and R’s, in the order given', async (t) => {
  for (const [adjusted, ...expected] of [
    [holm(golden.p), golden.holm, byR.holm],
    [benjaminiHochberg(golden.p), golden.bh, byR.bh],
  ] as const) {
    for (const one of expected) {
      for (const [i, p] of adjusted.entries()) near(t, p, one[i]!, `p ${golden.p[i]}`);
    }
  }
  t.same([holm([]), benjaminiHochberg([])], [[], []]);
});

const all = (t: Tap, found: Difference, [statistic, freedom, p, low, high]: Numbers) => {
  near(t, found.statistic, statistic, 'statistic');
  near(t, found.freedom, freedom, 'freedom');
  near(t, found.p, p, 'p');
  near(t, found.low, low, 'low');
  near(t, found.high, high, 'high');
};
const groups = (values: readonly number[], count = 1) =>
  values.map((value) => ({ count, sum: count * value, sumSquares: count * value ** 2 }));

t.test('Welch’s and the paired t-test are scipy’s and R’s, intervals too', async (t) => {
  const samples = [...golden.samples, { x: byR.a, y: byR.b, welch: byR.welch, paired: byR.paired }];
  for (const { x, y, welch: expected, paired: pairs } of samples) {
    all(t, welch(meanOfNumbers(x)!, meanOfNumbers(y)!, 0.9), expected);
    all(t, welch(meanOfGroups(groups(x, 8))!, meanOfGroups(groups(y, 8))!, 0.9), expected);
    if (pairs) all(t, paired(groups(x, 8), groups(y, 8), 0.9)!, pairs);
  }
});

t.test('groups without numbers are left out in pairs, and one group says nothing', async (t) => {
  const none = { count: 0, sum: 0, sumSquares: 0 };
  const found = paired([...groups(byR.a), ...groups([7])], [...groups(byR.b), none], 0.9)!;
  all(t, found, byR.paired);
  t.equal(paired(groups([1]), groups([2]), 0.9), null);
  t.equal(meanOfNumbers([1]), null);
  t.equal(meanOfGroups([...groups([1]), none]), null);
  t.throws(() => paired(groups([1, 2]), groups([2]), 0.9), RangeError);
});

t.test('where nothing varies, equal means have p 1 and others no test', async (t) => {
  t.match(paired(groups([1, 2]), groups([1, 2]), 0.95), { difference: 0, p: 1, low: 0, high: 0 });
  t.match(paired(groups([2, 3]), groups([1, 2]), 0.95), { difference: 1, p: null, low: null });
});
