/** What a sweep on the processor holds in memory, and how many threads that leaves room for. Pure. */
import type { OnnxFile } from '../onnx/file.js';

/** What ONNX Runtime, Node.js and the code take, measured on a sweep of ResNet-50. */
const RUNTIME_BYTES = 150 * 2 ** 20;

export interface Held {
  /** Whatever the number of threads: the program, the file as read and the runtime's weights. */
  fixed: number;
  /** Of each thread: its tensors, and as much again for what lives inside a node. */
  perThread: number;
}

/** @param workerBytes - of one thread's tensors, by the plan */
export function heldBytes({ graph }: Pick<OnnxFile, 'graph'>, workerBytes: number): Held {
  const weights = graph.initializer.reduce((sum, { rawData }) => sum + rawData.byteLength, 0);
  return { fixed: RUNTIME_BYTES + 2 * weights, perThread: 2 * workerBytes };
}

/** As many threads as are wanted, or fewer where so many bytes have no room for them: a job would be ended for it. */
export function fittingThreads({ fixed, perThread }: Held, bytes: number, wanted: number): number {
  const fitting = perThread > 0 ? Math.floor((bytes - fixed) / perThread) : wanted;
  return Math.max(1, Math.min(wanted, fitting));
}
