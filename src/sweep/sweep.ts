/**
 * The main job: every cell of a plan over every image of a sample. Images are read chunk by chunk, ahead of the
 * engine; a finished (cell, chunk) is on disk before it counts, so a sweep that was stopped goes on where it
 * was and ends with the same bytes.
 */
import { targetsOf } from '../design/cells.js';
import { isCrossed } from '../design/slices.js';
import { checkEngine } from '../engines/check.js';
import { openFastEngine } from '../engines/fast.js';
import { openChecked } from '../engines/open-checked.js';
import { openReferenceEngine } from '../engines/reference.js';
import { CritmapError } from '../errors.js';
import { type ImageSet, shuffled } from '../images/index.js';
import type { Model } from '../model/model.js';
import { withTargets } from '../model/targets.js';
import { runtimeVersion } from '../native/runtime-version.js';
import { drawnWarnings } from '../resets/drawn.js';
import type { Reset } from '../resets/kinds.js';
import { Finished } from '../run/finished.js';
import type { ShardPlan } from '../run/shard-plan.js';
import type { DrawRow } from '../run/summarise.js';
import type { Summary } from '../run/summary.js';
import { ChunksAhead } from './chunks-ahead.js';
import { computeChunks, lackingChunks, unitsOf } from './compute.js';
import { Listeners } from './listeners.js';
import { LogitsReceiver } from './logits.js';
import { observed, type Planned, type SweepObserver } from './observer.js';
import { cellsOfParts, type Part } from './part.js';
import { ProgressCount } from './progress.js';
import { proveCells } from './prove.js';
import { type Subject, SweepRecord } from './record.js';
import {
  chunksAtOnce,
  refuseDetails,
  refuseSweepMisuse,
  type Settings,
  type Shard,
  type SweepOptions,
  withDefaults,
} from './settings.js';
import { allAlike, costsOf, ownMacsOf, planOf } from './shard-costs.js';
import { shardProblem, shardsOf } from './shards.js';
import { chooseTargets, measureActivations } from './targets.js';

/** What a sweep has found. */
export interface SweepResult {
  summary: Summary;
  /** Single draws, by layer, reset and draw. */
  draws: DrawRow[];
  /** The run directory, or null when none was asked for. */
  directory: string | null;
  warnings: string[];
}

/**
 * Resets every selected layer in every trial and measures how far the predictions move.
 *
 * @param images read in chunks; its labels, if any, also give accuracies
 * @returns the summary (percentages 0-100); also in `out` as `summary.json`, `summary.csv`, `results.csv`
 * @throws CritmapError: `ERR_OPTION`, `ERR_RESET` (a reset that changes nothing), `ERR_RUN`, `ERR_MODEL`,
 *   `ERR_IMAGES`; the signal's reason after an abort, with everything finished so far kept in `out`; what `onProgress` or
 *   `onWarning` threw, after everything is done; TypeError for misuse
 */
export function sweep(model: Model, images: ImageSet, options: SweepOptions = {}): Promise<SweepResult> {
  return sweepWith(computeHere, model, images, options);
}

/** Adds whatever a record lacks of a sweep to it. */
export type Computer = (subject: Subject, record: SweepRecord, options: SweepOptions) => Promise<void>;

/** `sweep`, computed in another way than by this process. */
export async function sweepWith(
  compute: Computer,
  given: Model,
  images: ImageSet,
  asked: SweepOptions,
  observer: SweepObserver = {},
): Promise<SweepResult> {
  if (!given?.layers || !images?.shape) {
    throw new TypeError('sweep takes a model (loadModel), images (openImages) and options');
  }
  refuseSweepMisuse(asked);
  const listeners = new Listeners();
  const options = listeners.guarded(asked);
  const found = await sweepTold(compute, given, images, options, observer);
  listeners.rethrow();
  return found;
}

