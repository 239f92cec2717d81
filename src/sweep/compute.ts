/** The chunks of a sweep that lack a result, through the engine and into the journal. */
import { setMaxListeners } from 'node:events';
import { type Cell, type ProvenCell, type Target, targetsOf } from '../design/cells.js';
import { isCrossed, type SlicePart, slicesOf } from '../design/slices.js';
import type { Chunk } from '../engines/chunk.js';
import type { Engine, Logits, ResultSink } from '../engines/engine.js';
import type { ImageRows } from '../native/columns.js';
import { isRandom } from '../resets/kinds.js';
import { crossedSums } from '../run/crossed-sums.js';
import type { Finished, LineDetails, TargetChunk } from '../run/finished.js';
import { classRows, imageNumbers } from '../run/image-numbers.js';
import type { ChunksAhead } from './chunks-ahead.js';
import type { LogitsReceiver } from './logits.js';
import type { SweepObserver } from './observer.js';
import { coverage } from './part.js';
import type { ProgressCount } from './progress.js';
import { proveDraws } from './prove.js';
import type { Subject, SweepRecord } from './record.js';
import type { Settings } from './settings.js';

/** A chunk, and the layers and resets that have no result for it. */
export interface Lacking {
  index: number;
  images: number;
  targets: Target<ProvenCell>[];
}

export function lackingChunks({ cells, images, settings, parts }: Subject, finished: Finished): Lacking[] {
  const size = settings.chunk;
  const all = targetsOf(cells);
  const isCovered = parts && coverage(parts);
  const todo: Lacking[] = [];
  for (let index = 0; index * size < images.count; index++) {
    const targets = isCovered
      ? all.filter(({ layer, reset }) => isCovered({ layer: layer.name, reset: reset.label }, index))
      : all;
    if (targets.length === 0) continue;
    const lacking = targets.filter(
      ({ layer, reset }) => !finished.chunksOf(layer.name, reset.label).has(index),
    );
    if (lacking.length > 0 || !finished.original.has(index)) {
      todo.push({ index, images: Math.min(size, images.count - index * size), targets: lacking });
    }
  }
  return todo;
}

/** Cells times images. */
export const unitsOf = (lacking: readonly Lacking[]) =>
  lacking.reduce((sum, { targets, images }) => sum + cellsOf(targets).length * images, 0);

/** What there is to compute, with what, and where it goes. */
export interface Work {
  subject: Pick<Subject, 'model' | 'images' | 'settings'>;
  /** Cells times images of what there is to compute, earlier runs' included; default all of the sweep. */
  units?: number;
  record: Pick<SweepRecord, 'finished' | 'stopping' | 'tell' | 'warn' | 'add' | 'flush'>;
  engine: Pick<Engine, 'evaluate'>;
  todo: readonly Lacking[];
  /** Reads the images of `todo`. */
  ahead: Pick<ChunksAhead, 'next' | 'release'>;
  /** Who gets logits. */
  receiver?: LogitsReceiver | undefined;
  /** Chunks that the engine works on at the same time. */
  atOnce: number;
  progress: ProgressCount;
  observer?: SweepObserver | undefined;
}

/** Every chunk that lacks a result, some at once, the next one being read while the engine works on them. */
export async function computeChunks(work: Work, abort?: AbortSignal): Promise<void> {
  const { subject, record, todo, ahead, atOnce, progress } = work;
  progress.begin(unitsOf(todo), work.units);
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
  // Results go to the disk while the engine goes on; they count when they are there.
  const adding = new Set<Promise<unknown>>();
  const keep = (added: Promise<void>) => {
    const ended: Promise<unknown> = added
      .catch((error) => stop.abort(error))
      .then(() => adding.delete(ended));
    adding.add(ended);
  };
  const settle = async () => {
    await Promise.all(running);
    await record.flush();
    await Promise.all(adding);
  };
  let before: Promise<unknown> = Promise.resolve();
  try {
    for (const { targets, images } of todo) {
      // Layers that are known well enough leave; the others go on with full batches.
      const active = targets.filter((target) => !record.stopping?.isStopped(target));
      progress.leave((cellsOf(targets).length - cellsOf(active).length) * images);
      if (record.stopping && active.length === 0 && targets.length > 0) {
        await skip(ahead);
        continue;
      }
      const next = ahead.next();
      next.catch(() => {});
      const chunk = await Promise.race([next, stopped]);
      if (!chunk) break;
      record.tell(subject.images.warnings);
      const ended = computeChunk(work, chunk, active, before, keep, signal)
        .catch((error) => stop.abort(error))
        .then(() => {
          running.delete(ended);
          ahead.release(chunk);
        });
      running.add(ended);
      before = ended;
      if (running.size >= atOnce) await Promise.race([...running, stopped]);
    }
    await settle();
    signal.throwIfAborted();
  } catch (error) {
    stop.abort(error);
    await settle();
    throw error;
  }
}

