/** What draws of the same images have in common, from their rows. */
import type { ColumnName, ImageRows } from '../native/columns.js';
import type { Crossed } from '../statistics/crossed.js';
import type { CrossedSums } from './finished.js';

/** @param draws - their rows over the same images */
export function crossedSums(draws: readonly ImageRows[]): CrossedSums {
  const invalid = draws.map((rows) => rows.column('invalid'));
  const isValid = (image: number) => invalid.every((flags) => !flags[image]);
  return {
    cosine: crossedOf(draws, 'cosine', isValid),
    agreement: crossedOf(draws, 'agree', () => true),
  };
}

function crossedOf(
  draws: readonly ImageRows[],
  name: ColumnName,
  counts: (image: number) => boolean,
): Crossed {
  const columns = draws.map((rows) => rows.column(name));
  const total = { images: 0, drawSums: draws.map(() => 0), sumSquares: 0, imageSquares: 0 };
  for (let image = 0; image < (draws[0]?.images ?? 0); image++) {
    if (!counts(image)) continue;
    let overDraws = 0;
    for (const [draw, values] of columns.entries()) {
      const value = values[image]!;
      total.drawSums[draw]! += value;
      total.sumSquares += value * value;
      overDraws += value;
    }
    total.images++;
    total.imageSquares += overDraws ** 2;
  }
  return total;
}
