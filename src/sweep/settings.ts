/** What a sweep is asked for, and the defaults that depend on its images and the machine. */

import { isCrossed, type SliceDesign } from '../design/slices.js';
import { CritmapError } from '../errors.js';
import { type ImageSet, whyUnlabelled } from '../images/image-set.js';
import { usableThreads } from '../machine.js';
import type { Model } from '../model/model.js';
import { computingOn, cudaLayout, cudnnSearch } from '../native/cards.js';
import { checkOptionValues, type OptionKinds, refuseMisuse, unchecked } from '../options.js';
import { MOST_CARD_BATCH, MOST_STOPPING_BATCH } from '../plan/card-memory.js';
import { isActivation } from '../resets/activation.js';
import type { Reset, ResetContext } from '../resets/kinds.js';
import { type ImageMetric, imageMetrics, labelledMetrics } from '../run/image-numbers.js';
import { chunkSize } from './chunks-ahead.js';
import { checkDrawn, freshDesign } from './drawn.js';
import type { OnLogits } from './logits.js';
import { type SweepValues, sweepOptions } from './options.js';
import type { Progress } from './progress.js';

/** What a sweep may be asked for; the options of the command line, and what only a script can give. */
export interface SweepOptions extends SweepValues {
  /** Directory for the run; without it nothing is written. One that holds the same sweep is continued. */
  out?: string;
  /** Default: `random`. See {@link parseReset}. */
  resets?: readonly Reset[];
  /** A part of the sweep: the `index`-th of `of`, from 1. `mergeRuns` puts parts together. */
  shard?: Shard;
  /** Start over: a run that is in `out` is kept under another name. */
  force?: boolean;
  /** The words that began the sweep, for `run.json`: they tell how to go on with it. */
  command?: readonly string[];
  /** Fresh models that are the draws of random resets, one each; {@link loadFresh} loads them. */
  initFrom?: readonly Model[];
  /** Stops the sweep; what is finished is kept. */
  signal?: AbortSignal;
  /** Called as cells are finished for a chunk of images, and between. What it throws, the sweep rejects with at its end. */
  onProgress?: (progress: Progress) => void;
  /** Called for what may make numbers mean less than they seem. What it throws, the sweep rejects with at its end. */
  onWarning?: (message: string) => void;
  /**
   * Gets the logits, untouched and reset, of every slice of images under every draw that is computed now: not of what an
   * earlier run has finished. What it throws ends the sweep; everything that it had received before is kept.
   */
  onLogits?: OnLogits;
}

/** Batches that a card has under way. */
export const CARD_DEPTH = 2;

export interface Shard {
  index: number;
  of: number;
}

export type Settings = ReturnType<typeof withDefaults> & Pick<ResetContext, 'activations'>;

