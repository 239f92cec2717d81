/**
 * The main job: every cell of a plan over every image of a sample. Images are read chunk by chunk, ahead of the
 * engine; a finished (cell, chunk) is on disk before it counts, so a sweep that was stopped goes on where it
 * was and ends with the same bytes.
 */
import { cellsCsv } from './cells-csv.js';
import { chunkSize, readChunk } from './chunks.js';
import type { Engine } from './engine.js';
import { CritmapError } from './errors.js';
import { openFastEngine } from './fast.js';
import type { ImageSet } from './images/index.js';
import { Finished, type JournalLine, sumsOf } from './journal.js';
import type { Model } from './model.js';
import { planCells, selectLayers } from './plan/cells.js';
import { ProgressCount } from './progress.js';
import { proveCells } from './prove.js';
import { openReferenceEngine } from './reference.js';
import { summaryCsv } from './report/csv.js';
import { files, type OpenRun, openRun, type RunInfo } from './run.js';
import { type ProvenCell, summarise } from './summarise.js';
import type { Summary } from './summary.js';
import { identityOf, infoOf, type SweepOptions, withDefaults } from './sweep-settings.js';

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
  const save = async (status: RunInfo['status']) => {
    const seconds = (run?.earlier?.seconds ?? 0) + (Date.now() - started) / 1000;
    await run?.writeInfo({
      ...info,
      status,
      seconds,
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
    for (const warning of model.warnings) log.warn(warning);
    refuseOtherChunks(run, cells, finished, images, settings.engine);
    await save('running');
    const open = settings.engine === 'fast' ? openFastEngine : openReferenceEngine;
    const { batch, threads, card: device } = settings;
    const size = images.shape;
    const engine = await open(model, { cells, context: settings, size, batch, threads, device, signal });
    try {
      await computeChunks({ model, images, cells, engine, finished, log, options });
    } finally {
      await engine.close();
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
  engine: Engine['name'],
): void {
  const size = chunkSize(images, engine);
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

interface Work {
  model: Model;
  images: ImageSet;
  cells: readonly ProvenCell[];
  engine: Engine;
  finished: Finished;
  log: Log;
  options: SweepOptions;
}

/** Every chunk that lacks a result, the next one being read while the engine works on this one. */
async function computeChunks({ model, images, cells, engine, finished, log, options }: Work): Promise<void> {
  const { signal } = options;
  const chunkImages = chunkSize(images, engine.name);
  const chunks = Math.ceil(images.count / chunkImages);
  const todo: { index: number; cells: ProvenCell[] }[] = [];
  const progress = new ProgressCount(cells, images.count, options.onProgress);
  for (let index = 0; index < chunks; index++) {
    const lacking = cells.filter(
      (cell) => !finished.chunksOf(cell.layer.name, cell.reset.label, cell.trial).has(index),
    );
    const count = Math.min(chunkImages, images.count - index * chunkImages);
    progress.resume((cells.length - lacking.length) * count);
    if (lacking.length > 0 || !finished.original.has(index)) todo.push({ index, cells: lacking });
  }

  const read = (index: number) => readChunk(images, index, chunkImages, signal);
  let next = todo[0] ? read(todo[0].index) : undefined;
  try {
    for (const [position, { index, cells: lacking }] of todo.entries()) {
      const chunk = await next;
      const following = todo[position + 1];
      next = following && read(following.index);
      // Its failure is met when it is awaited; until then it must not count as unhandled.
      next?.catch(() => {});
      if (!chunk) break;
      await engine.evaluate(
        chunk,
        lacking,
        {
          async original(comparison) {
            if (comparison.invalid > 0) {
              log.warn(
                `${model.file.path} gives NaN or infinite logits for ${comparison.invalid} of images ${index * chunkImages}-${index * chunkImages + chunk.count - 1}; they are counted as invalid`,
              );
            }
            if (!finished.original.has(index)) {
              await log.finish(finished, { type: 'original', ...sumsOf(index, comparison) });
            }
          },
          async cell(cell, comparison) {
            const { layer, reset, trial } = cell;
            await log.finish(finished, {
              type: 'cell',
              layer: layer.name,
              reset: reset.label,
              trial,
              ...sumsOf(index, comparison),
            });
            progress.add(chunk.count, layer.name);
          },
          computed: (units) => progress.within(units),
        },
        signal,
      );
    }
  } finally {
    await next?.catch(() => {});
  }
}

/** Warnings, and results going to disk before they count. */
class Log {
  readonly warnings: string[];

  constructor(
    private readonly run: OpenRun | null,
    earlier: readonly string[],
    private readonly onWarning?: (message: string) => void,
  ) {
    this.warnings = [...earlier];
  }

  warn(message: string): void {
    if (!this.warnings.includes(message)) this.warnings.push(message);
    this.onWarning?.(message);
  }

  async finish(finished: Finished, line: JournalLine): Promise<void> {
    await this.run?.journal.append([line]);
    finished.add(line);
  }
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
