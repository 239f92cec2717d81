/** Sweeps in worker threads, and threads and processes that end in the middle of one. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { loadModel, modelInput, openImages, type Summary, sweep } from '../../src/index.js';
import { chunkImages, writeResnet50 } from '../resnet50.js';

/** Runs the built package, as command-line tests do: a thread knows nothing of tap's TypeScript. */
const file = fileURLToPath(new URL('./sweeping-thread.mjs', import.meta.url));
const path = writeResnet50(t.testdir({}));
const options = { layers: ['layer4.2.conv2', 'fc'], trials: 1, threads: 2 };
/** Two chunks: progress tells that the second one is being worked on. */
const long = { path, images: 2 * chunkImages, options };
const short = { path, images: 8, options };

type Stage = 'set-up' | 'inference' | 'end';
interface Message {
  stage: Stage;
  summary?: Summary;
}

function start(workerData: object) {
  const worker = new Worker(file, { workerData, execArgv: [] });
  const reached = (stage: Stage) =>
    new Promise<Message>((resolve, reject) => {
      worker.on('message', (message: Message) => message.stage === stage && resolve(message));
      worker.on('error', reject);
      worker.on('exit', (code) => reject(new Error(`the thread ended with ${code} before ${stage}`)));
    });
  return { worker, reached };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let fromThread: Summary | undefined;

t.test('a worker thread sweeps a ResNet-50 to its end', async (t) => {
  const { worker, reached } = start(short);
  const ended = once(worker, 'exit');
  fromThread = (await reached('end')).summary;
  t.equal(fromThread?.layers.length, 2);
  t.strictSame(await ended, [0]);
});

for (const [stage, delays] of [
  ['set-up', [50, 1000]],
  ['inference', [300]],
] as const) {
  for (const delayMs of delays) {
    t.test(`a thread that is terminated ${delayMs} ms into ${stage} does not hurt`, async (t) => {
      const { worker, reached } = start(long);
      await reached(stage);
      await pause(delayMs);
      const asked = performance.now();
      t.equal(await worker.terminate(), 1);
      t.comment(`ended after ${(performance.now() - asked).toFixed(0)} ms`);
    });
  }
}

t.test(
  'after that the main thread gives the numbers of the thread and of the reference engine',
  async (t) => {
    const model = await loadModel(path);
    const images = await openImages('synthetic:8', { ...modelInput(model), images: 8 });
    const { summary, draws } = await sweep(model, images, options);
    t.strictSame(JSON.parse(JSON.stringify(summary)), fromThread);
    const reference = await sweep(model, images, { ...options, engine: 'reference' });
    await images.close();
    for (const [i, { layer, agreementCount, cosine }] of draws.entries()) {
      const expected = reference.draws[i];
      t.equal(agreementCount, expected?.agreementCount, layer);
      t.ok(Math.abs((cosine ?? 0) - (expected?.cosine ?? 1)) < 1e-5, layer);
    }
  },
);

for (const [exitAt, exitAfterMs] of [
  ['set-up', 1500],
  ['inference', 300],
] as const) {
  t.test(`process.exit(0) ${exitAfterMs} ms into ${exitAt} ends the process with 0`, async (t) => {
    const task = JSON.stringify({ ...long, exitAt, exitAfterMs });
    const child = spawn(process.execPath, [file, task], { stdio: ['ignore', 'inherit', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += text));
    t.strictSame(await once(child, 'close'), [0, null], stderr);
    t.equal(stderr, '');
  });
}
