/** Every path in the words of a sweep. */
import { existsSync } from 'node:fs';
import { sep } from 'node:path';
import { isRemote } from '../fetch/words.js';
import type { SweepWords } from './open-sweep.js';

export interface PathMaps {
  /** Of models, checkpoints, donors and fresh models. */
  model: (path: string) => string;
  /** Of images and labels. */
  data: (path: string) => string;
  /** Whether labels are a file's; default where they have a separator. */
  isLabelFile?: (words: string) => boolean;
}

/** The same words with other paths. */
export function withPaths(
  words: SweepWords,
  { model, data, isLabelFile = hasSeparator }: PathMaps,
): SweepWords {
  const { labels } = words.imageChoices;
  return {
    ...words,
    ...(words.model !== undefined && { model: onPath(words.model, model) }),
    ...(words.weights && { weights: words.weights.map((words) => onPlace(words, model)) }),
    // Their words are their labels in the results.
    ...(words.resets && { resets: words.resets.map((reset) => onFile(reset, model)) }),
    ...(words.initFrom && { initFrom: words.initFrom.map((path) => onPath(path, model)) }),
    data: words.data.startsWith('synthetic:') ? words.data : data(words.data),
    imageChoices: {
      ...words.imageChoices,
      ...(labels !== undefined && { labels: isLabelFile(labels) ? data(labels) : labels }),
    },
  };
}

/** Those of its models, checkpoints, donors and fresh models that are named by their address. */
export function addressesIn({ model, weights = [], resets = [], initFrom = [] }: SweepWords): string[] {
  const donors = resets.map((reset) =>
    reset.replace(/^donor=/, '').replace(/^interpolate=(.*)@[^@]*$/, '$1'),
  );
  return [...(model === undefined ? [] : [model]), ...weights, ...donors, ...initFrom].filter(isRemote);
}

const hasSeparator = (words: string) => words.includes(sep);

/** An address means the same everywhere. */
const onPath = (words: string, map: (path: string) => string): string =>
  isRemote(words) ? words : map(words);

/** `FILE#PLACE` is one of a file's sets of weights. */
function onPlace(words: string, map: (path: string) => string): string {
  if (isRemote(words)) return words;
  const at = existsSync(words) ? -1 : words.lastIndexOf('#');
  return at < 0 ? map(words) : `${map(words.slice(0, at))}${words.slice(at)}`;
}

/** `donor=FILE` and `interpolate=FILE@ALPHA` have one, which may be `FILE#PLACE`. */
function onFile(reset: string, map: (path: string) => string): string {
  const [, kind, path, alpha = ''] = /^(donor|interpolate)=(.*?)(@[^@]*)?$/.exec(reset) ?? [];
  // The revision of an address is behind an @ too.
  if (kind === undefined || path === undefined || isRemote(path)) return reset;
  return `${kind}=${onPlace(path, map)}${alpha}`;
}
