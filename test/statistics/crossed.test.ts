import { readFileSync } from 'node:fs';
import t from 'tap';
import { type Crossed, crossedInterval, crossedMean } from '../../src/statistics/crossed.js';
import { fixture } from '../fixtures.js';

/** Written by `oracle/make_crossed_golden.R`. */
const golden: {
  sets: { name: string; mean: number; error: number; freedom: number; values: number[][] }[];
} = JSON.parse(readFileSync(fixture('crossed.json'), 'utf8'));

/** @param values - a row per draw */
function crossedOf(values: readonly (readonly number[])[]): Crossed {
  const sum = (numbers: readonly number[]) => numbers.reduce((total, value) => total + value, 0);
  const images = values[0]!.length;
  return {
    images,
    drawSums: values.map(sum),
    sumSquares: sum(values.flat().map((value) => value ** 2)),
    imageSquares: sum(Array.from({ length: images }, (_, i) => sum(values.map((row) => row[i]!)) ** 2)),
  };
}

const near = (found: number, expected: number) => Math.abs(found - expected) <= 1e-4 * Math.abs(expected);

for (const { name, mean, error, freedom, values } of golden.sets) {
  const found = crossedMean(crossedOf(values))!;
  const isCut = name.endsWith('that are alike') && !name.includes(',');
  if (!isCut) {
    t.test(`mean, standard error and degrees of freedom are lmerTest's: ${name}`, async (t) => {
      t.ok(near(found.mean, mean), `mean ${found.mean} is ${mean}`);
      t.ok(near(Math.sqrt(found.variance), error), `error ${Math.sqrt(found.variance)} is ${error}`);
      t.ok(near(found.freedom, freedom), `freedom ${found.freedom} is ${freedom}`);
    });
  } else {
    t.test(`a component that is 0 is not taken for less, here or by lmerTest: ${name}`, async (t) => {
      t.ok(near(found.mean, mean));
      const errors = Math.sqrt(found.variance) / error;
      t.ok(errors > 0.99 && errors < 1.01, `the error is ${errors} of lmerTest's`);
      const draws = values.length;
      t.ok(found.freedom >= 0.95 * (draws - 1), `${found.freedom}`);
      t.ok(found.freedom <= draws * values[0]!.length - 1, `${found.freedom}`);
    });
  }
}

t.test('with one draw or one image nothing is said of others', async (t) => {
  t.equal(crossedInterval(crossedOf([[0.1, 0.5, 0.9]]), 0.95), null);
  t.equal(crossedInterval(crossedOf([[0.1], [0.2], [0.3]]), 0.95), null);
  t.equal(crossedMean(crossedOf([[0.1]])), null);
});

t.test('where nothing varies the interval has a width all the same, and lies in [0, 1]', async (t) => {
  for (const [value, low, high] of [
    [0, 0, 0.9],
    [1, 0.1, 1],
  ] as const) {
    const interval = crossedInterval(crossedOf(Array(3).fill(Array(50).fill(value))), 0.95)!;
    t.ok(
      interval.low >= 0 && interval.high <= 1 && interval.high - interval.low > 0.5,
      JSON.stringify(interval),
    );
    t.ok(interval.low <= low + 0.1 && interval.high >= high - 0.1, JSON.stringify(interval));
  }
});

t.test('numbers so small that their squares vanish have an interval', async (t) => {
  const values = [1, 2, 4].map((draw) => [1, 2, 5, 3].map((image) => 1e-60 * draw * image));
  const { freedom } = crossedMean(crossedOf(values))!;
  t.ok(near(freedom, crossedMean(crossedOf(values.map((row) => row.map((value) => 1e60 * value))))!.freedom));
  t.ok(crossedInterval(crossedOf(values), 0.95));
});

t.test('draws that lie apart widen the interval, more images do not narrow that', async (t) => {
  const width = (spread: number, images: number) => {
    const rows = [-1, 0, 1].map((draw) =>
      Array.from({ length: images }, (_, i) => 0.5 + spread * draw + 0.1 * ((i % 5) / 2 - 1)),
    );
    const { low, high } = crossedInterval(crossedOf(rows), 0.95)!;
    return high - low;
  };
  t.ok(width(0.1, 100) > 4 * width(0.01, 100));
  t.ok(width(0.1, 1000) > 0.95 * width(0.1, 100));
});