/** @throws CritmapError (ERR_OPTION) for a wrong value, TypeError for an unknown option or a wrong kind of value */
export function withDefaults(options: SweepOptions, images: Pick<ImageSet, 'shape'>) {
  refuseSweepMisuse(options);
  const choices = checkOptionValues(sweepOptions, options);
  const { engine } = choices;
  const { cards, precision } = computingOn(choices);
  if (cards !== undefined && engine !== 'fast') {
    throw new CritmapError('ERR_OPTION', 'the reference engine computes on the processor; use --device cpu');
  }
  const resets = options.resets ?? [{ kind: 'random', label: 'random' } as const];
  refuseResets(resets);
  checkDrawn(options, resets);
  refuseWithActivations(choices, resets);
  refuseFloat16(precision, resets);
  refuseShard(options.shard);
  const design = designOf(freshDesign(choices, options.initFrom));
  const slice = isCrossed(design) ? Number.POSITIVE_INFINITY : Number(design.imagesPerDraw);
  const whole = chunkSize(images, engine);
  // Slices lie in one chunk where they fit.
  const chunk = slice < whole ? Math.floor(whole / slice) * slice : whole;
  const mostOnCards = choices.tolerance === undefined ? MOST_CARD_BATCH : MOST_STOPPING_BATCH;
  const asked = choices.batch ?? (cards ? mostOnCards : defaultBatch(images.shape));
  // A processor has nothing of a batch of several slices.
  const batch = cards && slice < asked ? Math.floor(asked / slice) * slice : Math.min(asked, slice);
  return {
    ...choices,
    perImage: imageMetricsOf(choices),
    // Two words for one thing: they make the same run.
    group: choices.group === 'independent' ? 'layer' : choices.group,
    design,
    resets,
    initFrom: options.initFrom,
    // A batch is computed whole: beyond a chunk there is nothing to fill it with. On cards it is the most of one.
    batch: cards ? batch : Math.min(batch, chunk),
    /** Whether a card without room for such a batch may take a smaller one: what was asked for stays. */
    smallerBatch: cards !== undefined && choices.batch === undefined,
    threads: choices.threads ?? usableThreads(),
    cards,
    precision,
    /** How cuDNN chooses its algorithms; only of the fast engine on cards. */
    cudnnSearch: cards && cudnnSearch(),
    /** Of the channels; only of the fast engine on cards. */
    layout: cards && cudaLayout(),
    /** Images of a chunk; whole batches on cards, if not whole slices of several. */
    chunk: cards && !(batch < slice && slice < whole) ? Math.ceil(chunk / batch) * batch : chunk,
    /** Resets of activations need tensors that the runtime's graph may not have; the same in all parts of a sweep. */
    graph: resets.some(isActivation) ? ('model' as const) : undefined,
  };
}

/** Each once, in one order: the same choice makes the same run. @throws CritmapError (ERR_OPTION) */
export function imageMetricsOf({
  perImage = [],
  perImageMean,
}: Pick<SweepValues, 'perImage' | 'perImageMean'>): ImageMetric[] {
  if (perImageMean && perImage.length === 0) {
    throw new CritmapError('ERR_OPTION', '--per-image-mean needs --per-image');
  }
  return imageMetrics.filter((metric) => perImage.includes(metric));
}

/**
 * What needs labels or a directory.
 * @throws CritmapError (ERR_OPTION) where they are not there
 */
export function refuseDetails(
  { perImage, perClass }: Pick<Settings, 'perImage' | 'perClass'>,
  images: Pick<ImageSet, 'labels' | 'source' | 'labelsAreOff'>,
  out: string | undefined,
): void {
  const labelled = perImage.filter((metric) => labelledMetrics.includes(metric));
  const asked = perClass ? '--per-class' : `--per-image ${labelled.join(',')}`;
  if (images.labels === null && (perClass || labelled.length > 0)) {
    throw new CritmapError('ERR_OPTION', `${asked} needs labels, ${whyUnlabelled(images)}`);
  }
  if (out === undefined && (perClass || perImage.length > 0)) {
    const what = perClass ? 'perClass' : 'perImage';
    throw new CritmapError('ERR_OPTION', `${what} writes files into the run's directory; give out`);
  }
}

/** Of the published study. */
const PUBLISHED: SliceDesign = { imagesPerDraw: 'all', trials: 3 };
/**
 * Fewer images to a draw narrow the interval further, but less and less: of the demo's layers and the published ones,
 * whose draws differ less than their images, 8 are within a sixth of 1. A batch of 8 is computed as fast as a larger one.
 */
export const IMAGES_PER_DRAW = 8;

/** @throws CritmapError (ERR_OPTION) for designs that contradict each other */
export function designOf({ imagesPerDraw, trials, published, tolerance }: SweepValues): SliceDesign {
  if (published && (imagesPerDraw !== undefined || trials !== undefined)) {
    throw new CritmapError(
      'ERR_OPTION',
      '--published is a design of its own (--images-per-draw all --trials 3); give it, or those two',
    );
  }
  const crossed = trials !== undefined && imagesPerDraw === undefined;
  const design = published
    ? PUBLISHED
    : { imagesPerDraw: imagesPerDraw ?? (crossed ? ('all' as const) : IMAGES_PER_DRAW), trials: trials ?? 1 };
  if (tolerance !== undefined && isCrossed(design)) {
    throw new CritmapError(
      'ERR_OPTION',
      '--tolerance needs draws that go on with the images; leave out --trials and --published, or give --images-per-draw 8',
    );
  }
  return design;
}

