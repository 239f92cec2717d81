/** Sweeps through a real server on loopback, and workers in this process: what they come to is what one process makes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { keysOf, OFFERED } from '../../src/queue/messages.js';
import { queueStatus } from '../../src/queue/status.js';
import { noSeconds } from '../../src/run/stages.js';
import type { PartRunner } from '../../src/sweep/part-runner.js';
import { lacksRedis, startRedis } from './redis-server.js';
import { alone, bytesOf, layers, startWorkers, through } from './sweeps.js';

t.test('queue', { skip: lacksRedis }, async (t) => {
  t.test('three workers make the bytes of one process, with and without a tolerance', async (t) => {
    const dir = t.testdir({ redis: {} });
    const redis = await startRedis(t, join(dir, 'redis'));
    for (const [name, more] of Object.entries({
      plain: {},
      tolerance: { tolerance: 5 },
      crossed: { trials: 2 },
    })) {
      const options = { layers, ...more };
      await alone(join(dir, `${name}-one`), options);
      const workers = startWorkers(t, redis, options, { count: 3 });
      const { summary } = await through(redis, join(dir, name), options);
      await workers.end();
      t.strictSame(bytesOf(join(dir, name)), bytesOf(join(dir, `${name}-one`)), name);
      if (name === 'tolerance')
        t.ok(summary.layers.some(({ stoppedAt }) => stoppedAt !== null && stoppedAt < 1000));
      t.strictSame(await redis.client.keys('critmap:*'), [], 'nothing is left in the server');
    }
  });

  t.test('groups, and files of images and classes, come through the queue as from one process', async (t) => {
    const dir = t.testdir({ redis: {} });
    const redis = await startRedis(t, join(dir, 'redis'));
    const few = ['layer3.2.*', 'fc'];
    const details = { perImage: ['cosine', 'top1'], perClass: true } as const;
    for (const [group, more] of Object.entries({
      block: details,
      pairs: {},
      'cumulative-from-input': { ...details, tolerance: 12 },
    })) {
      const options = { layers: few, group, ...more };
      await alone(join(dir, `${group}-one`), options);
      const workers = startWorkers(t, redis, options, { count: 2 });
      const { summary } = await through(redis, join(dir, group), options);
      await workers.end();
      t.ok(summary.layers.some(({ members }) => members !== undefined));
      t.strictSame(bytesOf(join(dir, group)), bytesOf(join(dir, `${group}-one`)), group);
      if (!('perImage' in more)) continue;
      const detailed = [
        'per-class.csv',
        ...readdirSync(join(dir, group, 'per-image'), { recursive: true })
          .map((name) => join('per-image', String(name)))
          .filter((name) => /\.(npy|csv)$/.test(name)),
      ];
      t.equal(detailed.length, 2 + 2 * summary.layers.length);
      for (const name of detailed) {
        const [one, other] = [`${group}-one`, group].map((run) => readFileSync(join(dir, run, name)));
        t.ok(one!.equals(other!), `${group} ${name}`);
      }
    }
  });

  t.test(
    'a coordinator that was stopped goes on from its journal, also with what came meanwhile',
    async (t) => {
      const dir = t.testdir({ redis: {} });
      const redis = await startRedis(t, join(dir, 'redis'));
      await alone(join(dir, 'one'), { layers });
      const stop = new AbortController();
      const out = join(dir, 'many');
      const first = through(redis, out, { layers, signal: stop.signal, onProgress: () => stop.abort() });
      const workers = startWorkers(t, redis, { layers });
      await t.rejects(first, { name: 'AbortError' });
      await sleep(1500);
      const [offered] = await redis.client.smembers(OFFERED);
      t.ok((await redis.client.xlen(keysOf(offered!).results)) > 0, 'results wait for it');
      const [status] = await queueStatus(redis.server);
      t.match(status, { name: 'resnet', layers: 4, images: 1000, parked: [] });
      t.equal(status!.workers.length, 1);
      await through(redis, out, { layers });
      await workers.end();
      t.strictSame(bytesOf(out), bytesOf(join(dir, 'one')));
    },
  );

  t.test('what fails again and again is parked, and the rest is finished', async (t) => {
    const dir = t.testdir({ redis: {} });
    const redis = await startRedis(t, join(dir, 'redis'));
    await alone(join(dir, 'one'), { layers });
    let poisoned = true;
    const wrap = (runner: PartRunner): PartRunner => ({
      ...runner,
      run: (part, take, signal) => {
        if (poisoned && part.from === 0 && part.targets.some(({ layer }) => layer === 'fc')) {
          throw new Error('it is poison');
        }
        return runner.run(part, take, signal);
      },
    });
    const workers = startWorkers(t, redis, { layers }, { wrap });
    const messages: string[] = [];
    const out = join(dir, 'many');
    await t.rejects(through(redis, out, { layers }, messages), {
      code: 'ERR_QUEUE',
      message: /1 part failed 3 times.*it is poison.*Repeat the command/,
    });
    t.match(messages.join('\n'), /fc.*is parked: it is poison/);
    t.match(workers.messages.join('\n'), /failed: it is poison/);
    poisoned = false;
    await through(redis, out, { layers });
    t.strictSame(bytesOf(out), bytesOf(join(dir, 'one')));
  });

  t.test('results that are damaged, foreign or come twice change nothing', async (t) => {
    const dir = t.testdir({ redis: {} });
    const redis = await startRedis(t, join(dir, 'redis'));
    await alone(join(dir, 'one'), { layers });
    const out = join(dir, 'many');
    const messages: string[] = [];
    const ended = through(redis, out, { layers }, messages);
    let offered: string | undefined;
    while (!offered) [offered] = await redis.client.smembers(OFFERED);
    const { results } = keysOf(offered);
    const add = (value: unknown) =>
      redis.client.xadd(results, '*', 'result', typeof value === 'string' ? value : JSON.stringify(value));
    const good = { job: 'part-0-1-0-1', worker: 'w', graph: 'runtime', warnings: [], spent: noSeconds };
    await add('no JSON');
    await add({ ...good, lines: 'none' });
    await add({ ...good, lines: ['{"type":"target","layer":"fc","reset":"random","chunk":0,"draws":[]}'] });
    const own = readFileSync(join(dir, 'one', 'cells.ndjson'), 'utf8')
      .trimEnd()
      .split('\n');
    const wrong = own.map((line) => line.replace(/\d/, (digit) => `${(Number(digit) + 1) % 10}`));
    const target = own.find((line) => line.includes('"type":"target"'))!;
    await add({ ...good, lines: [...wrong, own[0], own[0], target, target] });
    startWorkers(t, redis, { layers });
    await ended;
    t.strictSame(bytesOf(out), bytesOf(join(dir, 'one')));
    const kept = readFileSync(join(out, 'cells.ndjson'), 'utf8').trimEnd().split('\n');
    t.ok(kept.includes(target));
    t.equal(kept.length, new Set(kept).size, 'a line is kept once');
    t.match(messages.join('\n'), /a result that is none/);
    t.match(messages.join('\n'), /a damaged line came from w/);
  });

  t.test('a job that takes longer than its lock is not taken from a busy worker', async (t) => {
    const dir = t.testdir({ redis: {} });
    const redis = await startRedis(t, join(dir, 'redis'));
    const runs: string[] = [];
    const lockMs = 2000;
    const wrap = (runner: PartRunner): PartRunner => ({
      ...runner,
      async run(part, take, signal) {
        runs.push(`${part.from}-${part.targets[0]?.layer}`);
        // The engine's own work, over and over for more than twice the lock.
        const until = performance.now() + 2.5 * lockMs;
        while (performance.now() < until) await runner.run(part, () => {}, signal);
        await runner.run(part, take, signal);
      },
    });
    const options = { layers: ['fc'] };
    const standstill = monitorEventLoopDelay();
    standstill.enable();
    const few = startWorkers(t, redis, options, { count: 2, lockMs, wrap });
    await through(redis, join(dir, 'many'), options);
    await few.end();
    standstill.disable();
    const longestMs = standstill.max / 1e6;
    // On a machine so busy that this process stood still for as long as the lock, it was rightly taken for gone.
    if (longestMs < lockMs / 2) t.equal(runs.length, new Set(runs).size, 'every part was computed once');
    else t.comment(`this process stood still for ${Math.round(longestMs)} ms; computed: ${runs.join(', ')}`);
    t.notMatch(few.messages.join('\n'), /stalled|failed/);
  });

  t.test('a server that is away keeps nobody from stopping', async (t) => {
    const dir = t.testdir({ redis: {} });
    const redis = await startRedis(t, join(dir, 'redis'));
    await alone(join(dir, 'one'), { layers });
    const out = join(dir, 'many');
    const stop = new AbortController();
    const coordinator = through(redis, out, { layers, signal: stop.signal });
    const workers = startWorkers(t, redis, { layers });
    while (!workers.messages.some((message) => message.startsWith('computing'))) await sleep(20);
    await redis.kill();
    await sleep(300);
    const started = Date.now();
    stop.abort();
    await t.rejects(coordinator, { name: 'AbortError' });
    t.ok(Date.now() - started < 3000, `${Date.now() - started} ms`);
    await workers.end();
    t.ok(Date.now() - started < 15_000, `${Date.now() - started} ms`);
    await redis.start();
    startWorkers(t, redis, { layers });
    await through(redis, out, { layers });
    t.strictSame(bytesOf(out), bytesOf(join(dir, 'one')));
  });

  t.test('a worker that has another model leaves the sweep to others, in one line', async (t) => {
    const dir = t.testdir({ redis: {} });
    const redis = await startRedis(t, join(dir, 'redis'));
    const other = startWorkers(t, redis, { layers, seed: 1 });
    const right = startWorkers(t, redis, { layers });
    await through(redis, join(dir, 'many'), { layers });
    t.match(
      other.messages.join('\n'),
      /left to other workers: here it would be another one \(seed 0, now 1\)/,
    );
    await right.end();
  });
});
