/**
 * The main job: every cell of a plan over every image of a sample. Images are read chunk by chunk, ahead of the
 * engine; a finished (cell, chunk) is on disk before it counts, so a sweep that was stopped goes on where it
 * was and ends with the same bytes.
 */
import { availableParallelism } from 'node:os';
import { cellsCsv } from './cells-csv.js';
import type { Chunk, Engine } from './engine.js';
import { CritmapError } from './errors.js';
import type { ImageSet } from './images/index.js';
import type { InitScheme } from './initialisers.js';
import { Finished, type JournalLine, sumsOf } from './journal.js';
import type { Model } from './model.js';
import { native } from './native.js';
import { type Cell, planCells, selectLayers } from './plan.js';
import { openReferenceEngine } from './reference.js';
import { summaryCsv } from './report/csv.js';
import { type Reset, resetLayer } from './reset.js';
import { files, type OpenRun, openRun, type RunIdentity, type RunInfo } from './run.js';
import { type ProvenCell, summarise } from './summarise.js';
import type { Summary } from './summary.js';
import { onnxruntimeVersion, version } from './version.js';

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
  /** Images per inference call; default 64. */
  batch?: number;
  /** Default: all cores. */
  threads?: number;
  engine?: 'reference';
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  onWarning?: (message: string) => void;
}

/** One unit is one cell on one image. */
export interface Progress {
  done: number;
  total: number;
  /** Of `done`, what an earlier run had finished. */
  resumed: number;
  cells: number;
  elapsedMs: number;
  /** The cell that was just finished for a chunk. */
  layer: string;
}

export interface SweepResult {
  summary: Summary;
  /** The run directory, or null when none was asked for. */
  directory: string | null;
  warnings: string[];
}

/** Floats of one chunk; keeps two chunks in memory below 200 MB whatever the image size. */
const CHUNK_FLOATS = 24 * 2 ** 20;

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
  const settings = withDefaults(options);
  const selected = selectLayers(model.layers, settings.layers, settings.exclude);
  const plan = planCells(selected, settings.resets, settings.trials);
  checkLabels(model, images);

  const patch = (cell: Cell) => resetLayer(model, cell.layer, cell.reset, cell.trial, settings);
  const cells = plan.map((cell): ProvenCell => ({ ...cell, change: patch(cell).change }));
  const identity = await identityOf(model, images, settings);
  const run = options.out === undefined ? null : await openRun(options.out, identity);
  const log = new Log(run, options.onWarning);
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
    await save('running');
    const engine = await openReferenceEngine(model, {
      batch: settings.batch,
      threads: settings.threads,
      patch,
    });
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
    const aborted = options.signal?.aborted === true && error === options.signal.reason;
    // What is finished stays readable; a second failure while saving must not hide the first.
    await writeResults(run, results()).catch(() => {});
    await save(aborted ? 'interrupted' : 'failed').catch(() => {});
    throw error;
  } finally {
    await run?.close();
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
  const chunkImages = chunkSize(images);
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
        },
        signal,
      );
    }
  } finally {
    await next?.catch(() => {});
  }
}

/** Fixed by the image size alone, so that the journal's sums do not depend on batch or machine. */
function chunkSize({ shape }: ImageSet): number {
  const floats = shape.channels * shape.height * shape.width;
  const fitting = 2 ** Math.floor(Math.log2(CHUNK_FLOATS / floats));
  return Math.max(16, Math.min(256, fitting));
}

async function readChunk(
  images: ImageSet,
  index: number,
  size: number,
  signal?: AbortSignal,
): Promise<Chunk> {
  const from = index * size;
  const to = Math.min(images.count, from + size);
  const { channels, height, width } = images.shape;
  const pixels = new Float32Array((to - from) * channels * height * width);
  await images.read(from, to, pixels, signal);
  return { index, count: to - from, images: pixels, height, width, labels: images.labels?.slice(from, to) };
}

/** Warnings, and results going to disk before they count. */
class Log {
  readonly warnings: string[] = [];

  constructor(
    private readonly run: OpenRun | null,
    private readonly onWarning?: (message: string) => void,
  ) {}

