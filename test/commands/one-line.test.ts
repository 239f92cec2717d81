/** Whatever fails, the command ends with one line; CRITMAP_DEBUG=1 shows where it came from. */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { resnet } from '../../src/architectures/resnet.js';
import { example } from '../fixtures.js';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const skip = process.platform === 'linux' ? false : 'limits and devices of Linux';

/** In a shell, after `before`, with stdout to `to`. */
function shell(args: string[], { before = ':', to = '/dev/null', env = {} }: Shell = {}) {
  // Without what tap adds to child processes, which opens files of its own.
  const script = `unset NODE_OPTIONS; ${before}; exec "$@" > ${to}`;
  return spawnSync('sh', ['-c', script, 'sh', process.execPath, ...args], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
}
interface Shell {
  before?: string;
  to?: string;
  env?: NodeJS.ProcessEnv;
}

function isOneLine(t: Test, { status, stderr }: ReturnType<typeof shell>, says: RegExp, name: string) {
  t.equal(status, 1, name);
  t.match(stderr, says, name);
  t.equal(stderr.trimEnd().split('\n').length, 1, `${name}: ${stderr}`);
}

const sweep = (out: string, model = example('resnet.onnx'), data = example('images.npz')) => [
  ...[cli, 'sweep', model, '--data', data, '--images', '4', '--layers', 'fc', '--trials', '1'],
  ...['--cache', 'off', '--quiet', '--out', out],
];

t.test('too few files may be open', { skip }, async (t) => {
  const out = join(t.testdir({}), 'run');
  for (const most of [24, 40, 64]) {
    const ended = shell(sweep(out), { before: `ulimit -n ${most}` });
    if (ended.status === 0) t.pass(`${most} are enough here`);
    else isOneLine(t, ended, /^critmap: .*(ulimit -n|too many files)/, `${most}`);
  }
});

t.test('stdout is full', { skip }, async (t) => {
  const says = /^critmap: cannot write to stdout: the disk is full$/m;
  isOneLine(t, shell([cli, 'devices'], { to: '/dev/full' }), says, 'devices');
  isOneLine(t, shell([cli, '--help'], { to: '/dev/full' }), says, '--help');
  const out = join(t.testdir({}), 'run');
  isOneLine(t, shell(sweep(out), { to: '/dev/full' }), says, 'sweep');
  t.ok(existsSync(join(out, 'report.html')), 'what a sweep keeps is there all the same');
});

t.test('inputs that no machine has memory for', { skip }, async (t) => {
  const dir = t.testdir({});
  const model = join(dir, 'huge.onnx');
  writeFileSync(model, resnet({ size: 60_000, width: 8, blocks: [1], classes: 5 }));
  isOneLine(
    t,
    shell(sweep(join(dir, 'run'), model, 'synthetic:4')),
    /^critmap: .*images of 60000 x 60000 pixels are too large/,
    '60,000 x 60,000',
  );
});

t.test('labels that are nested deeper than a program can follow', async (t) => {
  const dir = t.testdir({});
  const deep = `{"cls": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  const tar = join(dir, 'deep.tar');
  for (const [name, content] of [
    ['a.jpg', 'x'],
    ['a.json', deep],
  ] as const) {
    writeFileSync(join(dir, name), content);
  }
  spawnSync('tar', ['-cf', tar, '-C', dir, 'a.jpg', 'a.json']);
  const ended = shell([cli, 'inspect', '--data', tar, '--crop', '32']);
  isOneLine(t, ended, /a\.json\): an object or a list is not a class index/, 'deep JSON');
});

t.test('an error that nobody thought of', { skip }, async (t) => {
  const surprise = 'data:text/javascript,setTimeout(() => { throw new Error("sur\\u001bprise\\nx") }, 500)';
  const rejected = 'data:text/javascript,setTimeout(() => Promise.reject(new TypeError("surprise")), 500)';
  const out = join(t.testdir({}), 'run');
  for (const url of [surprise, rejected]) {
    const args = ['--import', url, ...sweep(out)];
    isOneLine(t, shell(args), /^critmap: sur ?prise.*CRITMAP_DEBUG=1/, url);
    const { stderr } = shell(args, { env: { CRITMAP_DEBUG: '1' } });
    t.match(stderr, /^ +at /m, 'with the stack');
  }
});
