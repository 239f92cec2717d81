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