/** The same with listeners that throw nothing. */
async function sweepTold(
  compute: Computer,
  given: Model,
  images: ImageSet,
  options: SweepOptions,
  observer: SweepObserver,
): Promise<SweepResult> {
  const { signal } = options;
  const chosen = withDefaults(options, images);
  const model = withTargets(given, chosen);
  const targets = await chooseTargets(model, images.shape, chosen);
  const { layers, cells: all } = targets;
  const onnxruntime = await runtimeVersion(chosen.engine);
  observer.started?.({
    ...{ model, images, onnxruntime },
    layers: layers.map(({ name }) => name),
    resets: chosen.resets.map(({ label }) => label),
  });
  refuseLabels(model, images);
  refuseDetails(chosen, images, options.out);
  const activations =
    targets.replacements.size > 0
      ? await observed(observer, 'planning', 'measure activations', () =>
          measureActivations(model, images, targets.replacements, signal),
        )
      : undefined;
  const settings = { ...chosen, activations };
  const costs = options.shard ? await costsOf(model, images, settings, layers) : allAlike(layers);
  const own = await observed(observer, 'planning', 'count products', () =>
    ownMacsOf(model, images, settings, layers),
  );
  const plan = planOf(model, settings, targets, costs, own);
  const parts = options.shard && partsOf(options.shard, plan, settings, images.count);
  const cells = await observed(observer, 'planning', 'prove resets', () =>
    proveCells(model, parts ? cellsOfParts(all, parts) : all, settings, signal),
  );

  // Slices must each be a sample of all images, and sources are often sorted by class.
  const subject = {
    model,
    images: isCrossed(settings.design) ? images : shuffled(images),
    settings,
    cells,
    all,
    parts,
    plan,
  };
  const record = await SweepRecord.open(subject, options, observer);
  try {
    const random = settings.resets.some(({ kind }) => kind === 'random');
    record.tell([
      ...record.placeWarnings,
      ...model.warnings,
      ...(random ? drawnWarnings(model, settings) : []),
      ...donorWarnings(settings.resets),
      ...images.warnings,
    ]);
    refuseOtherChunks(subject, record);
    await record.begin();
    observer.planned?.(plannedOf(subject, record.finished));
    for (const layer of record.stopping?.stopped ?? []) observer.stopped?.(layer);
    await compute(subject, record, options);
    warnOfInvalid(model, record);
    const results = await record.end();
    return { ...results, directory: options.out ?? null, warnings: record.warnings };
  } catch (error) {
    await record.breakOff(signal?.aborted && error === signal.reason ? 'interrupted' : 'failed');
    throw error;
  } finally {
    await record.close();
  }
}

/** Once a sweep, whatever computed it: of all its images that were seen. */
function warnOfInvalid({ file }: Model, record: SweepRecord): void {
  const seen = [...record.finished.original.values()].flat();
  const invalid = seen.reduce((sum, slice) => sum + slice.invalid, 0);
  const images = seen.reduce((sum, slice) => sum + slice.images, 0);
  if (invalid === 0) return;
  record.warn(
    `${file.path} gives NaN or infinite logits for ${invalid} of ${images} images; they are counted as invalid`,
  );
}

function plannedOf(subject: Subject, finished: Finished): Planned {
  const all = lackingChunks(subject, new Finished());
  const passes = unitsOf(all);
  return {
    cells: subject.cells.length,
    chunks: all.length,
    passes,
    resumed: passes - unitsOf(lackingChunks(subject, finished)),
  };
}

/** The parts of one shard. */
function partsOf(
  { index, of }: Shard,
  plan: ShardPlan,
  { resets, design, tolerance }: Settings,
  images: number,
): Part[] {
  const labels = resets.map(({ label }) => label);
  return shardsOf(shardProblem(plan, labels, design.trials, images, tolerance !== undefined), of)[index - 1]!;
}

