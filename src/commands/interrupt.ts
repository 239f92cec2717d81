/** Ctrl-C: the first asks the work to stop and keep what is finished, the second stops at once. */

/** Thrown by a command that was interrupted; its message says what was kept and how to go on. */
export class Interrupted extends Error {}

const signals = ['SIGINT', 'SIGTERM'] as const;

/** Runs `work` with a signal that Ctrl-C aborts. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(130);
    process.stderr.write('\nstopping; what is finished is kept (again to stop at once)\n');
    controller.abort();
  };
  for (const name of signals) process.on(name, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of signals) process.off(name, onSignal);
  }
}
