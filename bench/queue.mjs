/**
 * What a job of the queue costs besides its computing: a sweep through a real Redis on loopback whose worker has every
 * answer ready. Then the published study on 1 to 256 workers, event by event, with that cost and the plan's.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { resnet } from '../dist/architectures/resnet.js';
import { openImages } from '../dist/images/index.js';
import { modelInput } from '../dist/model/input.js';
import { loadModel } from '../dist/model/load.js';
import { throughQueue } from '../dist/queue/coordinator.js';
import { jobsOf } from '../dist/queue/jobs.js';
import { serverOf } from '../dist/queue/server.js';
import { serveQueue } from '../dist/queue/worker.js';
import { openPartRunner } from '../dist/sweep/part-runner.js';
import { withDefaults } from '../dist/sweep/settings.js';
import { costsOf } from '../dist/sweep/shard-costs.js';
import { sweepWith } from '../dist/sweep/sweep.js';
import { temporaryFolder, writePixels } from './material.mjs';
import { fashion } from './sweep.mjs';
import { spread, timed } from './wall.mjs';

/** One layer over so many images: 256 jobs of one chunk each. */
const IMAGES = 65_536;
const ASKED = { layers: ['fc'] };
/** Of the published study. */
const STUDY = { models: 50, trials: 3, images: 10_000, chunk: 32 };
/** A worker's multiply-accumulates a second and seconds to open a model: two cores on ResNet-50 (`bench sweep resnet-50`). */
const SPEED = 9e10;
const SET_UP = 2.5;
const WORKERS = [1, 4, 16, 64, 256];

export const queueCases = () => ({ queue });

async function queue({ rounds = 5 }) {
  const folder = temporaryFolder();
  const model = await loadModel(fashion('resnet.onnx'));
  const data = join(folder, 'images.npy');
  const { height, width } = modelInput(model).shape;
  await writePixels(data, noise(IMAGES * height * width), { height, width });
  const images = await openImages(data, { ...modelInput(model), images: 'all', labels: 'none' });
  const runner = await openPartRunner(model, images, ASKED);
  const answers = await answersOf(runner, images.count);
  const redis = await startRedis(join(folder, 'redis'));
  const stop = new AbortController();
  let jobs = 0;
  const run = async ({ targets, from, to }, take) => {
    jobs++;
    for (let chunk = from; chunk < to; chunk++) {
      take(answers.get(`${chunk}`));
      for (const { layer, reset } of targets) take(answers.get(`${chunk} ${layer} ${reset}`));
    }
  };
  const worker = serveQueue({
    server: redis.server,
    open: async () => ({ ...runner, run, async close() {} }),
    onMessage() {},
    signal: stop.signal,
  });
  worker.catch(() => {});
  const milliseconds = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const computer = throughQueue({ server: redis.server, job: {}, onMessage() {} });
      const through = () =>
        sweepWith(computer, model, images, { ...ASKED, out: join(folder, `run-${round}`) });
      // The same without a queue: planning, proofs, journal and results.
      const direct = (_, record) => addAll(answers, record);
      const alone = () => sweepWith(direct, model, images, { ...ASKED, out: join(folder, `alone-${round}`) });
      const before = jobs;
      const [with_, without] = [await timed(through), await timed(alone)];
      milliseconds.push((1000 * (with_.seconds - without.seconds)) / (jobs - before));
    }
  } finally {
    stop.abort();
    await worker.catch(() => {});
    await redis.end();
    await runner.close();
    await images.close();
  }
  const overhead = spread(milliseconds);
  const study = await simulateStudy(folder, overhead.median / 1000);
  const result = { jobs: jobs / rounds, overheadMs: overhead, study };
  return { result, text: textOf(result) };
}

