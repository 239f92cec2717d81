/** A queue of real processes, some of which are killed: what they come to is what one process makes. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { critmap, start as startCommand } from '../commands/critmap.js';
import { example } from '../fixtures.js';
import { lacksRedis, startRedis } from './redis-server.js';

const names = ['summary.json', 'summary.csv', 'results.csv', 'draws.csv', 'images.csv'];
const bytesOf = (directory: string) => names.map((name) => readFileSync(join(directory, name), 'utf8'));
const words = (out: string) => [
  ...[example('resnet.onnx'), '--data', example('images.npz'), '--images', 'all', '--quiet'],
  ...['--images-per-draw', '8', '--trials', '2', '--out', out],
];
const folder = join(example('resnet.onnx'), '..');

interface Process {
  child: ChildProcess;
  stderr: () => string;
  ended: Promise<number | null>;
}

function start(t: { teardown(end: () => void): void }, ...args: string[]): Process {
  const child = startCommand(...args);
  child.stdout?.resume();
  let text = '';
  child.stderr?.on('data', (data) => {
    text += data;
  });
  t.teardown(() => void child.kill('SIGKILL'));
  return { child, stderr: () => text, ended: once(child, 'exit').then(([code]) => code as number | null) };
}

const worker = (t: { teardown(end: () => void): void }) =>
  start(t, 'worker', '--models', folder, '--data', folder, '--threads', '1', '--lock', '2');

t.test('killed', { skip: lacksRedis, timeout: 240_000 }, async (t) => {
  const dir = t.testdir({ redis: {} });
  const redis = await startRedis(t, join(dir, 'redis'), ['--appendonly', 'yes', '--appendfsync', 'always']);
  // Where commands look for it.
  process.env.CRITMAP_REDIS_URL = redis.url;
  const one = await critmap('sweep', ...words(join(dir, 'one')));
  t.equal(one.code, 0, one.stderr);

  t.test(
    'workers that are killed have their parts taken over; one that is told to stop gives them back',
    async (t) => {
      const out = join(dir, 'workers');
      const coordinator = start(t, 'queue', ...words(out));
      const workers = [worker(t), worker(t)];
      const third = worker(t);
      while (!workers.every(({ stderr }) => stderr().includes('computing'))) await sleep(20);
      await sleep(300);
      workers[0]!.child.kill('SIGKILL');
      while (!third.stderr().includes('computing')) await sleep(20);
      workers[1]!.child.kill('SIGTERM');
      t.equal(await workers[1]!.ended, 143);
      t.match(workers[1]!.stderr(), /worker stopped; others go on/);
      t.equal(await coordinator.ended, 0, coordinator.stderr());
      t.strictSame(bytesOf(out), bytesOf(join(dir, 'one')));
      third.child.kill('SIGINT');
      t.equal(await third.ended, 130);
    },
  );

  t.test('a server that is killed and comes back loses nothing', async (t) => {
    const out = join(dir, 'server');
    const coordinator = start(t, 'queue', ...words(out));
    const two = [worker(t), worker(t)];
    while (!two.every(({ stderr }) => stderr().includes('computing'))) await sleep(20);
    await sleep(200);
    await redis.kill();
    await sleep(1500);
    await redis.start();
    t.equal(await coordinator.ended, 0, coordinator.stderr());
    t.strictSame(bytesOf(out), bytesOf(join(dir, 'one')));
    t.match(two[0]!.stderr(), /is away; waiting for it[\s\S]*is back/);
  });

  t.test('a coordinator that is killed goes on when its command is repeated', async (t) => {
    const out = join(dir, 'coordinator');
    const first = start(t, 'queue', ...words(out));
    const one = worker(t);
    while (!one.stderr().includes('computing')) await sleep(20);
    await sleep(500);
    first.child.kill('SIGKILL');
    await first.ended;
    const again = start(t, 'queue', ...words(out));
    t.equal(await again.ended, 0, again.stderr());
    t.strictSame(bytesOf(out), bytesOf(join(dir, 'one')));
  });
});
