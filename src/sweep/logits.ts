/**
 * Logits on their way to a script that measures something of its own: `onLogits` of a sweep. One call at a time, in the
 * order of images and cells; the engine goes on with the next images meanwhile, and no further.
 */
import type { Cell } from '../design/cells.js';
import { drawOf, type SliceDesign, type SlicePart } from '../design/slices.js';
import type { Logits } from '../engines/engine.js';
import { CritmapError, messageOf } from '../errors.js';
import type { ImageSet } from '../images/image-set.js';

/** The model's answers for some images, untouched and with a layer reset. The arrays are the receiver's own. */
export interface LogitsPair {
  /** Or the name of layers that are reset together. */
  layer: string;
  reset: string;
  /** As in `draws.csv`; 0 of a reset without randomness. */
  draw: number;
  /** Which images share a draw; 0 where every draw sees all. */
  slice: number;
  /** Images [from, to) in the order of the sweep: rows of `images.csv`, counted from 0. */
  from: number;
  to: number;
  /** What they are in the source, and their classes where there are labels. */
  indices: Uint32Array;
  labels: Int32Array | null;
  classes: number;
  /** (to - from) x classes, image after image. */
  original: Float32Array;
  changed: Float32Array;
}

/** Returns, or resolves, when it is ready for the next pair. */
export type OnLogits = (pair: LogitsPair) => void | Promise<void>;

export class LogitsReceiver {
  #last: Promise<unknown> = Promise.resolve();
  #failure: CritmapError | null = null;

  constructor(
    private readonly receive: OnLogits,
    private readonly design: SliceDesign,
    private readonly images: Pick<ImageSet, 'indices' | 'labels'>,
  ) {}

  /**
   * Hands over all of a cell's logits on a chunk of images, a slice at a time.
   * @param first - the chunk's first image
   * @param of - makes the logits of the chunk when it is their turn
   * @throws CritmapError (ERR_OPTION) when the receiver does, once and for all; the signal's reason when it aborts
   */
  give(
    cell: Cell,
    first: number,
    slices: readonly SlicePart[],
    of: { original: () => Logits; changed: () => Logits },
    signal: AbortSignal,
  ): Promise<void> {
    const given = this.#last.then(async () => {
      const [original, changed] = [of.original(), of.changed()];
      for (const part of slices) {
        if (this.#failure) throw this.#failure;
        signal.throwIfAborted();
        await this.#call(this.#pairOf(cell, first, part, original, changed), signal);
      }
    });
    this.#last = given.catch(() => {});
    return given;
  }

  #pairOf(
    cell: Cell,
    first: number,
    { slice, from, to }: SlicePart,
    original: Logits,
    changed: Logits,
  ): LogitsPair {
    const { layer, reset } = cell;
    const { indices, labels } = this.images;
    const { classes } = original;
    const rowsOf = ({ logits }: Logits) => logits.slice(from * classes, to * classes);
    return {
      ...{ layer: layer.name, reset: reset.label, draw: drawOf(this.design, cell, slice), slice },
      ...{ from: first + from, to: first + to, classes },
      indices: indices.slice(first + from, first + to),
      labels: labels?.slice(first + from, first + to) ?? null,
      ...{ original: rowsOf(original), changed: rowsOf(changed) },
    };
  }

  async #call(pair: LogitsPair, signal: AbortSignal): Promise<void> {
    let stop = () => {};
    // A receiver that never ends must not keep a sweep that was stopped.
    const aborted = new Promise<never>((_, reject) => {
      stop = () => reject(signal.reason);
      signal.addEventListener('abort', stop, { once: true });
    });
    try {
      await Promise.race([Promise.resolve(pair).then(this.receive), aborted]);
    } catch (error) {
      signal.throwIfAborted();
      const { layer, draw, from, to } = pair;
      this.#failure = new CritmapError(
        'ERR_OPTION',
        `onLogits failed on ${layer}, draw ${draw}, images ${from}-${to - 1}: ${messageOf(error)}`,
        { cause: error },
      );
      throw this.#failure;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}