  warn(message: string): void {
    this.warnings.push(message);
    this.onWarning?.(message);
  }

  async finish(finished: Finished, line: JournalLine): Promise<void> {
    await this.run?.journal.append([line]);
    finished.add(line);
  }
}

class ProgressCount {
  readonly #started = Date.now();
  #done = 0;
  #resumed = 0;

  constructor(
    private readonly cells: readonly Cell[],
    private readonly images: number,
    private readonly report: SweepOptions['onProgress'],
  ) {}

  resume(units: number): void {
    this.#done += units;
    this.#resumed += units;
  }

  add(units: number, layer: string): void {
    this.#done += units;
    this.report?.({
      done: this.#done,
      total: this.cells.length * this.images,
      resumed: this.#resumed,
      cells: this.cells.length,
      elapsedMs: Date.now() - this.#started,
      layer,
    });
  }
}

type Settings = ReturnType<typeof withDefaults>;

function withDefaults(options: SweepOptions) {
  const settings = {
    layers: options.layers ?? [],
    exclude: options.exclude ?? [],
    resets: options.resets ?? [{ kind: 'random', label: 'random' } as const],
    init: options.init ?? 'auto',
    norm: options.norm ?? 'keep',
    trials: options.trials ?? 3,
    seed: options.seed ?? 0,
    confidence: options.confidence ?? 0.95,
    batch: options.batch ?? 64,
    threads: options.threads ?? availableParallelism(),
    engine: options.engine ?? 'reference',
  };
  const whole = (name: string, value: number, least: number) => {
    if (!Number.isSafeInteger(value) || value < least) {
      throw new CritmapError('ERR_OPTION', `${name} must be a whole number from ${least}, got ${value}`);
    }
  };
  whole('trials', settings.trials, 1);
  whole('seed', settings.seed, 0);
  whole('batch', settings.batch, 1);
  whole('threads', settings.threads, 1);
  if (!(settings.confidence > 0 && settings.confidence < 1)) {
    throw new CritmapError('ERR_OPTION', `confidence must lie between 0 and 1, got ${settings.confidence}`);
  }
  if (settings.resets.length === 0) throw new CritmapError('ERR_OPTION', 'no reset is given');
  return settings;
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

async function identityOf(model: Model, images: ImageSet, settings: Settings): Promise<RunIdentity> {
  const { layers, exclude, resets, init, norm, trials, seed, confidence, engine, batch } = settings;
  return {
    model: { name: model.name, sha256: model.file.sha256, layers: model.layers.length },
    data: {
      source: images.source,
      images: images.count,
      fingerprint: await images.fingerprint(),
      transform: images.transform,
    },
    options: {
      reset: resets.map((reset) => reset.label),
      // A label names a donor's file; the file may have changed since.
      donors: resets.flatMap((reset) => (reset.kind === 'interpolate' ? [reset.donor.file.sha256] : [])),
      init,
      norm,
      trials,
      seed,
      layers,
      exclude,
      confidence,
      engine,
      batch,
    },
  };
}

function infoOf(
  model: Model,
  images: ImageSet,
  identity: RunIdentity,
  cells: number,
  settings: Settings,
  earlier: RunInfo | null,
): RunInfo {
  const now = new Date().toISOString();
  return {
    version: 1,
    critmap: version,
    status: 'running',
    started: earlier?.started ?? now,
    updated: now,
    seconds: earlier?.seconds ?? 0,
    ...identity,
    cells,
    environment: {
      model: model.file.path,
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      onnxruntime: onnxruntimeVersion(),
      device: 'cpu',
      path: native().info().path,
      threads: settings.threads,
      totalImages: images.total,
    },
    warnings: [],
    sample: images.names ? [...images.names] : [...images.indices],
  };
}

async function writeResults(run: OpenRun | null, summary: Summary): Promise<void> {
  if (!run) return;
  await run.write(files.summary, `${JSON.stringify(summary, null, 1)}\n`);
  await run.write(files.table, summaryCsv(summary));
  await run.write(files.cells, cellsCsv(summary));
}
