/** A sweep's model, images and options from the words of a command, wherever it is computed. */
import type { FetchOptions } from '../fetch/options.js';
import type { ImageSet } from '../images/index.js';
import { openImages, parseCacheSize } from '../images/index.js';
import type { imageOptions } from '../images/options.js';
import { initialsOf } from '../initialisation/initials.js';
import { modelInput } from '../model/input.js';
import type { Model } from '../model/model.js';
import { withTargets } from '../model/targets.js';
import type { OptionValues } from '../options.js';
import { loadFresh } from '../resets/fresh.js';
import { parseResets } from '../resets/parse.js';
import type { SweepValues } from '../sweep/options.js';
import type { SweepOptions } from '../sweep/settings.js';
import { normalisationDoubts } from './normalisation.js';
import { type ModelChoice, openModel } from './open-model.js';

/** What is swept, in words; what is left out has the library's default. */
export interface SweepWords extends ModelChoice {
  data: string;
  imageChoices: OptionValues<typeof imageOptions>;
  sweepChoices: SweepValues;
  /** Words of `--reset`. */
  resets?: readonly string[] | undefined;
  /** Of `--init-from`: files and globs. */
  initFrom?: readonly string[] | undefined;
}

export interface OpenSweep {
  model: Model;
  /** To be closed. */
  images: ImageSet;
  options: SweepOptions;
}

/** Where models and images are from, for those who open many. */
export interface Openers {
  model: (choice: ModelChoice, fetching: FetchOptions) => Promise<Model>;
  images: typeof openImages;
}

/** @throws CritmapError for everything that is wrong with the input; the signal's reason */
export async function openSweep(
  words: SweepWords,
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void,
  open: Openers = { model: openModel, images: openImages },
  onFetch?: FetchOptions['onFetch'],
): Promise<OpenSweep> {
  const { cache = 'auto', cacheSize, ...choices } = words.imageChoices;
  const cacheBytes = cacheSize === undefined ? undefined : parseCacheSize(cacheSize);
  const { model, resets, initFrom } = await openWeights(words, { signal, onFetch }, open.model);
  // Patterns that fit no layer are met before images are decoded.
  initialsOf(withTargets(model, words.sweepChoices), words.sweepChoices.init ?? 'auto');
  const images = await open.images(words.data, {
    ...modelInput(model, choices.crop),
    ...given({ ...choices, cacheBytes }),
    // On unless it is off: all images are decoded before the first is used, and then need not be a second time.
    ...(cache !== 'off' && { cache }),
    onProgress,
    signal,
  });
  const doubts = words.arch === undefined || choices.mean ? [] : normalisationDoubts(model, images);
  const doubted = doubts.length > 0 ? { ...model, warnings: [...model.warnings, ...doubts] } : model;
  return {
    model: doubted,
    images,
    options: { resets, ...words.sweepChoices, ...(initFrom && { initFrom }), signal },
  };
}

/** What a sweep's weights are from: its model, its donors and its fresh models. @throws CritmapError */
export async function openWeights(
  words: SweepWords,
  fetching: FetchOptions,
  open: Openers['model'] = openModel,
) {
  const model = await open(words, fetching);
  const ends = { input: words.input, output: words.output, ...fetching };
  const resets = await parseResets(words.resets ?? ['random'], model, ends);
  const initFrom = words.initFrom && (await loadFresh(words.initFrom, model, ends));
  return { model, resets, initFrom };
}

/** The entries that have a value: an option that was not given keeps its default further down. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
