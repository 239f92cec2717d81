import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { native } from '../../src/native/addon.js';

const addon = native();
const file = fileURLToPath(new URL('./thread.mjs', import.meta.url));
const path =
  process.env.CRITMAP_ADDON ?? fileURLToPath(new URL('../../build/Release/critmap.node', import.meta.url));
const start = (task: string) => new Worker(file, { workerData: { path, task }, execArgv: [] });

t.test('a worker thread computes what the main thread does', async (t) => {
  const expected = new Float32Array(1000);
  addon.reset(expected, { kind: 'normal', mean: 0, std: 1, key: 9n });
  const runs = Array.from({ length: 4 }, async () => {
    const worker = start('normal');
    const [[values], [code]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
    t.strictSame(values, expected);
    t.equal(code, 0);
  });
  await Promise.all(runs);
});

t.test('the code path is chosen per thread', async (t) => {
  const worker = start('baseline');
  const [[path]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
  t.equal(path, 'baseline');
  t.equal(addon.info().path, addon.info().paths[0]);
});

t.test('a thread that ends with work under way does not hurt', async (t) => {
  for (let i = 0; i < 6; i++) {
    const worker = start('exit');
    t.equal((await once(worker, 'exit'))[0], 3);
  }
});

t.test('a thread that is terminated with work under way does not hurt', async (t) => {
  for (let i = 0; i < 10; i++) {
    const worker = start('busy');
    await once(worker, 'message');
    await new Promise((resolve) => setTimeout(resolve, i * 2));
    t.equal(await worker.terminate(), 1);
  }
  const values = new Float32Array(10);
  await addon.resetAsync(values, { kind: 'constant', value: 1 });
  t.strictSame(values, new Float32Array(10).fill(1), 'the main thread still works');
});
