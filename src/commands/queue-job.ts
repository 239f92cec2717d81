/** A sweep through a queue as a command does it, and the queue's state for people. */
import { throughQueue } from '../queue/coordinator.js';
import { queueStatus, type SweepStatus } from '../queue/status.js';
import { offeredWords } from '../request/local-words.js';
import { serverIn } from './queue-options.js';
import { runSweep } from './sweep-job.js';
import { sweepJobOf } from './sweep-options.js';
import { json, print, shown } from './terminal.js';

/** @throws what a sweep throws; CritmapError (ERR_QUEUE) for the server and for parts that fail again and again */
export async function runQueue(argv: Record<string, unknown>): Promise<void> {
  const server = serverIn(argv as { redis?: string });
  const job = await sweepJobOf(argv);
  const words = offeredWords(job);
  await runSweep(job, (listener) => {
    const onMessage = (message: string) => {
      const [, warning] = /^warning: (.*)$/s.exec(message) ?? [];
      if (warning === undefined) listener.note(message);
      else listener.warn(warning);
    };
    return throughQueue({ server, job: words, onMessage });
  });
}

export async function showStatus(argv: { redis?: string | undefined; json: boolean }): Promise<void> {
  const server = serverIn(argv);
  const sweeps = await queueStatus(server);
  print(argv.json ? json(sweeps, 1) : `${statusText(sweeps, server.place)}\n`);
}

function statusText(sweeps: readonly SweepStatus[], place: string): string {
  if (sweeps.length === 0) return `no sweep is in the queue at ${place}`;
  return sweeps.map((sweep) => shown(linesOf(sweep)).join('\n')).join('\n\n');
}

function linesOf({
  name,
  layers,
  images,
  done,
  total,
  waiting,
  active,
  parked,
  workers,
}: SweepStatus): string[] {
  const number = (value: number) => value.toLocaleString('en');
  const share = total > 0 ? Math.floor((100 * done) / total) : 0;
  return [
    `${name}  ${layers} layers, ${number(images)} images`,
    `  done     ${share} %, ${number(done)} of ${number(total)} passes`,
    `  jobs     ${number(waiting)} waiting, ${number(active)} being computed`,
    `  workers  ${workers.length > 0 ? workers.join(', ') : 'none: start some with critmap worker'}`,
    ...parked.map(({ job, why }) => `  parked   ${job}: ${why}`),
  ];
}
