/** How far a sweep is. */
import type { Cell } from '../design/cells.js';

/** One unit is one cell on one image. */
export interface Progress {
  done: number;
  /** What there is to do at most. */
  total: number;
  /** What it will be with a tolerance, by what is known so far; null before a pilot has told, `total` without one. */
  expected: number | null;
  /** Of `done`, what an earlier run had finished. */
  resumed: number;
  cells: number;
  elapsedMs: number;
  /** Of the cell that was just finished for a chunk; empty between. */
  layer: string;
}

export class ProgressCount {
  readonly #started = Date.now();
  #done = 0;
  #resumed = 0;
  #left = 0;
  #told = 0;
  #all: number;

  constructor(
    private readonly cells: readonly Cell[],
    images: number,
    private readonly report: ((progress: Progress) => void) | undefined,
    /** Units in all, where layers may stop; null while that is not known. */
    private readonly expected?: () => number | null,
  ) {
    this.#all = cells.length * images;
  }

  /** So many units lack; the others have been finished by an earlier run. */
  begin(lacking: number, all = this.#all): void {
    this.#all = all;
    this.#resumed = all - lacking;
    this.#done = this.#resumed;
  }

  /** So many units are not wanted any more. */
  leave(units: number): void {
    this.#left += units;
  }

  add(units: number, layer: string): void {
    this.#done += units;
    this.#tell(this.#done, layer);
  }

  /** So many units are computed in all, some of them in cells that are not finished for their chunk. */
  computed(units: number): void {
    if (this.#resumed + units > this.#told) this.#tell(this.#resumed + units, '');
  }

  #tell(done: number, layer: string): void {
    // Finished cells come after what was computed: it must not run backwards.
    const total = this.#all - this.#left;
    this.#told = Math.min(Math.max(this.#told, done), total);
    this.report?.({
      done: this.#told,
      total,
      expected: this.#expected(total),
      resumed: this.#resumed,
      cells: this.cells.length,
      elapsedMs: Date.now() - this.#started,
      layer,
    });
  }

  /** Chunks end later than the slice that made a layer stop: it never is less than what has been done. */
  #expected(total: number): number | null {
    if (!this.expected) return total;
    const units = this.expected();
    return units === null ? null : Math.min(total, Math.max(units, this.#told));
  }
}
