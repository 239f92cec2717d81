import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { native } from '../src/native/addon.js';

const script = fileURLToPath(new URL('../scripts/gpu-first-run.sh', import.meta.url));
const skip =
  process.platform !== 'linux'
    ? 'a script for Linux'
    : native().cuda().devices.length > 0
      ? 'there is a card'
      : false;

/** A folder of programs that come before all others. */
function programs(t: Test, texts: Record<string, string>): string {
  const folder = t.testdir();
  for (const [name, text] of Object.entries(texts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

function run(words: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync('bash', [script, ...words], {
    encoding: 'utf8',
    env: { ...process.env, CRITMAP_PYTHON: 'python3', ...env },
  });
  return { status, stdout, stderr };
}

t.test(
  'without a card it does what needs none, says why the rest is not possible, and ends with 77',
  { skip },
  async (t) => {
    const out = join(t.testdir(), 'out');
    const { status, stdout } = run([
      'run',
      '--out',
      out,
      '--carry',
      join(out, 'none'),
      '--steps',
      'unpack,machine,small,torch,sweeps',
    ]);
    t.equal(status, 77, stdout);
    // In the order of the steps, whatever the order of their names.
    t.match(
      stdout,
      /^machine +well, \d+ s: .*\nsmall +not possible here: no card\ntorch +not possible here: no card\nunpack +not possible here: no parts in .*; make them with pack\nsweeps +not possible here: no card\nNo card: /,
    );
    t.equal(readFileSync(join(out, 'summary.txt'), 'utf8'), stdout);
    t.match(readFileSync(join(out, 'machine.txt'), 'utf8'), /processors/);
  },
);

t.test(
  'a step that fails, and one that takes too long, are said and the others go on',
  { skip },
  async (t) => {
    const card = programs(t, {
      'nvidia-smi': 'echo 9.0',
      python: 'echo half; exit 3',
      slow: 'echo begun; sleep 30',
    });
    const env = { PATH: `${card}:${process.env.PATH}` };
    const out = join(card, 'out');
    const failed = run(['run', '--out', out, '--steps', 'torch,small'], { ...env, CRITMAP_PYTHON: 'python' });
    t.match(failed, { status: 1, stdout: /^small .*\ntorch +FAILED with 3: half\n1 steps failed\n$/ });
    const began = Date.now();
    const slow = run(['run', '--out', out, '--seconds', '6', '--steps', 'torch,agreement'], {
      ...env,
      CRITMAP_PYTHON: 'slow',
    });
    t.match(slow, {
      status: 1,
      stdout:
        /^torch +CUT SHORT after [56] s: begun\nagreement +left out: the time is used up\n1 steps failed\n$/,
    });
    t.ok(Date.now() - began < 20_000);
  },
);

t.test(
  'what it is asked for is checked',
  { skip: process.platform !== 'linux' && 'a script for Linux' },
  async (t) => {
    t.match(run([]), { status: 2, stderr: /^scripts\/gpu-first-run\.sh steps\n/ });
    t.match(run(['run', '--steps', 'smal']), {
      status: 1,
      stderr: /^--steps: there is no smal; there are machine, build, /,
    });
    const folder = t.testdir();
    t.match(run(['pack', '--onnxruntime', folder]), {
      status: 1,
      stderr: `--onnxruntime: ${folder} has no libonnxruntime.so.1\n`,
    });
    t.equal(run(['steps']).stdout.trim().split('\n').length, 13);
  },
);
