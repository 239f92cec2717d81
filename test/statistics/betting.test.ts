import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { BettingSequence } from '../../src/statistics/betting.js';

/** Made with gostevehoward/confseq (MIT), hedged betting on a grid of 1,000; kept beside the repository. */
const path = fileURLToPath(new URL('../../../shared/reference/confseq-golden.json', import.meta.url));
const skip = existsSync(path) ? false : `${path} is not there`;

/** Two hundred numbers in [0, 1] with the mean 0.335. */
const numbers = Array.from({ length: 200 }, (_, i) => ((0.6180339887498949 * (i + 1)) % 1) ** 2);

for (const [name, population] of [
  ['betting_with_replacement', undefined],
  ['betting_without_replacement_N400', 400],
  ['betting_wor_N200', 200],
] as const) {
  t.test(`the sequence is that of confseq: ${name}`, { skip }, async (t) => {
    const golden: [count: number, low: number, high: number][] = JSON.parse(readFileSync(path, 'utf8'))[name];
    t.ok(golden.length > 0);
    const sequence = new BettingSequence({ alpha: 0.05, ...(population !== undefined && { population }) });
    for (const x of numbers) {
      sequence.add(x);
      const expected = golden.find(([count]) => count === sequence.count);
      if (!expected) continue;
      const { low, high } = sequence.interval;
      const [count, ...ends] = expected;
      t.ok(Math.abs(low - ends[0]) < 1e-9, `after ${count}: low ${low} is ${ends[0]}`);
      t.ok(Math.abs(high - ends[1]) < 1e-9, `after ${count}: high ${high} is ${ends[1]}`);
    }
  });
}

t.test('the interval only narrows, and holds all of [0, 1] before the first number', async (t) => {
  const sequence = new BettingSequence({ alpha: 0.05 });
  t.same([sequence.interval, sequence.count], [{ low: 0, high: 1 }, 0]);
  let last = sequence.interval;
  for (const x of numbers) {
    const next = sequence.add(x);
    if (next.low < last.low || next.high > last.high) t.fail(`wider after ${sequence.count}`);
    last = next;
  }
  t.equal(sequence.count, 200);
  t.ok(last.high - last.low < 0.15);
});

t.test('a smaller alpha gives a wider interval', async (t) => {
  const width = (alpha: number) => {
    const sequence = new BettingSequence({ alpha });
    for (const x of numbers) sequence.add(x);
    return sequence.interval.high - sequence.interval.low;
  };
  t.ok(width(0.001) > width(0.05));
  t.ok(width(0.05) > width(0.5));
});

t.test('numbers that are all alike, at an end or within, are known soon and never excluded', async (t) => {
  for (const x of [0, 0.4, 1]) {
    const sequence = new BettingSequence({ alpha: 0.05 });
    for (let i = 0; i < 500; i++) sequence.add(x);
    const { low, high } = sequence.interval;
    t.ok(low <= x && x <= high && high - low < 0.05, `${x}: ${low} to ${high}`);
  }
});

t.test('of a population that was seen whole the mean is known', async (t) => {
  const sequence = new BettingSequence({ alpha: 0.05, population: numbers.length });
  for (const x of numbers) sequence.add(x);
  const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  t.ok(Math.abs(sequence.interval.low - mean) < 1e-9 && Math.abs(sequence.interval.high - mean) < 1e-9);
});
