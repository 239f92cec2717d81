import t from 'tap';
import { BettingSequence } from '../../src/statistics/betting.js';
import { expectedCount } from '../../src/statistics/betting-forecast.js';
import { generator, slicedSweep } from './simulated.mjs';

t.test('a forecast is within a factor of two of where sequences stop', async (t) => {
  for (const alpha of [0.05, 0.001]) {
    for (const tolerance of [0.02, 0.05]) {
      for (const [mean, sdDraws, images] of [
        [0.3, 0.1, 'bernoulli'],
        [0.05, 0.02, 'beta'],
        [0.7, 0.03, 'beta'],
        [0.5, 0.2, 'bernoulli'],
      ] as const) {
        const sequence = new BettingSequence({ alpha });
        for (const { sum, count } of slicedSweep(generator(5), { mean, sdDraws, images }, 8000, 8)) {
          const { low, high } = sequence.add(sum / count);
          if ((high - low) / 2 <= tolerance) break;
        }
        const forecast = expectedCount(Math.sqrt(sequence.variance), tolerance, alpha);
        const ratio = forecast / sequence.count;
        t.ok(ratio > 0.5 && ratio < 2, `${mean} ${sdDraws}: ${forecast}, took ${sequence.count}`);
      }
    }
  }
});
