/** The chunks of a sweep that lack a result, through the engine and into the journal. */
import { setMaxListeners } from 'node:events';
import type { ProvenCell } from '../design/cells.js';
import type { Chunk } from '../engines/chunk.js';
import type { Engine, ResultSink } from '../engines/engine.js';
import type { ImageSet } from '../images/image-set.js';
import type { Finished } from '../run/journal.js';
import type { ChunksAhead } from './chunks-ahead.js';
import type { ProgressCount } from './progress.js';
import type { Subject, SweepRecord } from './record.js';

/** A chunk, and the cells that have no result for it. */
export interface Lacking {
  index: number;
  images: number;
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
    if (lacking.length > 0 || !finished.original.has(index)) {
      todo.push({ index, images: Math.min(size, images.count - index * size), cells: lacking });
    }
  }
  return todo;
}

/** What there is to compute, with what, and where it goes. */
export interface Work {
  subject: Pick<Subject, 'model' | 'images' | 'settings'>;
  record: Pick<SweepRecord, 'finished' | 'tell' | 'warn' | 'add'>;
  engine: Pick<Engine, 'evaluate'>;
  todo: readonly Lacking[];
  /** Reads the images of `todo`. */
  ahead: Pick<ChunksAhead, 'next' | 'release'>;
  /** Chunks that the engine works on at the same time. */
  atOnce: number;
  progress: ProgressCount;
}

/** Every chunk that lacks a result, some at once, the next one being read while the engine works on them. */
export async function computeChunks(work: Work, abort?: AbortSignal): Promise<void> {
  const { subject, record, todo, ahead, atOnce, progress } = work;
  progress.begin(todo.reduce((sum, lacking) => sum + lacking.cells.length * lacking.images, 0));
  // One that fails ends the others at once; all must have ended before the journal may be closed.
  const stop = new AbortController();
  const signal = abort ? AbortSignal.any([abort, stop.signal]) : stop.signal;
  // Every chunk listens to it.
  setMaxListeners(0, signal);
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  stopped.catch(() => {});
  const running = new Set<Promise<unknown>>();
  let before: Promise<unknown> = Promise.resolve();
  try {
    for (const { cells } of todo) {
      const next = ahead.next();
      next.catch(() => {});
      const chunk = await Promise.race([next, stopped]);
      if (!chunk) break;
      record.tell(subject.images.warnings);
      const ended = computeChunk(work, chunk, cells, before, signal)
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
  { subject, record, engine, progress }: Work,
  chunk: Chunk,
  cells: readonly ProvenCell[],
  before: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const { index, count } = chunk;
  const sink: ResultSink = {
    async original(rows) {
      await before;
      signal.throwIfAborted();
      const sums = rows.sums();
      if (sums.invalid > 0) {
        const first = index * subject.settings.chunk;
        record.warn(
          `${subject.model.file.path} gives NaN or infinite logits for ${sums.invalid} of images ${first}-${first + count - 1}; they are counted as invalid`,
        );
      }
      if (!record.finished.original.has(index)) await record.add({ type: 'original', chunk: index, ...sums });
    },
    async cell({ layer, reset, trial }, rows) {
      const cell = { layer: layer.name, reset: reset.label, trial };
      await record.add({ type: 'cell', ...cell, chunk: index, ...rows.sums() });
      progress.add(count, layer.name);
    },
    computed: (units) => progress.computed(units),
  };
  await engine.evaluate(chunk, cells, sink, signal);
}
