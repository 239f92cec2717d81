import t from 'tap';
import { largest, smallest } from '../../src/statistics/extremes.js';

t.test('the largest and smallest of more numbers than a call takes arguments', async (t) => {
  const values = Float64Array.from({ length: 2_000_000 }, (_, i) => Math.abs(i - 1_500_000));
  t.throws(() => Math.max(...values), RangeError);
  t.equal(largest(values), 1_500_000);
  t.equal(smallest(values), 0);
});

t.test('a bound stands for none, and NaN is not lost', async (t) => {
  t.equal(largest([]), Number.NEGATIVE_INFINITY);
  t.equal(largest([-2, -1], 0), 0);
  t.equal(smallest([], 5), 5);
  t.equal(smallest([7, 3], 5), 3);
  t.ok(Number.isNaN(largest([1, Number.NaN, 2])));
});
