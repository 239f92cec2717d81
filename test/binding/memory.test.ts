import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const child = fileURLToPath(new URL('./memory.mjs', import.meta.url));
const path =
  process.env.CRITMAP_ADDON ?? fileURLToPath(new URL('../../build/Release/critmap.node', import.meta.url));
const unlimited = spawnSync('prlimit', ['--version']).error ? 'prlimit is not on PATH (Linux only)' : false;

t.test(
  'what cannot be allocated is a RangeError, not the end of the process',
  { skip: unlimited },
  async (t) => {
    const run = spawnSync(process.execPath, [child, path], { encoding: 'utf8' });
    t.equal(run.status, 0, run.stderr.slice(-2000));
    t.strictSame(JSON.parse(run.stdout), {
      shuffle: 'RangeError: not enough memory for this call (ERR_MEMORY)',
      shuffleAsync: 'RangeError: not enough memory for this call (ERR_MEMORY)',
      compare: 'RangeError: Array buffer allocation failed',
      afterwards: 'worked',
    });
  },
);
