/**
 * The proof that every reset of a sweep changes something, before any inference: one that does not must not cost
 * hours first. Resets run on the thread pool, several at once as far as their memory allows.
 */
import { Budget, forEachBounded } from '../concurrency.js';
import type { Cell, ProvenCell } from '../design/cells.js';
import { drawOf, isCrossed, type SliceDesign, type SlicePart } from '../design/slices.js';
import { refuseNotFinite } from '../model/finite.js';
import { membersOf } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import type { Layer } from '../onnx/layers.js';
import { elementCount } from '../onnx/tensors.js';
import { isActivation } from '../resets/activation.js';
import { isRandom, type Reset, type ResetContext, replacementIn } from '../resets/kinds.js';
import { parametersOf } from '../resets/parameters.js';
import { changeOf, type Moved, movesOf, resetLayer } from '../resets/reset.js';

/** As many as libuv's thread pool has threads, unless the user asks for fewer. */
const AT_ONCE = 4;

/** What all resets at once may hold; a larger one has its turn alone. */
const MOST_BYTES = 256 * 2 ** 20;

/** What is proven: a layer under a reset in a trial. Groups that share a layer share its proof. */
interface Single {
  layer: Layer;
  reset: Reset;
  trial: number;
}

/** Of cells: their layers, each once, and for each cell the numbers of its own; none where no weights are reset. */
function singlesOf(cells: readonly Cell[]): { singles: Single[]; ofCell: number[][] } {
  const singles: Single[] = [];
  const numbers = new Map<string, number>();
  const ofCell = cells.map(({ layer, reset, trial }) =>
    (isActivation(reset) ? [] : membersOf(layer)).map((member) => {
      const key = JSON.stringify([member.name, member.accompanies, reset.label, trial]);
      const known = numbers.get(key) ?? singles.push({ layer: member, reset, trial }) - 1;
      numbers.set(key, known);
      return known;
    }),
  );
  return { singles, ofCell };
}

/**
 * @returns the cells in their order, each with the relative change of its parameters, or of what its layer gives, which
 *   has been proven where that was measured
 * @throws CritmapError (ERR_MODEL) when the model's weights are not finite, (ERR_RESET) of the first cell whose reset
 *   changes nothing or does not fit; the signal's reason
 */
export async function proveCells(
  model: Model,
  cells: readonly Cell[],
  context: ResetContext & { threads: number },
  signal?: AbortSignal,
): Promise<ProvenCell[]> {
  await refuseNotFinite(model);
  const { singles, ofCell } = singlesOf(cells);
  const moves = new Array<Moved>(singles.length);
  const memory = new Budget(MOST_BYTES);
  // Memory that has been written before: the kernel takes longer to hand out new pages than resets to fill them.
  const written: Float32Array[] = [];
  const prove = async (i: number) => {
    const { layer, reset, trial } = singles[i]!;
    const elements = elementsOf(layer);
    await memory.run(elements * bytesHeld(reset), async () => {
      let room = written.pop() ?? new Float32Array();
      if (room.length < elements) room = new Float32Array(elements);
      let used = 0;
      const copy = (values: Float32Array) => {
        const place = room.subarray(used, used + values.length);
        place.set(values);
        used += values.length;
        return place;
      };
      try {
        signal?.throwIfAborted();
        moves[i] = (await resetLayer(model, layer, reset, trial, context, copy)).moved;
      } finally {
        written.push(room);
      }
    });
  };
  await forEachBounded(0, singles.length, Math.min(AT_ONCE, context.threads), prove, signal);
  return cells.map((cell, i) => ({
    ...cell,
    change: isActivation(cell.reset)
      ? replacementIn(context, cell).change
      : changeOf(ofCell[i]!.map((one) => moves[one]!)),
  }));
}

/** Of all that a reset may replace: a norm has statistics besides its parameters. */
const elementsOf = (layer: Layer) =>
  parametersOf(layer).reduce((sum, [, { stored }]) => sum + elementCount(stored), 0);

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
  const isProven = ({ layer, reset }: Cell) => !isRandom(reset, layer) || isCrossed(design);
  const open = cells.filter((cell) => !isProven(cell));
  const { singles, ofCell } = singlesOf(open);
  const moves = new Array<Moved[]>(singles.length);
  const memory = new Budget(MOST_BYTES);
  const prove = async (i: number) => {
    const { layer, reset, trial } = singles[i]!;
    const draws = slices.map(({ slice }) => drawOf(design, { layer, reset, trial }, slice));
    await memory.run(elementsOf(layer) * bytesHeld(reset), async () => {
      signal?.throwIfAborted();
      moves[i] = await movesOf(model, layer, reset, draws, settings);
    });
  };
  await forEachBounded(0, singles.length, Math.min(AT_ONCE, threads), prove, signal);
  const changes = new Map<Cell, (number | null)[]>();
  for (const cell of cells)
    if (isProven(cell))
      changes.set(
        cell,
        slices.map(() => cell.change),
      );
  for (const [i, cell] of open.entries()) {
    const changeIn = (slice: number) => changeOf(ofCell[i]!.map((one) => moves[one]![slice]!));
    changes.set(
      cell,
      slices.map((_, slice) => changeIn(slice)),
    );
  }
  return changes;
}
