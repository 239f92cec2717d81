/**
 * The main job: every cell of a plan over every image of a sample. Images are read chunk by chunk, ahead of the
 * engine; a finished (cell, chunk) is on disk before it counts, so a sweep that was stopped goes on where it
 * was and ends with the same bytes.
 */

import type { ProvenCell } from '../design/cells.js';
import { planCells, selectLayers } from '../design/cells.js';
import { openFastEngine } from '../engines/fast.js';
import { openReferenceEngine } from '../engines/reference.js';
import { CritmapError } from '../errors.js';
import type { ImageSet } from '../images/index.js';
import type { Model } from '../model/model.js';
import type { Reset } from '../resets/reset.js';
import { imagesCsv } from '../run/images-csv.js';
import { Finished } from '../run/journal.js';
import { cellsCsv } from '../run/results-csv.js';
import { files, type OpenRun, openRun, type RunInfo } from '../run/run.js';
import { summarise } from '../run/summarise.js';
import type { Summary } from '../run/summary.js';
import { summaryCsv } from '../run/summary-csv.js';
import { ChunksAhead } from './chunks-ahead.js';
import { computeChunks, lackingChunks } from './compute.js';
import { identityOf, infoOf } from './identity.js';
import { Log } from './log.js';
import { proveCells } from './prove.js';
import { chunksAtOnce, type SweepOptions, withDefaults } from './settings.js';

export interface SweepResult {
  summary: Summary;
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
 *   `ERR_IMAGES`; the signal's reason after an abort, with everything finished so far kept in `out`
 */
export async function sweep(
  model: Model,
  images: ImageSet,
  options: SweepOptions = {},
): Promise<SweepResult> {
  if (!model?.layers || !images?.shape) {
    throw new TypeError('sweep takes a model (loadModel), images (openImages) and options');
  }
  const settings = withDefaults(options, images);
  const selected = selectLayers(model.layers, settings.layers, settings.exclude);
  const plan = planCells(selected, settings.resets, settings.trials);
  checkLabels(model, images);

  const { signal } = options;
  const cells = await proveCells(model, plan, settings, signal);
  const identity = await identityOf(model, images, settings, signal);
  const run = options.out === undefined ? null : await openRun(options.out, identity);
  const log = new Log(run, run?.earlier?.warnings ?? [], options.onWarning);
  const started = Date.now();
  const info = infoOf(model, images, identity, cells.length, settings, run?.earlier ?? null);
  const waited = { seconds: run?.earlier?.waitedSeconds ?? 0 };
  const save = async (status: RunInfo['status']) => {
    const seconds = (run?.earlier?.seconds ?? 0) + (Date.now() - started) / 1000;
    await run?.writeInfo({
      ...info,
      status,
      seconds,
      waitedSeconds: waited.seconds,
      updated: new Date().toISOString(),
      warnings: log.warnings,
    });
  };
  const finished = run?.finished ?? new Finished();
  const results = () =>
    summarise(
      identity,
      cells,
      finished,
      settings.confidence,
      model.layers.map((layer) => layer.name),
    );

  try {
    log.tell([...model.warnings, ...donorWarnings(settings.resets), ...images.warnings]);
    refuseOtherChunks(run, cells, finished, images, settings.chunk);
    await save('running');
    await run?.write(files.images, await imagesCsv(images));
    const open = settings.engine === 'fast' ? openFastEngine : openReferenceEngine;
    const { batch, threads, cards, precision } = settings;
    const size = images.shape;
    const todo = lackingChunks(cells, finished, images, settings.chunk);
    const atOnce = chunksAtOnce({ ...settings, batch: model.io.batch ?? batch });
    // Before the engine is opened, which takes seconds: the first images are there when it is.
    const ahead = new ChunksAhead(
      images,
      settings.chunk,
      todo.map(({ index }) => index),
      atOnce,
      signal,
    );
    try {
      const how = { cells, context: settings, size, batch, threads, cards, precision, signal };
      const engine = await open(model, how);
      try {
        const { chunk } = settings;
        await computeChunks({
          model,
          images,
          cells,
          engine,
          todo,
          chunk,
          atOnce,
          ahead,
          finished,
          log,
          options,
        });
      } finally {
        await engine.close();
      }
    } finally {
      await ahead.close();
      waited.seconds += ahead.waitedMs / 1000;
      log.tell(images.warnings);
    }
    const summary = results();
    await writeResults(run, summary);
    await save('done');
    return { summary, directory: options.out ?? null, warnings: log.warnings };
  } catch (error) {
    const aborted = signal?.aborted === true && error === signal.reason;
    // What is finished stays readable; a second failure while saving must not hide the first.
    await Promise.resolve()
      .then(() => writeResults(run, results()))
      .catch(() => {});
    await save(aborted ? 'interrupted' : 'failed').catch(() => {});
    throw error;
  } finally {
    await run?.close();
  }
}

/** A journal is believed only where its chunks are this sweep's: as many images each as they must have. */
function refuseOtherChunks(
  run: OpenRun | null,
  cells: readonly ProvenCell[],
  finished: Finished,
  images: ImageSet,
  size: number,
): void {
  const found = cells.map((cell) => finished.chunksOf(cell.layer.name, cell.reset.label, cell.trial));
  for (const sums of [finished.original, ...found].flatMap((chunks) => [...chunks.values()])) {
    if (sums.images !== Math.min(size, images.count - sums.chunk * size)) {
      throw new CritmapError(
        'ERR_RUN',
        `${run?.journal.path} has ${sums.images} images in chunk ${sums.chunk}, which this sweep does not make; choose another directory for --out`,
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

function checkLabels(model: Model, images: ImageSet): void {
  const { classes } = model.io;
  const highest = images.maxLabel ?? 0;
  if (classes !== null && highest >= classes) {
    throw new CritmapError(
      'ERR_IMAGES',
      `${images.source} has labels up to ${highest}, the model only classes 0 to ${classes - 1}; give the right labels, or --labels none to go without accuracy`,
    );
  }
}

async function writeResults(run: OpenRun | null, summary: Summary): Promise<void> {
  if (!run) return;
  await run.write(files.summary, `${JSON.stringify(summary, null, 1)}\n`);
  await run.write(files.table, summaryCsv(summary));
  await run.write(files.cells, cellsCsv(summary));
}
