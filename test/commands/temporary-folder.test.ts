/** Where temporary files can be decides no number. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { example } from '../fixtures.js';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const skip = process.platform === 'linux' ? false : 'elsewhere a folder is needed';

function sweep(out: string, env: NodeJS.ProcessEnv, limit = 'unlimited') {
  const model = [example('resnet.onnx'), '--data', example('images.npz'), '--layers', 'fc'];
  const args = [
    cli,
    'sweep',
    ...model,
    '--images',
    '8',
    '--trials',
    '1',
    '--cache',
    'off',
    '--quiet',
    '--out',
    out,
  ];
  // Without what tap adds to child processes, which ends them on the limit's signal.
  return spawnSync(
    'sh',
    ['-c', `unset NODE_OPTIONS; ulimit -f ${limit}; exec "$@"`, 'sh', process.execPath, ...args],
    {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    },
  );
}

const summary = (out: string) => readFileSync(join(out, 'summary.json'), 'utf8');

t.test('a sweep without a temporary folder gives the bytes of one with', { skip }, async (t) => {
  const folder = t.testdir({});
  const [whole, without] = [join(folder, 'whole'), join(folder, 'without')];
  t.equal(sweep(whole, {}).status, 0);
  const { status, stderr } = sweep(without, { TMPDIR: '/no/such/folder' });
  t.equal(status, 0, stderr);
  t.equal(summary(without), summary(whole));
});

t.test('where files may not become as large as the model a sweep ends with one line', { skip }, async (t) => {
  const out = join(t.testdir({}), 'run');
  // In blocks of 512 bytes; the model has 580 KB, the run's own files less.
  const { status, stderr } = sweep(out, {}, '300');
  t.equal(status, 1);
  t.match(stderr, /^critmap: .*resnet\.onnx: .*could not be kept for a moment .*ulimit -f.*\n$/);
  t.equal(stderr.trim().split('\n').length, 1);
  t.equal(sweep(out, {}).status, 0, 'and goes on when there is room');
});
