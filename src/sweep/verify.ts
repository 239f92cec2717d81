/**
 * A finished run held against the published algorithm: some of its draws, chosen at random, are computed again from the
 * original files by the reference engine, every image through the whole model.
 */
import { type Cell, targetsOf } from '../design/cells.js';
import type { LayerChoice } from '../design/groups.js';
import { isCrossed, type SliceDesign, slicesOf } from '../design/slices.js';
import type { Chunk } from '../engines/chunk.js';
import { openReferenceEngine } from '../engines/reference.js';
import { CritmapError } from '../errors.js';
import { type ImageSet, shuffled } from '../images/index.js';
import { sampleIndices } from '../images/sample.js';
import type { Model } from '../model/model.js';
import type { TargetChoice } from '../model/target-choice.js';
import { withTargets } from '../model/targets.js';
import { type Measure, measures, type Sums } from '../native/columns.js';
import { isRandom, type Reset, type ResetContext } from '../resets/kinds.js';
import { addSums, type DrawSums, drawTotals } from '../run/finished.js';
import { imageDifferences } from '../run/identity.js';
import { readJournal } from '../run/journal.js';
import { journalSeal, type RunInfo } from '../run/run.js';
import { means } from '../run/summarise.js';
import { chunkSize, readImages } from './chunks-ahead.js';
import { dataOf } from './identity.js';
import { chooseTargets, measureActivations } from './targets.js';

/** What logits may differ by, as a part of a row's largest; metrics of them differ by no more. */
const TOLERANCE = 1e-3;

export interface VerifiedDraw {
  layer: string;
  reset: string;
  draw: number;
  images: number;
  /** Differences of the means from those of the run. */
  differences: { [K in Measure]?: number };
  /** Images whose agreement differs, and those whose two best classes are too close to tell apart. */
  agreement: number;
  /** Whether all of it lies within what the engines promise. */
  isSame: boolean;
}

export interface Verification {
  draws: VerifiedDraw[];
  /** The largest difference of each measure. */
  largest: { [K in Measure]?: number };
  isSame: boolean;
}

export interface RecordedRun {
  info: RunInfo;
  /** Path of the run's journal. */
  journal: string;
}

export interface VerifyOptions {
  /** How many draws; default 20. */
  cells?: number;
  /** Which; default 0. */
  seed?: number;
  threads: number;
  /** The fresh models whose weights are the run's draws, if it has them. */
  initFrom?: readonly Model[] | undefined;
  signal?: AbortSignal | undefined;
  onDraw?: ((draw: VerifiedDraw) => void) | undefined;
}

/**
 * @param resets - those of the run, with their donors
 * @throws CritmapError (ERR_RUN) when model or images are not those of the run, or it has nothing to check
 */
export async function verifyRun(
  { info, journal }: RecordedRun,
  given: Model,
  images: ImageSet,
  resets: readonly Reset[],
  options: VerifyOptions,
): Promise<Verification> {
  await refuseOthers(info, given, images, options.signal);
  const model = withTargets(given, info.options as TargetChoice);
  const design = designIn(info);
  const sample = isCrossed(design) ? images : shuffled(images);
  const finished = await readJournal(journal, journalSeal(info));
  const choice = { ...(info.options as LayerChoice & Pick<TargetChoice, 'norm'>), resets, design };
  const { cells, replacements } = await chooseTargets(model, images.shape, choice);
  const activations = await measureActivations(model, images, replacements, options.signal);
  const context = { ...contextIn(info, options.initFrom), activations };
  const candidates = targetsOf(cells).flatMap(({ layer, reset }) =>
    drawTotals(finished.chunksOf(layer.name, reset.label)).map((sums) => ({ layer, reset, sums })),
  );
  if (candidates.length === 0) throw new CritmapError('ERR_RUN', `${journal} has no finished layer to check`);
  const chosen = sampleIndices(
    candidates.length,
    Math.min(options.cells ?? 20, candidates.length),
    options.seed ?? 0,
  );
  const draws: VerifiedDraw[] = [];
  for (const index of chosen) {
    options.signal?.throwIfAborted();
    const { layer, reset, sums } = candidates[index]!;
    const cell = { index: 0, layer, reset, trial: sums.trial };
    const again = await recompute(cell, sums, {
      model,
      images: sample,
      design,
      context,
      threads: options.threads,
    });
    const draw = isRandom(reset, layer) ? sums.slice * design.trials + sums.trial : 0;
    const verified = { layer: layer.name, reset: reset.label, draw, ...compared(sums, again) };
    draws.push(verified);
    options.onDraw?.(verified);
  }
  const largest = Object.fromEntries(
    measures.flatMap(({ name }) => {
      const found = draws.flatMap(({ differences }) => differences[name] ?? []);
      return found.length > 0 ? [[name, found.reduce((one, other) => Math.max(one, other))]] : [];
    }),
  );
  return { draws, largest, isSame: draws.every(({ isSame }) => isSame) };
}

