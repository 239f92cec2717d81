// Lowers this process's own memory limit, then asks for more: node memory.mjs ADDON. Prints what came of it.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const addon = createRequire(import.meta.url)(process.argv[2]);
const values = new Float32Array(1 << 24);
const settle = (error) => (error.code ? `${error} (${error.code})` : String(error));
const attempt = (call) => {
  try {
    call();
    return 'worked';
  } catch (error) {
    return settle(error);
  }
};

const used = Number(/VmData:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
spawnSync('prlimit', ['--pid', String(process.pid), `--data=${used + 120 * 2 ** 20}`]);

const rule = { kind: 'shuffle', key: 1n };
console.log(
  JSON.stringify({
    shuffle: attempt(() => addon.reset(values, rule)),
    shuffleAsync: await addon.resetAsync(values, rule).then(() => 'worked', settle),
    compare: attempt(() => addon.compare(values, values, 1)),
    afterwards: attempt(() => addon.reset(values, { kind: 'constant', value: 1 })),
  }),
);
