/** What a sweep that is killed leaves: what is finished, and nothing that the next start does not remove. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { isTemporary } from '../../src/files/replace.js';
import { example } from '../fixtures.js';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const skip = process.platform === 'linux' ? false : 'elsewhere a folder is needed while a model is planned';

t.test(
  'kills at any time leave the temporary folder empty and the run as good as new',
  { skip },
  async (t) => {
    const dir = t.testdir({ tmp: {} });
    const env = { ...process.env, TMPDIR: join(dir, 'tmp'), XDG_CACHE_HOME: join(dir, 'cache') };
    const start = (out: string) =>
      spawn(
        process.execPath,
        [
          ...[cli, 'sweep', example('resnet.onnx'), '--data', example('images.npz'), '--images', '512'],
          ...['--trials', '1', '--quiet', '--out', join(dir, out)],
        ],
        { env, stdio: 'ignore' },
      );
    const [whole] = await once(start('whole'), 'exit');
    t.equal(whole, 0);
    for (let i = 0; i < 12; i++) {
      const child = start('run');
      const ended = once(child, 'exit');
      await setTimeout(150 + 150 * i);
      child.kill('SIGKILL');
      await ended;
      t.strictSame(readdirSync(join(dir, 'tmp')), [], `after the kill of start ${i}`);
    }
    mkdirSync(join(dir, 'run'), { recursive: true });
    const [code] = await once(start('run'), 'exit');
    t.equal(code, 0);
    t.strictSame(readdirSync(join(dir, 'run')).filter(isTemporary), []);
    t.strictSame(readdirSync(join(dir, 'run')).sort(), readdirSync(join(dir, 'whole')).sort());
    const summary = (run: string) => readFileSync(join(dir, run, 'summary.json'), 'utf8');
    t.equal(summary('run'), summary('whole'));
  },
);
