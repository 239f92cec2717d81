/**
 * A sweep's words on another machine: its files are looked for by name below that machine's folders, and nowhere else; what
 * is named by its address is fetched. What is found is held against the offer by its content, so that a wrong file of the
 * right name does no harm.
 */
import { existsSync } from 'node:fs';
import { basename, join, resolve, sep } from 'node:path';
import type { SweepWords } from './open-sweep.js';
import { withPaths } from './sweep-paths.js';

export interface Folders {
  models: string;
  data: string;
}

/** As they are offered: with whole paths, and without what is each machine's own business. */
export function offeredWords(words: SweepWords): Record<string, unknown> {
  const whole = withPaths(words, {
    ...{ model: (path) => resolve(path), data: (path) => resolve(path) },
    isLabelFile: (labels) => existsSync(labels),
  });
  const { model, weights, data, imageChoices, sweepChoices, initFrom } = whole;
  const { cache: _, cacheSize: __, ...images } = imageChoices;
  const { threads: ___, ...choices } = sweepChoices;
  const { arch, input, output, name, allowPartial, rename, classes, channels, size, resets } = words;
  const offered = {
    ...{ arch, input, output, name, allowPartial, rename, classes, channels, size },
    // The words of resets are their labels in the results, which must be the same everywhere.
    ...{ model, weights, data, resets, initFrom, imageChoices: images, sweepChoices: choices },
  };
  return JSON.parse(JSON.stringify(offered));
}

/** The same with this machine's paths. */
export const localWords = (words: SweepWords, { models, data }: Folders): SweepWords =>
  withPaths(words, { model: (path) => below(models, path), data: (path) => below(data, path) });

/** The longest end of a path that is there below a folder; the folder itself, if it has the path's name. */
function below(folder: string, path: string): string {
  // Resolved: no step leads out.
  const steps = resolve(sep, path).split(sep).filter(Boolean);
  for (let from = 0; from < steps.length; from++) {
    const place = join(folder, ...steps.slice(from));
    if (existsSync(place)) return place;
  }
  const last = steps.at(-1) ?? '';
  return basename(resolve(folder)) === last ? folder : join(folder, last);
}
