/** A chunk of images taken through a program batch by batch, and what comes of it put together again. */
import { columns, ImageRows } from '../native/columns.js';
import type { nativeEngine } from '../native/open-engine.js';
import { batchesOf, type Chunk, imagesOf, slicesIn } from './chunk.js';

type NativeEngine = ReturnType<typeof nativeEngine.open>;

/** One batch's results: (cells + 1) x count x columns, and behind them the logits where they are kept. */
export interface BatchRows {
  count: number;
  rows: Float64Array;
}

/** How a chunk is taken through the program. */
export interface Batches {
  /** Images of one, at most. */
  batch: number;
  /** Slices of one, at most, of as many images each; null where nothing is drawn. */
  slices: number | null;
  keysIn: (slice: number) => BigUint64Array;
}

/** All batches of a chunk, as many at a time as the engine has workers. */
export async function runBatches(
  engine: NativeEngine,
  chunk: Chunk,
  { batch, slices, keysIn }: Batches,
  active: Uint8Array,
  keepsLogits: boolean,
): Promise<BatchRows[]> {
  const batches: Promise<BatchRows>[] = [];
  const parts = slices === null ? [{ slice: 0, from: 0, to: chunk.count }] : slicesIn(chunk);
  const room = slices ?? 1;
  for (const pieces of batchesOf(parts, batch, room)) {
    const [from, to] = [pieces[0]!.from, pieces.at(-1)!.to];
    const count = to - from;
    const images = imagesOf(chunk, from, to);
    const labels = chunk.labels?.subarray(from, to);
    const numbers = pieces.map(({ slice }) => slice);
    const keys = keysOfSlices(keysIn, numbers, room);
    const executed = engine.execute(images, count, labels, active, keys, keepsLogits);
    batches.push(executed.then((rows) => ({ count, rows })));
  }
  // All must have ended before the chunk's images may be reused, also when one fails.
  const ended = await Promise.allSettled(batches);
  const failed = ended.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return ended.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** Of the slices of a batch, one behind the other; a batch that has fewer than its room has none for the others. */
export function keysOfSlices(
  keysIn: (slice: number) => BigUint64Array,
  slices: readonly number[],
  room: number,
): BigUint64Array {
  const each = slices.map(keysIn);
  const perSlice = each[0]!.length;
  const keys = new BigUint64Array(room * perSlice);
  for (const [i, own] of each.entries()) keys.set(own, i * perSlice);
  return keys;
}

/** The logits of one cell over the whole chunk, count x classes. */
export function keptLogits(
  batches: readonly BatchRows[],
  index: number,
  blocks: number,
  classes: number,
): Float32Array {
  const images = batches.reduce((sum, { count }) => sum + count, 0);
  const logits = new Float32Array(images * classes);
  let at = 0;
  for (const { count, rows } of batches) {
    const block = count * classes;
    const first = blocks * count * columns.length + index * block;
    logits.set(rows.subarray(first, first + block), at);
    at += block;
  }
  return logits;
}

/** The rows of one cell over the whole chunk. */
export function rowsOf(batches: readonly BatchRows[], index: number, chunk: Chunk): ImageRows {
  const parts = batches.map(({ count, rows }) => ({ rows, first: index * count, count }));
  return new ImageRows(parts, chunk.labels !== undefined);
}
