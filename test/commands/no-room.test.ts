/** A real file system that is full or read-only, and a real limit of files' sizes: one line, and the command goes on later. */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { example } from '../fixtures.js';
import { critmap, outcome } from './critmap.js';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const dir = t.testdir({ small: {}, whole: {} });
const small = join(dir, 'small');
const names = ['summary.json', 'summary.csv', 'results.csv', 'draws.csv', 'images.csv'];
const bytesOf = (out: string) => names.map((name) => readFileSync(join(out, name), 'utf8'));
const words = (out: string) => [
  ...['sweep', example('resnet.onnx'), '--data', example('images.npz'), '--images', 'all'],
  ...['--layers', 'conv1,fc', '--quiet', '--out', out],
];

const whole = await critmap(...words(join(dir, 'whole')));
t.equal(whole.code, 0, whole.stderr);
const expected = bytesOf(join(dir, 'whole'));

const mount = (...options: string[]) => spawnSync('mount', ['-t', 'tmpfs', ...options, 'tmpfs', small]);
const unmount = () => spawnSync('umount', ['-l', small]);
const canMount = process.getuid?.() === 0 && mount('-o', 'size=64k').status === 0;
if (canMount) unmount();
const skip = canMount ? false : 'no file system may be mounted here';

function isOneLine(t: Test, stderr: string, wanted: RegExp): void {
  t.match(stderr, wanted);
  t.equal(stderr.trimEnd().split('\n').length, 1, stderr);
}

t.test('a tmpfs that fills', { skip }, async (t) => {
  // The images' list, the journal and the results do not fit in turn.
  for (const size of [24, 220]) {
    t.equal(mount('-o', `size=${size}k`).status, 0);
    const out = join(small, 'run');
    try {
      const full = await critmap(...words(out));
      t.equal(full.code, 1, `${size} kB`);
      isOneLine(
        t,
        full.stderr,
        /^critmap: cannot write .*: the disk is full; make room and repeat the command\n$/,
      );
      t.equal(mount('-o', 'remount,size=10m').status, 0);
      t.equal((await critmap(...words(out))).code, 0);
      t.strictSame(bytesOf(out), expected, `${size} kB`);
    } finally {
      unmount();
    }
  }
});

t.test('a directory that is read-only', { skip }, async (t) => {
  t.equal(mount('-o', 'size=10m').status, 0);
  try {
    const out = join(small, 'run');
    // As of a sweep that was stopped: with half of its journal.
    mkdirSync(out);
    for (const name of ['run.json', 'images.csv']) cpSync(join(dir, 'whole', name), join(out, name));
    t.equal(mount('-o', 'remount,ro').status, 0);
    const { code, stderr } = await critmap(...words(out));
    t.equal(code, 1);
    isOneLine(t, stderr, /^critmap: cannot write .*: the file system is read-only/);
    t.equal(mount('-o', 'remount,rw').status, 0);
    t.equal((await critmap(...words(out))).code, 0);
    t.strictSame(bytesOf(out), expected);
  } finally {
    unmount();
  }
});

t.test('ulimit -f', async (t) => {
  // tap's own options of Node.js end a process by the signal that Node.js ignores.
  for (const blocks of [90]) {
    const out = join(dir, `limit-${blocks}`);
    const limited = await outcome(
      spawn(
        'bash',
        [
          '-c',
          `unset NODE_OPTIONS; ulimit -f ${blocks}; exec "$@"`,
          'bash',
          process.execPath,
          cli,
          ...words(out),
        ],
        {
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      ),
    );
    t.equal(limited.code, 1, `${blocks} kB`);
    isOneLine(t, limited.stderr, /^critmap: .*files may not become that large here.*ulimit -f/);
    t.equal((await critmap(...words(out))).code, 0);
    t.strictSame(bytesOf(out), expected);
  }
});
