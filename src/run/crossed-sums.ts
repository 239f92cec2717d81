/** What draws of the same images have in common, from their rows. */
import type { ColumnName, ImageRows } from '../native/columns.js';
import type { Crossed } from '../statistics/crossed.js';
import type { CrossedSums } from './finished.js';

/** @param draws - their rows over the same images */
export function crossedSums(draws: readonly ImageRows[]): CrossedSums {
  return { cosine: crossedOf(draws, 'cosine'), agreement: crossedOf(draws, 'agree') };
}

/** An invalid image counts as 0 in both, as in the estimates themselves. */
function crossedOf(draws: readonly ImageRows[], name: ColumnName): Crossed {
  const columns = draws.map((rows) => ({ values: rows.column(name), invalid: rows.column('invalid') }));
  const total = { images: 0, drawSums: draws.map(() => 0), sumSquares: 0, imageSquares: 0 };
  for (let image = 0; image < (draws[0]?.images ?? 0); image++) {
    let overDraws = 0;
    for (const [draw, { values, invalid }] of columns.entries()) {
      const value = invalid[image] ? 0 : values[image]!;
      total.drawSums[draw]! += value;
      total.sumSquares += value * value;
      overDraws += value;
    }
    total.images++;
    total.imageSquares += overDraws ** 2;
  }
  return total;
}
