/** The chunks of a sweep that lack a result, through the engine and into the journal. */
import { setMaxListeners } from 'node:events';
import type { ProvenCell } from '../design/cells.js';
import type { Chunk } from '../engines/chunk.js';
import type { Engine } from '../engines/engine.js';
import type { ImageSet } from '../images/image-set.js';
import type { Model } from '../model/model.js';
import { type Finished, sumsOf } from '../run/journal.js';
import type { ChunksAhead } from './chunks-ahead.js';
import type { Log } from './log.js';
import { ProgressCount } from './progress.js';
import type { SweepOptions } from './settings.js';

/** A chunk, and the cells that have no result for it. */
export interface Lacking {
  index: number;
  cells: ProvenCell[];
}

export function lackingChunks(
  cells: readonly ProvenCell[],
  finished: Finished,
  images: ImageSet,
  size: number,
): Lacking[] {
  const todo: Lacking[] = [];
  for (let index = 0; index * size < images.count; index++) {
    const lacking = cells.filter(
      (cell) => !finished.chunksOf(cell.layer.name, cell.reset.label, cell.trial).has(index),
    );
    if (lacking.length > 0 || !finished.original.has(index)) todo.push({ index, cells: lacking });
  }
  return todo;
}

/** What there is to compute, with what, and where it goes. */
export interface Work {
  model: Model;
  images: ImageSet;
  cells: readonly ProvenCell[];
  engine: Engine;
  todo: readonly Lacking[];
  /** Images of a chunk. */
  chunk: number;
  /** Chunks that the engine works on at the same time. */
  atOnce: number;
  /** Reads the images of `todo`. */
  ahead: ChunksAhead;
  finished: Finished;
  log: Pick<Log, 'tell' | 'warn' | 'finish'>;
  options: SweepOptions;
}

/** Every chunk that lacks a result, some at once, the next one being read while the engine works on them. */
export async function computeChunks(work: Work): Promise<void> {
  const { images, cells, todo, chunk: chunkImages, atOnce, ahead, log, options } = work;
  const progress = new ProgressCount(cells, images.count, options.onProgress);
  const wanted = todo.reduce(
    (sum, { index, cells }) => sum + cells.length * Math.min(chunkImages, images.count - index * chunkImages),
    0,
  );
  progress.resume(cells.length * images.count - wanted);
  // One that fails ends the others at once; all must have ended before the journal may be closed.
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  // Every chunk listens to it.
  setMaxListeners(0, signal);
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  stopped.catch(() => {});
  const running = new Set<Promise<unknown>>();
  let before: Promise<unknown> = Promise.resolve();
  try {
    for (const { cells: lacking } of todo) {
      const next = ahead.next();
      next.catch(() => {});
      const chunk = await Promise.race([next, stopped]);
      if (!chunk) break;
      log.tell(images.warnings);
      const ended = computeChunk(work, progress, chunk, lacking, before, signal)
        .catch((error) => stop.abort(error))
        .then(() => {
          running.delete(ended);
          ahead.release(chunk);
        });
      running.add(ended);
      before = ended;
      if (running.size >= atOnce) await Promise.race([...running, stopped]);
    }
    await Promise.all(running);
    stop.signal.throwIfAborted();
  } catch (error) {
    stop.abort(error);
    await Promise.all(running);
    throw error;
  }
}

/** @param before resolves when the chunk before this one has ended: the journal is in the order of chunks */
async function computeChunk(
  work: Work,
  progress: ProgressCount,
  chunk: Chunk,
  lacking: readonly ProvenCell[],
  before: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const { model, engine, chunk: chunkImages, finished, log } = work;
  const { index } = chunk;
  await engine.evaluate(
    chunk,
    lacking,
    {
      async original(comparison) {
        await before;
        signal.throwIfAborted();
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
      computed: (units) => progress.computed(units),
    },
    signal,
  );
}
