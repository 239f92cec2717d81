/** Something that there is a limited amount of, shared in the order of asking. */

/** What asks for all or more waits until nobody has any, and then goes alone. */
export class Budget {
  #taken = 0;
  readonly #waiting: { amount: number; start: () => void }[] = [];

  /** @param total - in any unit, that of the amounts */
  constructor(private readonly total: number) {}

  /**
   * Does `work` while it has `amount`. Who asked first goes first, so that a large one is not overtaken for ever.
   * @throws what `work` throws
   */
  async run<T>(amount: number, work: () => T | Promise<T>): Promise<T> {
    await new Promise<void>((start) => {
      this.#waiting.push({ amount, start });
      this.#startMore();
    });
    try {
      return await work();
    } finally {
      this.#taken -= amount;
      this.#startMore();
    }
  }

  #startMore(): void {
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      if (this.#taken > 0 && this.#taken + first.amount > this.total) return;
      this.#taken += first.amount;
      this.#waiting.shift();
      first.start();
    }
  }
}
