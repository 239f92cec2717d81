import { readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { markFailed } from '../../src/run/mark-failed.js';
import { readRun } from '../../src/run/read-run.js';
import type { SweepOptions } from '../../src/sweep/settings.js';
import { sweep } from '../../src/sweep/sweep.js';
import { fixture } from '../fixtures.js';

const model = await loadModel(fixture('mlp.onnx'));

async function go(out: string, options: SweepOptions = {}) {
  const images = await openImages('synthetic:600', { ...modelInput(model), images: 'all' });
  try {
    return await sweep(model, images, { out, threads: 1, ...options });
  } finally {
    await images.close();
  }
}

t.test('with force a sweep starts over, and the old run stays whole beside it', async (t) => {
  const dir = t.testdir({});
  const out = join(dir, 'run');
  await go(out, { seed: 1 });
  const before = readFileSync(join(out, 'summary.json'), 'utf8');
  await t.rejects(go(out, { seed: 2 }), { code: 'ERR_RUN', message: /seed 1, now 2/ });
  await go(out, { seed: 2, force: true });
  const [old, ...others] = readdirSync(dir).filter((name) => name.startsWith('run.old-'));
  t.strictSame(others, []);
  t.equal(readFileSync(join(dir, old!, 'summary.json'), 'utf8'), before);
  t.equal((await readRun(join(dir, old!))).info.options.seed, 1);
  t.equal((await readRun(out)).info.options.seed, 2);
  await go(out, { seed: 2, force: true });
  t.equal(readdirSync(dir).length, 3, 'each time');
  await go(join(dir, 'new'), { force: true });
  t.equal(readdirSync(dir).length, 4, 'where there is none there is nothing to keep');
});

t.test('a directory that goes while a sweep writes to it ends the sweep in one error', async (t) => {
  const dir = t.testdir({});
  const out = join(dir, 'run');
  let moved = false;
  const onProgress = () => {
    if (!moved) renameSync(out, join(dir, 'elsewhere'));
    moved = true;
  };
  await t.rejects(go(out, { onProgress }), { code: 'ERR_RUN' });
  t.ok(moved);
  renameSync(join(dir, 'elsewhere'), out);
  await go(out);
  await go(join(dir, 'whole'));
  const [again, whole] = [out, join(dir, 'whole')].map((place) =>
    readFileSync(join(place, 'summary.json'), 'utf8'),
  );
  t.equal(again, whole, 'nothing is lost');
});

t.test('a run is marked as failed in its place, as long as it is running', async (t) => {
  const dir = t.testdir({ 'run.json': '{\n "status": "running",\n "seconds": 1\n}\n' });
  const path = join(dir, 'run.json');
  await markFailed(path);
  t.strictSame(JSON.parse(readFileSync(path, 'utf8')), { status: 'failed', seconds: 1 });
  const marked = readFileSync(path, 'utf8');
  await markFailed(path);
  t.equal(readFileSync(path, 'utf8'), marked);
});
