/** What a sweep is asked for: its options, their defaults, and what of them decides the numbers. */
import { availableParallelism } from 'node:os';
import { CritmapError } from '../errors.js';
import type { ImageSet } from '../images/index.js';
import { computingOn, cudnnSearch, type Precision } from '../native/cards.js';
import { type InitScheme, initSchemes } from '../resets/initialisers.js';
import type { Reset } from '../resets/reset.js';
import { chunkSize } from './chunks-ahead.js';
import type { Progress } from './progress.js';

export interface SweepOptions {
  /** Directory for the run; without it nothing is written. One that holds the same sweep is continued. */
  out?: string;
  /** Globs over layer names; default all. */
  layers?: readonly string[];
  exclude?: readonly string[];
  /** Default: `random`. See {@link parseReset}. */
  resets?: readonly Reset[];
  init?: InitScheme;
  norm?: 'keep' | 'reset';
  /** Independent draws of a random reset; default 3. */
  trials?: number;
  seed?: number;
  /** Of the intervals; default 0.95. */
  confidence?: number;
  /** Images per inference call; default 8 at 224 x 224, up to 64 for smaller images, and four times that on cards. */
  batch?: number;
  /** Default: all cores. */
  threads?: number;
  /** Default `fast`; `reference` is the published algorithm, run the slow way. */
  engine?: 'fast' | 'reference';
  /**
   * What the fast engine computes on: `auto` (default), `cpu`, `cuda`, `cuda:N`, or several cards, `cuda:0,1` or
   * `cuda:all`, which take batches in turn.
   */
  device?: string;
  /** Of products on a card: `fp32` (default, exact), `tf32` or `fp16`; the processor's are fp32. */
  precision?: Precision;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  onWarning?: (message: string) => void;
}

/** On cards: how many of the processor's batches make one; not measured on a card yet. */
const CARD_BATCHES = 4;
/** Batches that a card has under way. */
const CARD_DEPTH = 2;

export type Settings = ReturnType<typeof withDefaults>;

/** @throws CritmapError (ERR_OPTION) for a number out of range */
export function withDefaults(options: SweepOptions, images: Pick<ImageSet, 'shape'>) {
  refuseMisuse(options);
  const engine = options.engine ?? 'fast';
  const { cards, precision } = computingOn(options);
  const defaults = {
    batch: (cards ? CARD_BATCHES : 1) * defaultBatch(images.shape),
    chunk: chunkSize(images, engine),
  };
  const asked = options.batch ?? defaults.batch;
  const settings = {
    layers: options.layers ?? [],
    exclude: options.exclude ?? [],
    resets: options.resets ?? [{ kind: 'random', label: 'random' } as const],
    init: options.init ?? 'auto',
    norm: options.norm ?? 'keep',
    trials: options.trials ?? 3,
    seed: options.seed ?? 0,
    confidence: options.confidence ?? 0.95,
    // A batch is computed whole: beyond a chunk there is nothing to fill it with.
    batch: cards ? asked : Math.min(asked, defaults.chunk),
    threads: options.threads ?? availableParallelism(),
    engine,
    cards,
    precision,
    /** Of the fast engine on cards. */
    cudnnSearch: cards && cudnnSearch(),
    /** Images of a chunk; whole batches on cards. */
    chunk: cards ? Math.ceil(defaults.chunk / asked) * asked : defaults.chunk,
  };
  const whole = (name: string, value: number, least: number) => {
    if (!Number.isSafeInteger(value) || value < least) {
      throw new CritmapError('ERR_OPTION', `${name} must be a whole number from ${least}, got ${value}`);
    }
  };
  const oneOf = (name: string, value: string, known: readonly string[]) => {
    if (!known.includes(value)) {
      throw new CritmapError('ERR_OPTION', `${name} must be one of ${known.join(', ')}, got ${value}`);
    }
  };
  oneOf('init', settings.init, initSchemes);
  oneOf('norm', settings.norm, ['keep', 'reset']);
  oneOf('engine', settings.engine, ['fast', 'reference']);
  if (settings.cards !== undefined && settings.engine !== 'fast') {
    throw new CritmapError('ERR_OPTION', 'the reference engine computes on the processor; use --device cpu');
  }
  whole('trials', settings.trials, 1);
  whole('seed', settings.seed, 0);
  whole('batch', settings.batch, 1);
  whole('threads', settings.threads, 1);
  if (!(settings.confidence >= 0.5 && settings.confidence <= 0.9999)) {
    throw new CritmapError(
      'ERR_OPTION',
      `confidence must lie between 0.5 and 0.9999, got ${settings.confidence}`,
    );
  }
  if (settings.resets.length === 0) throw new CritmapError('ERR_OPTION', 'no reset is given');
  const labels = settings.resets.map((reset) => reset.label);
  const twice = labels.find((label, i) => labels.indexOf(label) !== i);
  if (twice !== undefined) throw new CritmapError('ERR_OPTION', `the reset ${twice} is given twice`);
  return settings;
}

const known: readonly string[] = [
  'out',
  'layers',
  'exclude',
  'resets',
  'init',
  'norm',
  'trials',
  'seed',
  'confidence',
  'batch',
  'threads',
  'engine',
  'device',
  'precision',
  'signal',
  'onProgress',
  'onWarning',
] satisfies (keyof SweepOptions)[];

/** What TypeScript would have refused, for callers without it: a mistyped option must not be ignored. */
function refuseMisuse(options: SweepOptions): void {
  if (typeof options !== 'object' || options === null) throw new TypeError('options must be an object');
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`sweep has no option ${JSON.stringify(name)}; it has ${known.join(', ')}`);
    }
  }
  for (const name of ['layers', 'exclude'] as const) {
    const value: unknown = options[name];
    if (value !== undefined && !(Array.isArray(value) && value.every((glob) => typeof glob === 'string'))) {
      throw new TypeError(`${name} must be an array of strings`);
    }
  }
  const resets: unknown = options.resets ?? [];
  const isReset = (reset: Partial<Reset> | null) =>
    typeof reset === 'object' && typeof reset?.kind === 'string' && typeof reset.label === 'string';
  if (!Array.isArray(resets) || !resets.every(isReset)) {
    throw new TypeError('resets must be an array of resets; parseReset makes one from words');
  }
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
