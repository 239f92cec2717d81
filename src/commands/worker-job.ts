/** A worker as a command runs it: until it is told to stop, or has nothing to do. */
import { z } from 'zod';
import { imageOptions } from '../images/options.js';
import type { OfferedSweep } from '../queue/messages.js';
import { serveQueue } from '../queue/worker.js';
import { type Folders, localWords } from '../request/local-words.js';
import { openSweep, type SweepWords } from '../request/open-sweep.js';
import { sweepOptions } from '../sweep/options.js';
import { openPartRunner, type PartRunner } from '../sweep/part-runner.js';
import { Interrupted, interruptible } from './interrupt.js';
import { ProgressLine } from './progress.js';
import { serverIn } from './queue-options.js';
import { shown } from './terminal.js';

export interface WorkerJob extends Folders {
  redis?: string | undefined;
  threads?: number | undefined;
  idle?: number | undefined;
  lock: number;
}

const texts = z.array(z.string());
/** What came through the queue is taken for no more than words. */
const wordsSchema = z.object({
  ...{ arch: z.string(), model: z.string(), name: z.string(), input: z.string(), output: z.string() },
  ...{
    weights: texts,
    rename: texts,
    resets: texts,
    initFrom: texts,
    allowPartial: z.boolean(),
    data: z.string(),
  },
  ...{ classes: z.number(), channels: z.number(), size: z.number() },
  imageChoices: z.object(imageOptions).partial(),
  sweepChoices: z.object(sweepOptions).partial(),
});
const offeredSchema = wordsSchema.partial().required({ data: true, imageChoices: true, sweepChoices: true });

export async function runWorker(job: WorkerJob): Promise<void> {
  const { idle, lock } = job;
  const server = serverIn(job);
  const onMessage = (message: string) => void process.stderr.write(`${shown([message]).join('')}\n`);
  await interruptible(async (signal) => {
    const open = (offer: OfferedSweep, signal: AbortSignal) => openOffered(offer, job, signal);
    const idleMs = idle === undefined ? undefined : 1000 * idle;
    try {
      await serveQueue({ server, open, onMessage, signal, idleMs, lockMs: 1000 * lock });
    } catch (error) {
      if (signal.aborted && error === signal.reason) throw new Interrupted('worker stopped; others go on');
      throw error;
    }
  });
}

/** A runner that closes its images too. */
async function openOffered(offer: OfferedSweep, job: WorkerJob, signal: AbortSignal): Promise<PartRunner> {
  const words = localWords(offeredSchema.parse(offer.job) as SweepWords, job);
  const line = new ProgressLine(false);
  const { model, images, options } = await openSweep(
    words,
    signal,
    () => {},
    undefined,
    (progress) => line.fetched(progress),
  ).finally(() => line.clear());
  // The words of resets are their names in the results, wherever their files are.
  const labels = offer.identity.options.reset as readonly string[];
  const resets = options.resets?.map((reset, i) => ({ ...reset, label: labels[i] ?? reset.label }));
  const threads = job.threads === undefined ? {} : { threads: job.threads };
  try {
    const runner = await openPartRunner(model, images, {
      ...options,
      ...threads,
      ...(resets && { resets }),
      signal,
    });
    return { ...runner, close: () => runner.close().finally(() => images.close()) };
  } catch (error) {
    await images.close();
    throw error;
  }
}