/** Whatever the record lacks, through the engine. */
export async function computeHere(
  subject: Subject,
  record: SweepRecord,
  options: SweepOptions,
): Promise<void> {
  const { model, images, settings, cells, all: whole, parts } = subject;
  const { signal, onProgress, onLogits } = options;
  const { observer } = record;
  const { batch, smallerBatch, chunk, design, threads, cards, precision, graph } = settings;
  const begun = cards && record.batch;
  const todo = lackingChunks(subject, record.finished);
  // A shard may be empty; a whole sweep still has its optimised graph checked.
  if (parts && todo.length === 0) return;
  const atOnce = chunksAtOnce({ ...settings, batch: model.io.batch ?? batch });
  // Before the engine is opened, which takes seconds: the first images are there when it is.
  const wanted = todo.map(({ index }) => index);
  const ahead = new ChunksAhead(images, chunk, wanted, atOnce, signal, observer);
  try {
    const open = settings.engine === 'fast' ? openFastEngine : openReferenceEngine;
    const { shape: size } = images;
    const { engine, checked } = await openChecked(
      (model, options) => observed(observer, 'planning', 'open engine', () => open(model, options)),
      model,
      {
        ...{
          cells,
          whole,
          context: settings,
          design,
          size,
          batch: begun ?? batch,
          smallerBatch: smallerBatch && begun === undefined,
          begun: begun !== undefined,
          pixels: Boolean(images.normalizeTable),
        },
        ...{ threads, cards, precision, graph, signal },
      },
      async (engine) => {
        const first = await ahead.first();
        return observed(observer, 'planning', 'check engine', () =>
          checkEngine(model, engine, cells, first, settings, signal),
        );
      },
      (message) => record.tell([message]),
    );
    try {
      await record.computes(engine.graph, cards && engine.batch);
      record.tell(checked);
      const units = unitsOf(lackingChunks(subject, new Finished()));
      const receiver = onLogits && new LogitsReceiver(onLogits, design, images);
      const progress = new ProgressCount(cells, images.count, onProgress, record.stopping?.expectation);
      await computeChunks(
        { subject, record, engine, todo, ahead, atOnce, progress, units, observer, receiver },
        signal,
      );
    } finally {
      await engine.close();
      record.spent(engine.seconds());
    }
  } finally {
    await ahead.close();
    record.spent(ahead.seconds);
    record.tell(images.warnings);
  }
}

/** A journal is believed only where its chunks are this sweep's: as many images each as they must have. */
function refuseOtherChunks({ all, images, settings }: Subject, { finished, place }: SweepRecord): void {
  const found = targetsOf(all).flatMap(({ layer, reset, cells }) =>
    [...finished.chunksOf(layer.name, reset.label)].map(([chunk, { draws }]) => ({
      chunk,
      images: draws.reduce((sum, draw) => sum + draw.images, 0) / cells.length,
    })),
  );
  const original = [...finished.original].map(([chunk, slices]) => ({
    chunk,
    images: slices.reduce((sum, slice) => sum + slice.images, 0),
  }));
  for (const { chunk, images: has } of [...original, ...found]) {
    if (has !== Math.min(settings.chunk, images.count - chunk * settings.chunk)) {
      throw new CritmapError(
        'ERR_RUN',
        `${place} has ${has} images in chunk ${chunk}, which this sweep does not make; choose another directory for --out`,
      );
    }
  }
}

/** What was noticed of the donors' files, which each name their file. */
function donorWarnings(resets: readonly Reset[]): string[] {
  return resets.flatMap((reset) => {
    if (reset.kind !== 'interpolate') return [];
    const { file, warnings } = reset.donor;
    return warnings.map((warning) =>
      warning.startsWith(file.path) ? `the donor ${warning}` : `the donor ${file.path}: ${warning}`,
    );
  });
}

function refuseLabels(model: Model, images: ImageSet): void {
  const { classes } = model.io;
  const highest = images.maxLabel ?? 0;
  if (classes !== null && highest >= classes) {
    const { source, labelsUnderstood, classNames } = images;
    const name = classNames?.[highest];
    const what = labelsUnderstood === null && name !== undefined ? ` (its class ${name})` : '';
    throw new CritmapError(
      'ERR_IMAGES',
      // A file of labels is named where it is said how it was understood.
      `${labelsUnderstood ?? source} has labels up to ${highest}${what}, the model only classes 0 to ${classes - 1}; give the right labels, or --labels none to go without accuracy`,
    );
  }
}
