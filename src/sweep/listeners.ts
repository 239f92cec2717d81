/**
 * Who is told how something goes only looks on: what a listener throws keeps nothing from its end, and is thrown there. Some are
 * called from timers, where it would end the process.
 */
import { types } from 'node:util';

export class Listeners {
  #thrown: { error: unknown } | null = null;

  /** The same listener, which throws nothing now; one that is async rejects nothing. */
  guard<A extends unknown[]>(listener: (...args: A) => unknown): (...args: A) => void {
    const keep = (error: unknown) => {
      this.#thrown ??= { error };
    };
    return (...args) => {
      try {
        const told = listener(...args);
        if (types.isPromise(told)) told.catch(keep);
      } catch (error) {
        keep(error);
      }
    };
  }

  /** Some options with their listeners guarded. */
  guarded<T extends { onProgress?: unknown; onWarning?: unknown }>(options: T): T {
    const { onProgress, onWarning } = options;
    return {
      ...options,
      ...(typeof onProgress === 'function' && { onProgress: this.guard(onProgress as () => unknown) }),
      ...(typeof onWarning === 'function' && { onWarning: this.guard(onWarning as () => unknown) }),
    };
  }

  /** @throws what the first of them threw */
  rethrow(): void {
    if (this.#thrown) throw this.#thrown.error;
  }
}
