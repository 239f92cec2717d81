/** Asynchronous work within bounds: so many steps at once, so much memory, until it is aborted. */

/**
 * Calls `step` once for each index in [from, to), starting them in ascending order. After a failure or an
 * abort nothing new starts. Settles only when every started step has: whoever owns the memory that the
 * steps write to may then use it again.
 * @throws the failure of the lowest index, or the signal's reason
 */
export async function forEachBounded(
  from: number,
  to: number,
  inFlight: number,
  step: (index: number) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  let next = from;
  let failedAt = Number.POSITIVE_INFINITY;
  let failure: unknown;
  const work = async () => {
    while (next < to && failedAt === Number.POSITIVE_INFINITY && !signal?.aborted) {
      const index = next++;
      try {
        await step(index);
      } catch (thrown) {
        if (index < failedAt) {
          failedAt = index;
          failure = thrown;
        }
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, to - from) }, work));
  signal?.throwIfAborted();
  if (failedAt !== Number.POSITIVE_INFINITY) throw failure;
}

/**
 * Something that there is a limited amount of, shared in the order of asking. What asks for all or more waits until
 * nobody has any, and then goes alone.
 */
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

/**
 * What `work` comes to, or the signal's reason as soon as it is aborted; `work` itself goes on.
 * @throws what `work` throws, or the signal's reason
 */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
