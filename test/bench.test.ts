import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { native } from '../src/native/addon.js';

const bench = fileURLToPath(new URL('../bench/index.mjs', import.meta.url));
const run = (...words: string[]) => spawnSync(process.execPath, [bench, ...words], { encoding: 'utf8' });
const { devices } = native().cuda();

t.test(
  'the gpu case says in one line why it cannot measure',
  { skip: devices.length > 0 && 'there is a card' },
  async (t) => {
    const { status, stderr } = run('gpu');
    t.equal(status, 77);
    t.match(stderr, /^gpu: not measured: --device cuda: .*--device cpu\.\n$/);
  },
);

t.test('the gpu case refuses what it cannot be asked for', async (t) => {
  t.match(run('gpu', '--device', 'tpu'), { status: 2, stderr: /^gpu: not measured: --device tpu: .*\n$/ });
  t.match(run('gpu', '--device', 'cpu', '--precision', 'tf32'), {
    status: 2,
    stderr: /the processor computes in fp32/,
  });
});

t.test('the gpu case tells near ties from other predictions', async (t) => {
  const { compare } = (await import(new URL('../bench/gpu-agreement.mjs', import.meta.url).href)) as {
    compare(a: Table, b: { logits: Float32Array }): { farthest: number; others: number; ties: number };
  };
  interface Table {
    logits: Float32Array;
    classes: number;
  }
  const table = (...logits: number[]) => ({ logits: Float32Array.from(logits), classes: 2 });
  t.match(compare(table(1, 0, 0, 2), table(1, 0, 0, 2)), { farthest: 0, others: 0, ties: 0 });
  t.match(compare(table(4, 3.998), table(3.998, 4)), { others: 0, ties: 1 });
  const apart = compare(table(4, 3.9, 1, 0), table(3.9, 4, 1, 0));
  t.match(apart, { others: 1, ties: 0 });
  t.ok(Math.abs(apart.farthest - 0.025) < 1e-6);
  const nan = Number.NaN;
  t.equal(compare(table(nan, 1), table(nan, 1)).farthest, 0);
  t.equal(compare(table(nan, 1), table(0, 1)).farthest, Number.POSITIVE_INFINITY);
});