/** Chunks come in their order, also those that nobody wants any more. */
async function skip(ahead: Work['ahead']): Promise<void> {
  const chunk = await ahead.next();
  if (chunk) ahead.release(chunk);
}

/**
 * @param before resolves when the chunk before this one has ended: the journal is in the order of chunks
 * @param keep takes what goes to the disk
 */
async function computeChunk(
  { subject, record, engine, progress, observer, receiver }: Work,
  read: Chunk,
  targets: readonly Target<ProvenCell>[],
  before: Promise<unknown>,
  keep: (added: Promise<void>) => void,
  signal: AbortSignal,
): Promise<void> {
  const { index, count } = read;
  const { chunk: perChunk, design } = subject.settings;
  const slices = slicesOf(design, index * perChunk, count);
  const cells = cellsOf(targets);
  const started = performance.now();
  const args = { chunk: index, layers: new Set(targets.map(({ layer }) => layer)).size, cells: cells.length };
  const changes = proveDraws(subject, cells, slices, signal);
  changes.then(() => observer?.span?.('proofs', `chunk ${index}`, started, args)).catch(() => {});
  const { labels } = read;
  const rowsOf = new Map<Cell, ImageRows>();
  let original: () => Logits;
  const targetOf = new Map(targets.flatMap((target) => target.cells.map((cell) => [cell as Cell, target])));
  const sink: ResultSink = {
    wantsLogits: receiver !== undefined,
    async original(rows, logits) {
      if (logits) {
        const made = logits();
        original = () => made;
      }
      await before;
      signal.throwIfAborted();
      if (record.finished.original.has(index)) return;
      const sums = slices.map(({ slice, from, to }) => ({ slice, ...rows.sums(from, to) }));
      const perClass = subject.settings.perClass && labels && classRows([rows], slices, labels);
      keep(record.add({ type: 'original', chunk: index, slices: sums, ...(perClass && { perClass }) }));
    },
    async cell(cell, rows, logits) {
      // Before it counts as finished: of what a stopped sweep has finished, everything was received.
      if (receiver && logits) {
        await receiver.give(cell, index * perChunk, slices, { original, changed: logits }, signal);
      }
      rowsOf.set(cell, rows);
      const target = targetOf.get(cell)!;
      const { layer, reset, cells } = target;
      if (!cells.every((one) => rowsOf.has(one))) return;
      const found = targetChunk(
        target,
        rowsOf,
        slices,
        await changes,
        isRandom(reset, layer) && isCrossed(design),
      );
      const details = detailsOf(
        cells.map((one) => rowsOf.get(one)!),
        slices,
        labels,
        subject.settings,
      );
      for (const one of cells) rowsOf.delete(one);
      const line = {
        type: 'target',
        layer: layer.name,
        reset: reset.label,
        chunk: index,
        ...found,
        ...details,
      } as const;
      keep(record.add(line).then(() => progress.add(count * cells.length, layer.name)));
    },
    computed: (units) => progress.computed(units),
  };
  await engine.evaluate({ ...read, slices }, cells, sink, signal);
  observer?.span?.('chunks', `chunk ${index}`, started, { ...args, images: count });
}

const cellsOf = (targets: readonly Target<ProvenCell>[]) => targets.flatMap(({ cells }) => cells);

/** What is asked for of single images. @param draws - rows of the chunk by trial */
function detailsOf(
  draws: readonly ImageRows[],
  slices: readonly SlicePart[],
  labels: Int32Array | undefined,
  { perImage, perImageMean, perClass }: Pick<Settings, 'perImage' | 'perImageMean' | 'perClass'>,
): LineDetails {
  return {
    ...(perImage.length > 0 && {
      perImage: perImage.map((metric) => imageNumbers(draws, metric, perImageMean)),
    }),
    ...(perClass && labels && { perClass: classRows(draws, slices, labels) }),
  };
}

/** @param sharesImages - whether trials have seen the same images and that is wanted of them */
function targetChunk(
  { cells }: Target,
  rowsOf: ReadonlyMap<Cell, ImageRows>,
  slices: readonly SlicePart[],
  changes: ReadonlyMap<Cell, (number | null)[]>,
  sharesImages: boolean,
): TargetChunk {
  const draws = slices.flatMap(({ slice, from, to }, i) =>
    cells.map((cell) => {
      const change = changes.get(cell)?.[i] ?? null;
      return { slice, trial: cell.trial, change, ...rowsOf.get(cell)!.sums(from, to) };
    }),
  );
  if (!sharesImages || cells.length < 2) return { draws };
  return { draws, crossed: crossedSums(cells.map((cell) => rowsOf.get(cell)!)) };
}
