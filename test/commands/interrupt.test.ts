/** Signals: the first lets a sweep keep what is finished, the second ends whatever there is. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { readRun } from '../../src/run/read-run.js';
import { files } from '../../src/run/run.js';
import { example } from '../fixtures.js';
import { outcome, start } from './critmap.js';

const skip = process.platform === 'win32' ? 'Windows has no such signals' : false;
const program = fileURLToPath(new URL('./stuck.mjs', import.meta.url));

/** Waits until there is one journal line: something is finished. */
async function begun(out: string): Promise<void> {
  const journal = join(out, files.journal);
  for (let i = 0; i < 3000; i++) {
    if (existsSync(journal) && readFileSync(journal, 'utf8') !== '') return;
    await setTimeout(20);
  }
  throw new Error('the sweep does not begin');
}

for (const [signal, expected] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  t.test(`${signal} ends a sweep with ${expected}, in order`, { skip }, async (t) => {
    const out = join(t.testdir({}), 'run');
    const child = start(
      ...[
        'sweep',
        example('resnet.onnx'),
        '--data',
        'synthetic:100000',
        '--images',
        'all',
        '--out',
        out,
        '--quiet',
      ],
    );
    const ended = outcome(child);
    await begun(out);
    child.kill(signal);
    const { code, stderr } = await ended;
    t.equal(code, expected, stderr);
    t.match(stderr, /\ncritmap: interrupted; repeat the command to go on with .*\n$/);
    t.equal((await readRun(out)).info.status, 'interrupted');
    t.notOk(existsSync(join(out, files.lock)));
    t.notOk(readdirSync(out).some((name) => name.endsWith('.tmp')));
  });

  for (const how of ['deaf', 'busy', 'pipe']) {
    t.test(`${signal} a second time ends a process that is ${how} at once`, { skip }, async (t) => {
      // Without what tap adds to child processes, which listens to signals too.
      const pipe = join(t.testdir({}), 'pipe');
      spawnSync('mkfifo', [pipe]);
      const child = spawn(
        'sh',
        ['-c', 'unset NODE_OPTIONS; exec "$@"', 'sh', process.execPath, program, how, pipe],
        { stdio: ['ignore', 'pipe', 'pipe'] },
      );
      await once(child.stdout, 'data');
      child.kill(signal);
      await once(child.stderr, 'data');
      await setTimeout(50);
      t.equal(await endOf(child, signal), signal);
    });
  }
}

/** What ended it within two seconds; it is killed after that. */
async function endOf(child: ChildProcess, signal: NodeJS.Signals): Promise<NodeJS.Signals | null> {
  const exit = once(child, 'exit');
  child.kill(signal);
  const late = global.setTimeout(() => child.kill('SIGKILL'), 2000);
  const [, ended] = await exit;
  clearTimeout(late);
  return ended;
}
