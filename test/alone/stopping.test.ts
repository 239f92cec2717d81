import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { resnet } from '../../src/architectures/resnet.js';
import {
  loadModel,
  type Model,
  modelInput,
  openImages,
  readRun,
  type SweepOptions,
  sweep,
} from '../../src/index.js';
import { outcome, start } from '../commands/critmap.js';
import { chunkImages, writeResnet50 } from '../resnet50.js';

/** Two seconds are aimed at; machines that run tests are slow and shared. */
const BOUND_MS = 6000;

const path = writeResnet50(t.testdir({}));
const model = await loadModel(path);
const directory = t.testdirName;
const reason = new Error('enough');

async function sweepOf(of: Model, images: number, options: SweepOptions) {
  const set = await openImages(`synthetic:${images}`, { ...modelInput(of), images });
  try {
    return await sweep(of, set, options);
  } finally {
    await set.close();
  }
}

/** Whole lines of JSON, as many as finished (cell, chunk)s. */
function journalOf(out: string): unknown[] {
  const text = readFileSync(join(out, 'cells.ndjson'), 'utf8');
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line is torn');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

for (const delayMs of [0, 700]) {
  t.test(`an abort ${delayMs} ms into a ResNet-50 sweep, in its set-up, ends it`, async (t) => {
    const out = join(directory, `set-up-${delayMs}`);
    const controller = new AbortController();
    const due = performance.now() + delayMs;
    const sweeping = sweepOf(model, 2 * chunkImages, { out, trials: 1, signal: controller.signal });
    setTimeout(() => controller.abort(reason), delayMs);
    await t.rejects(sweeping, reason);
    const elapsedMs = performance.now() - due;
    t.comment(`${elapsedMs.toFixed(0)} ms after the abort was due`);
    t.ok(elapsedMs < BOUND_MS, `${elapsedMs} ms`);
    if (existsSync(out)) {
      t.equal((await readRun(out)).info.status, 'interrupted');
      t.strictSame(journalOf(out), []);
    }
  });
}

for (const [where, delayMs] of [['in the middle of a chunk', 300]] as const) {
  t.test(`an abort ${where} of a ResNet-50 sweep ends it and keeps the finished chunk`, async (t) => {
    const out = join(directory, `chunk-${delayMs}`);
    const layers = ['layer4.2.*', 'fc'];
    const controller = new AbortController();
    let due = 0;
    let finished = 0;
    // What is finished has a layer; the second chunk's first images may be computed by then.
    const onProgress = ({ layer, cells }: { layer: string; cells: number }) => {
      if (!layer || ++finished !== cells) return;
      due = performance.now() + delayMs;
      setTimeout(() => controller.abort(reason), delayMs);
    };
    const { signal } = controller;
    await t.rejects(sweepOf(model, 2 * chunkImages, { out, layers, trials: 1, signal, onProgress }), reason);
    const elapsedMs = performance.now() - due;
    t.comment(`${elapsedMs.toFixed(0)} ms after the abort was due`);
    t.ok(elapsedMs < BOUND_MS, `${elapsedMs} ms`);
    const { info, summary } = await readRun(out);
    t.equal(info.status, 'interrupted');
    t.equal(journalOf(out).length, 5, 'one line for the original and one for each of four cells');
    for (const layer of summary.layers) t.equal(layer.images, chunkImages, layer.layer);
  });
}

t.test('a sweep that was stopped goes on and ends with the bytes of one that was not', async (t) => {
  const small = join(directory, 'small.onnx');
  writeFileSync(small, resnet({ size: 48, blocks: [1, 1], classes: 10, seed: 1 }));
  const of = await loadModel(small);
  // Chunks of 256 images.
  const go = (out: string, options: SweepOptions = {}) =>
    sweepOf(of, 300, { out, layers: ['layer2.*', 'fc'], trials: 1, ...options });
  const bytesOf = (out: string) => readFileSync(join(out, 'summary.json'), 'utf8');
  const whole = join(directory, 'whole');
  await go(whole);
  for (const [name, delayMs] of Object.entries({ 'set-up': null, between: 0, middle: 5 })) {
    const out = join(directory, name);
    const controller = new AbortController();
    if (delayMs === null) setTimeout(() => controller.abort(reason), 50);
    const onProgress = () => {
      if (delayMs !== null) setTimeout(() => controller.abort(reason), delayMs);
    };
    await t.rejects(go(out, { signal: controller.signal, onProgress }), reason, name);
    await go(out);
    t.equal(bytesOf(out), bytesOf(whole), name);
  }
});

for (const [where, sign] of [
  ['during set-up', 'run.json'],
  ['during inference', 'cells.ndjson'],
] as const) {
  t.test(`Ctrl-C ${where} ends the command with 130`, async (t) => {
    const out = join(directory, `ctrl-c-${sign}`);
    const images = ['--data', `synthetic:${2 * chunkImages}`, '--images', 'all'];
    const child = start('sweep', path, ...images, '--out', out, '--trials', '1', '--layers', 'fc', '--quiet');
    const ended = outcome(child);
    await written(join(out, sign));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const asked = performance.now();
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    const elapsedMs = performance.now() - asked;
    t.comment(`${elapsedMs.toFixed(0)} ms after the signal`);
    t.equal(code, 130, stderr);
    t.ok(elapsedMs < BOUND_MS, `${elapsedMs} ms`);
    t.equal((await readRun(out)).info.status, 'interrupted');
    t.equal(journalOf(out).length, sign === 'run.json' ? 0 : 2);
  });
}

/** Waits until a file has something in it. */
async function written(file: string): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (existsSync(file) && readFileSync(file, 'utf8') !== '') return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${file} was not written`);
}
