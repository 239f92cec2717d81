/** A loop over an index range with a bounded number of asynchronous steps in flight. */

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
