/** Sweeps of a small model through a real server, and workers in this process. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { throughQueue } from '../../src/queue/coordinator.js';
import { serveQueue } from '../../src/queue/worker.js';
import { openPartRunner, type PartRunner } from '../../src/sweep/part-runner.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { sweep, sweepWith } from '../../src/sweep/sweep.js';
import { example } from '../fixtures.js';
import type { TestServer } from './redis-server.js';

export const model = await loadModel(example('resnet.onnx'));
export const layers = ['conv1', 'layer3.0.conv1', 'layer3.2.conv2', 'fc'];
export const open = () => openImages(example('images.npz'), { ...modelInput(model), images: 'all' });
const names = ['summary.json', 'summary.csv', 'results.csv', 'draws.csv', 'images.csv'];
export const bytesOf = (directory: string) =>
  names.map((name) => readFileSync(join(directory, name), 'utf8'));

/** Workers that end with the test; `wrap` may spoil what they compute. */
export function startWorkers(
  t: { teardown(end: () => Promise<void>): void },
  { server }: Pick<TestServer, 'server'>,
  options: SweepOptions,
  { count = 1, lockMs = 5000, idleMs = Infinity, wrap = (runner: PartRunner) => runner } = {},
) {
  const stop = new AbortController();
  const messages: string[] = [];
  const ended = Array.from({ length: count }, () =>
    serveQueue({
      ...{ server, lockMs, idleMs, signal: stop.signal },
      onMessage: (message) => messages.push(message),
      async open(_, signal) {
        const images = await open();
        const runner = wrap(await openPartRunner(model, images, { threads: 1, ...options, signal }));
        return { ...runner, close: () => runner.close().finally(() => images.close()) };
      },
    }).catch((error) => {
      if (!stop.signal.aborted) throw error;
    }),
  );
  const end = async () => {
    stop.abort();
    await Promise.all(ended);
  };
  t.teardown(end);
  return { messages, end, ended: Promise.all(ended) };
}

export async function through(
  { server }: Pick<TestServer, 'server'>,
  out: string,
  options: SweepOptions,
  messages: string[] = [],
  aloneMs?: number,
) {
  const images = await open();
  try {
    const onMessage = (message: string) => void messages.push(message);
    const computer = throughQueue({
      ...{ server, onMessage, job: {}, quietMs: 1000 },
      ...(aloneMs && { aloneMs }),
    });
    return await sweepWith(computer, model, images, { out, ...options });
  } finally {
    await images.close();
  }
}

export async function alone(out: string, options: SweepOptions) {
  const images = await open();
  await sweep(model, images, { out, ...options });
  await images.close();
}
