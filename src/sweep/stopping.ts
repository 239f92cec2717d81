/**
 * When a layer is known well enough: its confidence sequence is looked at after every slice, in their order, and the
 * first slice at which it lies within the tolerance is where the layer stops. So the stop depends on data and seed alone:
 * what was computed beyond it, by other threads or before an interruption, does not count.
 */
import { imagesOfSlices, type SliceDesign } from '../design/slices.js';
import { agreementShare, criticalityShare, type Share } from '../run/estimate.js';
import { addSums, type DrawSums, type Finished, inOrder } from '../run/finished.js';
import type { Known, NamedTarget as Target } from '../run/summarise.js';
import { BettingSequence } from '../statistics/betting.js';
import { expectedCount } from '../statistics/betting-forecast.js';
import type { StoppedLayer } from './observer.js';
import type { Settings } from './settings.js';

/** Slices after which it is told how many a layer will take. */
const PILOT_SLICES = 16;

type StoppingSettings = Pick<Settings, 'simultaneous' | 'confidence' | 'design'> & {
  tolerance?: number | undefined;
};

interface Watched {
  target: Target;
  criticality: BettingSequence;
  agreement: BettingSequence;
  /** Slices that have been looked at. */
  seen: number;
  stopped: boolean;
}

export class Stopping {
  readonly #watched = new Map<string, Watched>();

  private constructor(
    targets: readonly Target[],
    private readonly design: SliceDesign,
    /** Half width, as a share. */
    private readonly tolerance: number,
    private readonly alpha: number,
    private readonly images: number,
    private readonly finished: Finished,
  ) {
    for (const target of targets) {
      const key = keyOf(target.layer.name, target.reset.label);
      const [criticality, agreement] = [new BettingSequence({ alpha }), new BettingSequence({ alpha })];
      this.#watched.set(key, { target, criticality, agreement, seen: 0, stopped: false });
    }
    for (const { target } of this.#watched.values()) this.look(target.layer.name, target.reset.label);
  }

  /** @returns null for a sweep that has no tolerance */
  static of(
    { tolerance, simultaneous, confidence, design }: StoppingSettings,
    targets: readonly Target[],
    images: number,
    finished: Finished,
    /** Targets of the whole sweep, of which `targets` may be a part. */
    all = targets.length,
  ): Stopping | null {
    if (tolerance === undefined) return null;
    // All at once: each has its part of what may go wrong.
    const alpha = (1 - confidence) / (simultaneous ? all : 1);
    return new Stopping(targets, design, tolerance / 100, alpha, images, finished);
  }

  isStopped({ layer, reset }: Target): boolean {
    return this.#watched.get(keyOf(layer.name, reset.label))?.stopped ?? false;
  }

  /**
   * Cells times images that there will be in all: where layers have stopped, else told by what a pilot has shown.
   * @returns null before the pilot of every layer
   */
  readonly expectation = (): number | null => {
    let units = 0;
    for (const { target, criticality, seen, stopped } of this.#watched.values()) {
      if (seen < PILOT_SLICES && !stopped) return null;
      const expected = expectedCount(Math.sqrt(criticality.variance), this.tolerance, this.alpha);
      const slices = stopped ? seen : Math.max(seen + 1, expected);
      units += target.cells.length * imagesOfSlices(this.design, slices, this.images);
    }
    return units;
  };

  /** Those that have stopped. */
  get stopped(): StoppedLayer[] {
    return [...this.#watched.values()].filter(({ stopped }) => stopped).map((one) => this.#told(one));
  }

  #told({ target, criticality, seen }: Watched): StoppedLayer {
    const { low, high } = criticality.interval;
    return {
      layer: target.layer.name,
      reset: target.reset.label,
      images: imagesOfSlices(this.design, seen, this.images),
      // Kept of the cosine, whose complement criticality is.
      interval: { low: 100 * (1 - high), high: 100 * (1 - low) },
    };
  }

  known({ layer, reset }: Target): Known | undefined {
    const watched = this.#watched.get(keyOf(layer.name, reset.label));
    if (!watched) return undefined;
    const { criticality, agreement, seen, stopped } = watched;
    return {
      slices: stopped ? seen : null,
      criticality: criticality.interval,
      agreement: agreement.interval,
    };
  }

  /**
   * Looks at the slices that are there now and have not been looked at, in their order.
   * @returns the layer, if that made it stop
   */
  look(layer: string, reset: string): StoppedLayer | null {
    const watched = this.#watched.get(keyOf(layer, reset));
    if (!watched || watched.stopped) return null;
    for (const { sums, isWhole } of this.#slicesFrom(watched)) {
      if (watched.stopped || !isWhole) break;
      add(watched.criticality, criticalityShare, sums);
      add(watched.agreement, agreementShare, sums);
      watched.seen++;
      const { low, high } = watched.criticality.interval;
      watched.stopped = (high - low) / 2 <= this.tolerance;
    }
    return watched.stopped ? this.#told(watched) : null;
  }

  /** Slices from the first that was not looked at, without a gap; only the last may lack images. */
  *#slicesFrom({ target, seen }: Watched): Generator<{ sums: DrawSums; isWhole: boolean }> {
    const { trials } = this.design;
    const chunks = this.finished.chunksOf(target.layer.name, target.reset.label);
    const totals = new Map<number, DrawSums>();
    const first = inOrder(chunks).flatMap(({ draws }) => draws.filter(({ slice }) => slice >= seen));
    for (const draw of first) totals.set(draw.slice, addSums(totals.get(draw.slice), draw));
    const perImage = target.cells.length === trials ? trials : 1;
    for (let slice = seen; totals.has(slice); slice++) {
      const sums = totals.get(slice)!;
      const wanted =
        imagesOfSlices(this.design, slice + 1, this.images) - imagesOfSlices(this.design, slice, this.images);
      yield { sums, isWhole: sums.images === wanted * perImage };
    }
  }
}

const keyOf = (layer: string, reset: string) => JSON.stringify([layer, reset]);

function add(sequence: BettingSequence, share: Share, sums: DrawSums): void {
  const { count, sum } = share.of(sums);
  sequence.add(Math.min(1, Math.max(0, sum / count)));
}
