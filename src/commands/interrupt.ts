/**
 * Ctrl-C and what else asks a process to end: the first time asks the work to stop and keep what is finished, the second
 * time ends the process at once.
 */
import { constants } from 'node:os';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type Signal = (typeof signals)[number];

/** Thrown by a command that was interrupted; its message says what was kept and how to go on. */
export class Interrupted extends Error {
  /** As shells have it: 130 after Ctrl-C, 143 after SIGTERM, 129 after the terminal was closed. */
  exitCode = exitCodeOf('SIGINT');
}

const exitCodeOf = (signal: Signal) => 128 + constants.signals[signal];

/** Runs `work` with a signal that Ctrl-C aborts. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let received: Signal = 'SIGINT';
  const stopListening = () => {
    for (const name of signals) process.off(name, onSignal);
  };
  const onSignal = (name: Signal) => {
    received = name;
    // From here on the system ends the process, whatever that is doing: exit() would wait for threads.
    stopListening();
    process.stderr.write('\nstopping; what is finished is kept (again to stop at once)\n');
    controller.abort();
  };
  for (const name of signals) process.on(name, onSignal);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (error instanceof Interrupted) error.exitCode = exitCodeOf(received);
    throw error;
  } finally {
    stopListening();
  }
}
