/** Whether the untouched model does what it was trained for. */
import type { Summary } from '../run/summary.js';
import { numbersInterval } from '../statistics/student.js';

/** @returns the warning that it does no better than guessing, or null */
export function baselineWarning({ baseline, data, model }: Summary, classes: number | null): string | null {
  if (!baseline || !classes || classes < 2) return null;
  const hits = (baseline.top1 / 100) * data.images;
  const interval = numbersInterval({ count: data.images, sum: hits, sumSquares: hits }, 0.95);
  if (!interval || interval.low > 1 / classes) return null;
  const chance = 100 / classes;
  // Well above it, but of so few images that this may be luck.
  if (baseline.top1 > 1.5 * chance) {
    return `${model.name} is right on ${baseline.top1.toFixed(1)} % of ${data.images} images, too few to tell it from the ${chance.toFixed(1)} % of guessing among ${classes} classes; give more (--images)`;
  }
  return `${model.name} is right on ${baseline.top1.toFixed(1)} % of the images, no more than by guessing among ${classes} classes; usual causes are an export without the trained weights, labels of another order, or another normalisation (--labels, --mean, --std)`;
}
