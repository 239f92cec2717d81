/**
 * A confidence sequence for the mean of bounded numbers: an interval after every number, all of which hold the mean with
 * the confidence asked for, so that one may stop when it is narrow enough. Hedged capital process with predictable
 * plug-in bets (Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, JRSS B 86, 2024): a
 * mean is out when betting against it has made the stake grow 1 / alpha fold.
 */
import type { Interval } from './student.js';

/** Candidate means: a grid whose pitch is added to both ends, so that nothing between two of them is lost. */
const BREAKS = 1000;
/** Bets stay below half of what would risk all. */
const TRUNCATION = 0.5;

export interface BettingOptions {
  /** 1 - confidence. */
  alpha: number;
  /** How many numbers there are in all, if they are drawn without replacement. */
  population?: number;
}

export class BettingSequence {
  readonly #logUp = new Float64Array(BREAKS + 1);
  readonly #logDown = new Float64Array(BREAKS + 1);
  readonly #alpha: number;
  readonly #population: number | undefined;
  #count = 0;
  #sum = 0;
  /** Of the plug-in variance: one made-up number of mean 1/2 and variance 1/4 comes first. */
  #deviations = 0.25;
  #variance = 0.25;
  #low = 0;
  #high = 1;

  constructor({ alpha, population }: BettingOptions) {
    this.#alpha = alpha;
    this.#population = population;
  }

  get count(): number {
    return this.#count;
  }

  /** Of the numbers so far, and of the one that was made up. */
  get variance(): number {
    return this.#variance;
  }

  /** The running intersection of all intervals so far. */
  get interval(): Interval {
    return { low: this.#low, high: this.#high };
  }

  /**
   * @param x - from 0 to 1
   * @returns the interval after it
   */
  add(x: number): Interval {
    const t = this.#count + 1;
    // The bet is made before the number is seen. Each side has half of the stake, and so of alpha.
    const bet = Math.sqrt((2 * Math.log(2 / this.#alpha)) / (t * Math.log(1 + t) * this.#variance));
    const threshold = Math.log(2 / this.#alpha);
    let first = -1;
    let last = -1;
    for (let i = 0; i <= BREAKS; i++) {
      const m = this.#currentMean(i / BREAKS);
      if (!(m >= 0 && m <= 1)) continue;
      const up = Math.min(bet, m > 0 ? TRUNCATION / m : Number.POSITIVE_INFINITY);
      const down = Math.min(bet, m < 1 ? TRUNCATION / (1 - m) : Number.POSITIVE_INFINITY);
      this.#logUp[i]! += Math.log1p(up * (x - m));
      this.#logDown[i]! += Math.log1p(-down * (x - m));
      if (this.#logUp[i]! <= threshold && this.#logDown[i]! <= threshold) {
        if (first < 0) first = i;
        last = i;
      }
    }
    this.#learn(x, t);
    if (first >= 0) {
      this.#low = Math.max(this.#low, first / BREAKS - 1 / BREAKS);
      this.#high = Math.min(this.#high, last / BREAKS + 1 / BREAKS);
    }
    this.#narrowByWhatIsLeft();
    return this.interval;
  }

  /** What the mean of the numbers still to come is, if all of them have this mean. */
  #currentMean(mean: number): number {
    if (this.#population === undefined) return mean;
    return (this.#population * mean - this.#sum) / (this.#population - this.#count);
  }

  #learn(x: number, t: number): void {
    this.#count = t;
    this.#sum += x;
    const mean = Math.min(1, (0.5 + this.#sum) / (t + 1));
    this.#deviations += (x - mean) ** 2;
    this.#variance = this.#deviations / (t + 1);
  }

  /** Those seen count, and the others lie between 0 and 1. */
  #narrowByWhatIsLeft(): void {
    if (this.#population === undefined) return;
    this.#low = Math.max(this.#low, this.#sum / this.#population);
    this.#high = Math.min(this.#high, 1 - (this.#count - this.#sum) / this.#population);
  }
}
