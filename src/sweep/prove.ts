/**
 * The proof that every reset of a sweep changes something, before any inference: one that does not must not cost
 * hours first. Resets run on the thread pool, several at once as far as their memory allows.
 */
import { Budget, forEachBounded } from '../concurrency.js';
import type { Cell, ProvenCell } from '../design/cells.js';
import { drawOf, isCrossed, type SliceDesign, type SlicePart } from '../design/slices.js';
import type { Model } from '../model/model.js';
import { changesOf, isRandom, type Reset, type ResetContext, resetLayer } from '../resets/reset.js';

/** As many as libuv's thread pool has threads, unless the user asks for fewer. */
const AT_ONCE = 4;

/** What all resets at once may hold; a larger one has its turn alone. */
const MOST_BYTES = 256 * 2 ** 20;

/**
 * @returns the cells in their order, each with the relative change of its parameters
 * @throws CritmapError (ERR_RESET) of the first cell whose reset changes nothing or does not fit; the signal's
 *   reason
 */
export async function proveCells(
  model: Model,
  cells: readonly Cell[],
  context: ResetContext & { threads: number },
  signal?: AbortSignal,
): Promise<ProvenCell[]> {
  const changes = new Array<number | null>(cells.length).fill(null);
  const memory = new Budget(MOST_BYTES);
  // Memory that has been written before: the kernel takes longer to hand out new pages than resets to fill them.
  const written: Float32Array[] = [];
  const prove = async (i: number) => {
    const { layer, reset, trial } = cells[i]!;
    await memory.run(layer.parameters * bytesHeld(reset), async () => {
      let room = written.pop() ?? new Float32Array();
      if (room.length < layer.parameters) room = new Float32Array(layer.parameters);
      let used = 0;
      const copy = (values: Float32Array) => {
        const place = room.subarray(used, used + values.length);
        place.set(values);
        used += values.length;
        return place;
      };
      try {
        signal?.throwIfAborted();
        changes[i] = (await resetLayer(model, layer, reset, trial, context, copy)).change;
      } finally {
        written.push(room);
      }
    });
  };
  await forEachBounded(0, cells.length, Math.min(AT_ONCE, context.threads), prove, signal);
  return cells.map((cell, i) => ({ ...cell, change: changes[i] ?? null }));
}

/** Per element: the new values and the addon's copy of them, of a donor or what takes its place, and of the order
 * when shuffling. */
function bytesHeld({ kind }: Reset): number {
  return kind === 'shuffle' ? 32 : kind === 'interpolate' || kind === 'lowrank' ? 12 : 8;
}

/**
 * How far the draws of a chunk's slices move the weights: per cell one number a slice. Resets of one draw for all images
 * have been proven already.
 * @throws CritmapError (ERR_RESET) when a draw changes nothing
 */
export async function proveDraws(
  { model, settings }: { model: Model; settings: ResetContext & { threads: number; design: SliceDesign } },
  cells: readonly ProvenCell[],
  slices: readonly SlicePart[],
  signal?: AbortSignal,
): Promise<Map<Cell, (number | null)[]>> {
  const { design, threads } = settings;
  const changes = new Map<Cell, (number | null)[]>();
  const memory = new Budget(MOST_BYTES);
  const prove = async (i: number) => {
    const cell = cells[i]!;
    const { layer, reset, trial } = cell;
    if (!isRandom(reset) || isCrossed(design)) {
      changes.set(
        cell,
        slices.map(() => cell.change),
      );
      return;
    }
    const draws = slices.map(({ slice }) => drawOf(design, reset, slice, trial));
    await memory.run(layer.parameters * bytesHeld(reset), async () => {
      signal?.throwIfAborted();
      changes.set(cell, await changesOf(model, layer, reset, draws, settings));
    });
  };
  await forEachBounded(0, cells.length, Math.min(AT_ONCE, threads), prove, signal);
  return changes;
}
