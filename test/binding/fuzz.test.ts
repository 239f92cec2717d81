import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const child = fileURLToPath(new URL('./fuzz.mjs', import.meta.url));
const path =
  process.env.CRITMAP_ADDON ?? fileURLToPath(new URL('../../build/Release/critmap.node', import.meta.url));

t.test('thousands of calls with junk never end the process', async (t) => {
  for (const seed of ['1', '2', '3']) {
    const run = spawnSync(process.execPath, ['--expose-gc', child, path, seed, '6000'], {
      encoding: 'utf8',
      timeout: 240_000,
    });
    t.equal(run.status, 0, `seed ${seed}: signal ${run.signal} ${run.stderr.slice(-2000)}`);
    const counts = JSON.parse(run.stdout) as { returned: number; threw: number; strange: string[] };
    t.ok(counts.returned > 200 && counts.threw > 1000, JSON.stringify(counts));
    t.strictSame(counts.strange, [], 'only TypeError, RangeError, what getters threw and what a card says');
  }
});