async function refuseOthers(
  { model: wanted, data }: RunInfo,
  model: Model,
  images: ImageSet,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (model.sha256 !== wanted.sha256) {
    throw new CritmapError(
      'ERR_RUN',
      `${model.file.path} is not the model of the run any more (SHA-256 ${model.sha256.slice(0, 12)}, the run has ${wanted.sha256.slice(0, 12)})`,
    );
  }
  const differences = imageDifferences(data, await dataOf(images, signal));
  if (differences.length > 0) {
    throw new CritmapError(
      'ERR_RUN',
      `${images.source} does not have the images and labels of the run (${differences.join('; ')}); if they were moved give --data, if they came from elsewhere --labels`,
    );
  }
}

function designIn({ options }: RunInfo): SliceDesign {
  const { imagesPerDraw, trials } = options;
  if ((imagesPerDraw === 'all' || typeof imagesPerDraw === 'number') && typeof trials === 'number') {
    return { imagesPerDraw, trials };
  }
  throw new CritmapError(
    'ERR_RUN',
    'the run is of an earlier version, whose draws are recorded in another way',
  );
}

function contextIn(
  { options: { seed, init, norm, parts, initFrom } }: RunInfo,
  fresh: readonly Model[] | undefined,
): ResetContext {
  const wanted = (initFrom as string[] | undefined) ?? [];
  const changed = wanted.findIndex((sha256, i) => fresh?.[i]?.sha256 !== sha256);
  if (changed >= 0) {
    const file = fresh?.[changed]?.file.path ?? `the fresh model ${changed + 1}`;
    throw new CritmapError('ERR_RUN', `${file} (--init-from) is not that of the run any more`);
  }
  return { seed, init, norm, parts, ...(wanted.length > 0 && { initFrom: fresh }) } as ResetContext;
}

interface Setting {
  model: Model;
  images: ImageSet;
  design: SliceDesign;
  context: ResetContext;
  threads: number;
}

/** One draw on its images, some at a time. */
async function recompute(
  cell: Cell,
  { slice }: DrawSums,
  { model, images, design, context, threads }: Setting,
): Promise<Sums> {
  const size = chunkSize(images, 'fast');
  const first = design.imagesPerDraw === 'all' ? 0 : slice * design.imagesPerDraw;
  const [whole] = slicesOf(design, first, images.count - first);
  const last = first + (whole?.to ?? 0);
  const { height, width } = images.shape;
  const engine = await openReferenceEngine(model, {
    ...{ cells: [cell], context, design, size: { height, width }, batch: size, threads },
  });
  let sums: Sums | undefined;
  try {
    for (let from = first; from < last; from += size) {
      const to = Math.min(last, from + size);
      const read: Chunk = await readImages(images, 0, from, to);
      const chunk = { ...read, slices: [{ slice, from: 0, to: to - from }] };
      await engine.evaluate(chunk, [cell], {
        original() {},
        cell: (_, rows) => {
          sums = addSums(sums, rows.sums());
        },
      });
    }
  } finally {
    await engine.close();
  }
  return sums!;
}

function compared(recorded: DrawSums, sums: Sums): Omit<VerifiedDraw, 'layer' | 'reset' | 'draw'> {
  const [then, now] = [means(recorded), means(sums)];
  const entries = measures.flatMap(({ name }) => {
    const [a, b] = [then[name], now[name]];
    return a === null || b === null ? [] : [{ name, a, b, difference: Math.abs(a - b) }];
  });
  // One image's class may change where two are equally likely; more than that is another result.
  const agreement = Math.abs(recorded.agreement - sums.agreement);
  const isMean = (name: Measure) => measures.find((one) => one.name === name)?.kind === 'mean';
  const isClose = entries.every(
    ({ name, a, difference }) => !isMean(name) || difference <= TOLERANCE * Math.max(1, Math.abs(a)),
  );
  return {
    images: sums.images,
    differences: Object.fromEntries(entries.map(({ name, difference }) => [name, difference])),
    agreement,
    isSame: isClose && agreement <= Math.ceil(TOLERANCE * sums.images) && recorded.invalid === sums.invalid,
  };
}
