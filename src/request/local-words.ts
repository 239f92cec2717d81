/**
 * A sweep's words on another machine: its files are looked for by name below that machine's folders, and nowhere else; what
 * is named by its address is fetched. What is found is held against the offer by its content, so that a wrong file of the
 * right name does no harm.
 */
import { existsSync } from 'node:fs';
import { basename, join, resolve, sep } from 'node:path';
import type { SweepWords } from './open-sweep.js';
import { onFile, onPath, onPlace } from './sweep-paths.js';

export interface Folders {
  models: string;
  data: string;
}

/** As they are offered: with whole paths, and without what is each machine's own business. */
export function offeredWords(words: SweepWords): Record<string, unknown> {
  const { model, weights, data, imageChoices, sweepChoices, resets, initFrom, ...rest } = words;
  const { cache: _, cacheSize: __, labels, ...images } = imageChoices;
  const { threads: ___, ...choices } = sweepChoices;
  const { arch, input, output, name, allowPartial, rename, classes, channels, size } = rest;
  const offered = {
    ...{ arch, input, output, name, allowPartial, rename, classes, channels, size },
    ...(model !== undefined && { model: onPath(model, (path) => resolve(path)) }),
    ...(weights && { weights: weights.map((words) => onPlace(words, (path) => resolve(path))) }),
    data: data.startsWith('synthetic:') ? data : resolve(data),
    imageChoices: {
      ...images,
      ...(labels !== undefined && { labels: existsSync(labels) ? resolve(labels) : labels }),
    },
    sweepChoices: choices,
    // Their words are their labels in the results, which must be the same everywhere.
    ...(resets && { resets }),
    ...(initFrom && { initFrom: initFrom.map((words) => onPath(words, (path) => resolve(path))) }),
  };
  return JSON.parse(JSON.stringify(offered));
}

/** The same with this machine's paths. */
export function localWords(words: SweepWords, { models, data }: Folders): SweepWords {
  const model = (path: string) => below(models, path);
  const { labels } = words.imageChoices;
  return {
    ...words,
    ...(words.model !== undefined && { model: onPath(words.model, model) }),
    ...(words.weights && { weights: words.weights.map((words) => onPlace(words, model)) }),
    ...(words.resets && { resets: words.resets.map((reset) => onFile(reset, model)) }),
    ...(words.initFrom && { initFrom: words.initFrom.map((path) => onPath(path, model)) }),
    data: words.data.startsWith('synthetic:') ? words.data : below(data, words.data),
    imageChoices: {
      ...words.imageChoices,
      ...(labels !== undefined && { labels: labels.includes(sep) ? below(data, labels) : labels }),
    },
  };
}

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