/** Every line of the sweep, by chunk and target. */
async function answersOf(runner, images) {
  const answers = new Map();
  const take = (line) =>
    answers.set(
      line.type === 'original' ? `${line.chunk}` : `${line.chunk} ${line.layer} ${line.reset}`,
      line,
    );
  const chunks = Math.ceil(images / 256);
  await runner.run({ targets: runner.targets, from: 0, to: chunks }, take, new AbortController().signal);
  return answers;
}

async function addAll(answers, record) {
  await record.computes('runtime');
  await Promise.all([...answers.values()].map((line) => record.add(line)));
  await record.flush();
}

/** Hours and efficiency by number of workers. */
async function simulateStudy(folder, overhead) {
  const { models, trials, images, chunk } = STUDY;
  const graph = join(folder, 'resnet50.onnx');
  await writeFile(graph, resnet());
  const model = await loadModel(graph);
  const shape = modelInput(model).shape;
  const { forward, layers } = await costsOf(
    model,
    { shape },
    withDefaults({ trials }, { shape }),
    model.layers,
  );
  const costs = { forward, targets: layers.map((macs) => trials * macs) };
  const targets = layers.map((_, i) => i);
  const lacking = Array.from({ length: Math.ceil(images / chunk) }, (_, index) => ({
    ...{ index, targets },
    images: Math.min(chunk, images - index * chunk),
  }));
  const seconds = jobsOf(lacking, costs, false).map(({ cost }) => cost / SPEED + overhead);
  const alone =
    lacking.reduce((sum, one) => sum + one.images, 0) * costs.targets.reduce((a, b) => a + b, costs.forward);
  const useful = (models * alone) / SPEED;
  return WORKERS.map((workers) => {
    const makespan = simulate(models, seconds, workers);
    return {
      workers,
      hours: makespan / 3600,
      efficiency: useful / (workers * makespan),
      jobs: seconds.length,
    };
  });
}

/** Each worker takes the next job of its model; when there is none, it opens the next model that has some. */
function simulate(models, seconds, workers) {
  const left = Array.from({ length: models }, () => 0);
  const free = Array.from({ length: workers }, () => ({ at: 0, model: -1 }));
  let end = 0;
  for (let first = 0; first < models; ) {
    const worker = free.reduce((least, one) => (one.at < least.at ? one : least));
    if (worker.model < first || left[worker.model] >= seconds.length) {
      worker.model = first;
      worker.at += SET_UP;
    }
    worker.at += seconds[left[worker.model]++];
    end = Math.max(end, worker.at);
    while (first < models && left[first] >= seconds.length) first++;
  }
  return end;
}

function noise(length) {
  const pixels = new Uint8Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    pixels[i] = state >>> 24;
  }
  return pixels;
}

async function startRedis(folder) {
  mkdirSync(folder);
  const port = await new Promise((resolve) => {
    const listener = createServer().listen(0, '127.0.0.1', () => {
      const { port } = listener.address();
      listener.close(() => resolve(port));
    });
  });
  const options = [
    '--port',
    port,
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'yes',
  ];
  const child = spawn('redis-server', options.map(String), { stdio: 'ignore' });
  child.on('error', () => {});
  await setTimeout(500);
  if (child.exitCode !== null || child.pid === undefined)
    throw new Error('redis-server could not be started');
  return {
    server: serverOf(`redis://127.0.0.1:${port}`, {}),
    end: () => new Promise((resolve) => child.once('exit', resolve) && child.kill()),
  };
}

function textOf({ jobs, overheadMs, study }) {
  const { median, low, high } = overheadMs;
  return [
    `${jobs} jobs a sweep through a real Redis: ${median.toFixed(1)} ms a job besides computing (${low.toFixed(1)} - ${high.toFixed(1)})`,
    `the published study, ${STUDY.models} models in ${study[0].jobs} jobs each, simulated:`,
    ...study.map(
      ({ workers, hours, efficiency }) =>
        `  ${String(workers).padStart(3)} workers  ${hours.toFixed(1).padStart(6)} h  efficiency ${(100 * efficiency).toFixed(1)} %`,
    ),
  ].join('\n');
}