/** Those of `SweepOptions` that only a script has. */
export const scriptOptions = {
  ...{ out: 'path', resets: null, shard: null, force: 'boolean', command: 'texts', initFrom: null },
  ...{ signal: 'signal', onProgress: 'function', onWarning: 'function', onLogits: 'function' },
} as const satisfies OptionKinds<Omit<SweepOptions, keyof SweepValues>>;

const known = { ...unchecked(sweepOptions), ...scriptOptions };

/** What TypeScript would have refused, for callers without it. @throws TypeError */
export function refuseSweepMisuse(options: SweepOptions): void {
  refuseMisuse('sweep', options, known);
  const resets: unknown = options.resets ?? [];
  const isReset = (reset: Partial<Reset> | null) =>
    typeof reset === 'object' && typeof reset?.kind === 'string' && typeof reset.label === 'string';
  if (!Array.isArray(resets) || !resets.every(isReset)) {
    throw new TypeError('resets must be an array of resets; parseReset makes one from words');
  }
}

/** More would make none faster. */
const MOST_SHARDS = 100_000;

function refuseShard(shard: Shard | undefined): void {
  if (shard === undefined) return;
  if (typeof shard !== 'object' || shard === null) throw new TypeError('shard must be { index, of }');
  const { index, of } = shard;
  if (![index, of].every(Number.isSafeInteger) || index < 1 || index > of || of > MOST_SHARDS) {
    throw new CritmapError(
      'ERR_OPTION',
      `the shard must be I/N, with N from 1 to ${MOST_SHARDS} and I from 1 to N, got ${index}/${of}`,
    );
  }
}

/**
 * Resets of activations leave weights as they are, so that what is said of those would be said in vain.
 * @throws CritmapError (ERR_OPTION)
 */
export function refuseWithActivations(
  { parts = 'both', norm = 'keep' }: Pick<SweepValues, 'parts' | 'norm'>,
  resets: readonly Reset[],
): void {
  const reset = resets.find(isActivation);
  const option = parts !== 'both' ? `--parts ${parts}` : norm !== 'keep' ? `--norm ${norm}` : null;
  if (!reset || option === null) return;
  throw new CritmapError(
    'ERR_OPTION',
    `--reset ${reset.label} resets no parameters; leave out ${option}, or sweep it on its own`,
  );
}

function refuseFloat16(precision: string, resets: readonly Reset[]): void {
  const reset = resets.find(isActivation);
  if (!reset || precision !== 'fp16') return;
  throw new CritmapError(
    'ERR_OPTION',
    `--reset ${reset.label} is not computed in float16; use --precision fp32 or tf32`,
  );
}

/** @throws CritmapError (ERR_OPTION) for none, and for one twice */
export function refuseResets(resets: readonly Reset[]): void {
  if (resets.length === 0) throw new CritmapError('ERR_OPTION', 'no reset is given');
  const labels = resets.map((reset) => reset.label);
  const twice = labels.find((label, i) => labels.indexOf(label) !== i);
  if (twice !== undefined) throw new CritmapError('ERR_OPTION', `the reset ${twice} is given twice`);
}

/**
 * Images per inference call. On a ResNet-50 at 224 pixels 4, 8 and 24 took the same time an image (39, 40 and 40
 * ms of one core); smaller images need more of them to fill the processor.
 */
export function defaultBatch({ channels, height, width }: ImageSet['shape']): number {
  const fitting = 2 ** Math.floor(Math.log2(1_300_000 / (channels * height * width)));
  return Math.max(1, Math.min(64, fitting));
}

/**
 * Chunks that are computed at the same time, so that every core or card always has a batch: those that fill them, and
 * one whose last batches are under way.
 */
export function chunksAtOnce({
  engine,
  cards,
  threads,
  chunk,
  batch,
}: Pick<Settings, 'engine' | 'cards' | 'threads' | 'chunk' | 'batch'>): number {
  if (engine === 'reference') return 1;
  const workers = cards ? cards.length * CARD_DEPTH : threads;
  return 1 + Math.ceil(workers / Math.ceil(chunk / batch));
}
