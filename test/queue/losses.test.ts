/** What a server, a coordinator or a clock may lose or get wrong, and that the sweep still ends with the same bytes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { keysOf, OFFERED, queueOf } from '../../src/queue/messages.js';
import { putOffer, removeLeftovers } from '../../src/queue/offer.js';
import { serverOf } from '../../src/queue/server.js';
import { queueStatus } from '../../src/queue/status.js';
import { serveQueue } from '../../src/queue/worker.js';
import { noSeconds } from '../../src/run/stages.js';
import { openPartRunner, type PartRunner } from '../../src/sweep/part-runner.js';
import { lacksRedis, startRedis, type TestServer } from './redis-server.js';
import { alone, bytesOf, layers, model, open, startWorkers, through } from './sweeps.js';

const without = ['--appendonly', 'no'];
const tolerant = { layers, tolerance: 5 };

/** Waits for what comes within seconds; a machine that has much else to do has a minute. */
async function until(what: string, isThere: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await isThere())) {
    if (performance.now() > end) throw new Error(`${what} did not come`);
    await sleep(20);
  }
}

/** Parts that take their time. */
const slow = (runner: PartRunner): PartRunner => ({
  ...runner,
  run: async (part, take, signal) => {
    await sleep(150, undefined, { signal });
    await runner.run(part, take, signal);
  },
});

/** Begins a sweep and leaves it when its first result has come. @returns its id */
async function beginAndLeave(
  t: Parameters<typeof startWorkers>[0],
  redis: TestServer,
  out: string,
  options: Parameters<typeof through>[2],
): Promise<string> {
  const stop = new AbortController();
  const onProgress = () => stop.abort();
  const workers = startWorkers(t, redis, options, { wrap: slow });
  await through(redis, out, { ...options, onProgress, signal: stop.signal }).catch(() => {});
  await workers.end();
  return (await redis.client.smembers(OFFERED))[0]!;
}

t.test('losses', { skip: lacksRedis, timeout: 280_000 }, async (t) => {
  const dir = t.testdir({ redis: {} });
  const place = join(dir, 'redis');
  await alone(join(dir, 'one'), { layers });
  await alone(join(dir, 'tolerant'), tolerant);
  const one = bytesOf(join(dir, 'one'));

  t.test('a worker whose card is lost gives its part back, and ends', async (t) => {
    const redis = await startRedis(t, place, without);
    let parts = 0;
    const lost = Object.assign(new Error('cuda:0: CUDA failure 700'), { code: 'ERR_DEVICE_LOST' });
    const images = await open();
    const failing = serveQueue({
      ...{ server: redis.server, lockMs: 5000, signal: new AbortController().signal },
      onMessage: () => {},
      async open(_, signal) {
        const runner = await openPartRunner(model, images, { threads: 1, layers, signal });
        return {
          ...runner,
          async run(...part) {
            if (parts++ > 0) throw new Error('the sweep failed', { cause: lost });
            await runner.run(...part);
          },
        };
      },
    });
    const ended = t.rejects(failing, { message: 'the sweep failed', cause: lost });
    const swept = through(redis, join(dir, 'lost'), { layers });
    await ended;
    await images.close();
    // Otherwise it is tried a few times and put aside.
    t.ok(parts > 1);
    const workers = startWorkers(t, redis, { layers });
    await swept;
    await workers.end();
    t.strictSame(bytesOf(join(dir, 'lost')), one);
  });

  t.test('a sweep is offered again at a server that comes back empty', async (t) => {
    const redis = await startRedis(t, place, without);
    const messages: string[] = [];
    const ended = through(redis, join(dir, 'again'), { layers }, messages);
    await until('the offer', async () => (await queueStatus(redis.server)).length > 0);
    await redis.kill();
    await redis.start();
    await until('the offer again', async () => {
      const [status] = await queueStatus(redis.server);
      return status?.name === 'resnet' && status.waiting > 0 && status.total === 4000;
    });
    startWorkers(t, redis, { layers });
    await ended;
    t.match(messages.join('\n'), /is back[\s\S]*has lost the sweep; it is offered again/);
    t.strictSame(bytesOf(join(dir, 'again')), one);
  });

  t.test('a worker that was computing goes on, and is told again which layers are known', async (t) => {
    const redis = await startRedis(t, place, without);
    const ended = through(redis, join(dir, 'on'), tolerant);
    let isEnded = false;
    void ended.then(() => (isEnded = true));
    const { messages } = startWorkers(t, redis, tolerant, { wrap: slow });
    let id: string | undefined;
    const stopped = async () => {
      [id] = await redis.client.smembers(OFFERED);
      return id ? await redis.client.scard(keysOf(id).stopped) : 0;
    };
    await until('a known layer', async () => (await stopped()) > 0);
    await redis.kill();
    await redis.start();
    t.notOk(isEnded);
    await until('a known layer again', async () => (await stopped()) > 0 || isEnded);
    t.notOk(isEnded, 'it was told while there was something to compute');
    await ended;
    t.equal(messages.filter((message) => message === 'computing resnet').length, 1, 'opened once');
    t.strictSame(bytesOf(join(dir, 'on')), bytesOf(join(dir, 'tolerant')));
  });

  t.test(
    'layers that an earlier coordinator took for known are computed if this one lacks them',
    async (t) => {
      const redis = await startRedis(t, place, without);
      const id = await beginAndLeave(t, redis, join(dir, 'stale'), tolerant);
      await redis.client.sadd(keysOf(id).stopped, '0', '1', '2', '3');
      startWorkers(t, redis, tolerant);
      await through(redis, join(dir, 'stale'), tolerant);
      t.strictSame(bytesOf(join(dir, 'stale')), bytesOf(join(dir, 'tolerant')));
    },
  );

  t.test('a run that goes on at an emptied server keeps to its graph', async (t) => {
    const redis = await startRedis(t, place, without);
    const out = join(dir, 'graph');
    await beginAndLeave(t, redis, out, { layers });
    const { graph } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
    const other = graph === 'model' ? 'runtime' : 'model';
    await redis.client.flushall();
    const messages: string[] = [];
    const ended = through(redis, out, { layers }, messages);
    const refusing = startWorkers(t, redis, { layers }, { wrap: (runner) => ({ ...runner, graph: other }) });
    await until('its refusal', () => refusing.messages.some((message) => message.includes('left to other')));
    t.match(
      refusing.messages.join('\n'),
      `others compute its ${graph} graph, here it would be the ${other} one`,
    );
    const [id] = await redis.client.smembers(OFFERED);
    const line = readFileSync(join(dir, 'one', 'cells.ndjson'), 'utf8')
      .trimEnd()
      .split('\n')
      .at(-1);
    const result = {
      job: 'x',
      worker: 'stranger',
      graph: other,
      lines: [line],
      warnings: [],
      spent: noSeconds,
    };
    await redis.client.xadd(keysOf(id!).results, '*', 'result', JSON.stringify(result));
    startWorkers(t, redis, { layers });
    await ended;
    t.match(messages.join('\n'), `stranger computes the ${other} graph, the run is of the ${graph} one`);
    t.strictSame(bytesOf(out), one);
  });

  t.test('clocks that differ by an hour hold nothing up', async (t) => {
    const redis = await startRedis(t, place, without);
    const now = Date.now;
    t.teardown(() => {
      Date.now = now;
    });
    const hasty = () => {
      Date.now = () => now() + 3_600_000;
    };
    let isFirst = true;
    const failing = (runner: PartRunner): PartRunner => ({
      ...slow(runner),
      run: async (part, take, signal) => {
        if (!isFirst) return slow(runner).run(part, take, signal);
        isFirst = false;
        throw new Error('once');
      },
    });
    const ended = through(redis, join(dir, 'clock'), { layers });
    hasty();
    const first = startWorkers(t, redis, { layers }, { wrap: failing });
    // It fails at one part, and gives back two more.
    await until('a failure', () => first.messages.some((message) => message.includes('failed: once')));
    await first.end();
    Date.now = now;
    startWorkers(t, redis, { layers });
    await ended;
    t.strictSame(bytesOf(join(dir, 'clock')), one);
  });

  t.test('a worker whose coordinator is gone for good has nothing to do, and ends by itself', async (t) => {
    const redis = await startRedis(t, place, without);
    const id = await beginAndLeave(t, redis, join(dir, 'gone'), { layers });
    const { ended, messages } = startWorkers(t, redis, { layers }, { idleMs: 1500 });
    await ended;
    t.match(messages.join('\n'), /computing resnet/);
    t.equal(await redis.client.llen(`critmap:${queueOf(id)}:wait`), 0, 'it has done what there was');
    t.ok((await redis.client.xlen(keysOf(id).results)) > 0, 'the results wait');
  });

  t.test('a sweep whose results nobody takes keeps no worker from another', async (t) => {
    const redis = await startRedis(t, place, without);
    const id = await beginAndLeave(t, redis, join(dir, 'full'), { layers });
    const { messages } = startWorkers(t, redis, { layers }, { wrap: slow });
    await until('the worker', () => messages.includes('computing resnet'));
    const filling = redis.client.pipeline();
    for (let i = 0; i <= 256; i++) filling.xadd(keysOf(id).results, '*', 'result', 'waits');
    await filling.exec();
    t.ok((await redis.client.llen(`critmap:${queueOf(id)}:wait`)) > 0, 'it has jobs');
    await through(redis, join(dir, 'other'), { layers });
    t.strictSame(bytesOf(join(dir, 'other')), one);
    t.ok((await redis.client.llen(`critmap:${queueOf(id)}:wait`)) > 0, 'they wait for its coordinator');
  });

  t.test('nobody removes what belongs to an offer that comes meanwhile', async (t) => {
    const { client } = await startRedis(t, place, without);
    const job = `critmap:${queueOf('a')}:part-0-1-0-1`;
    const leave = async () => {
      await client.hset(job, 'data', '{}');
      await client.set(keysOf('a').graph, 'model');
    };
    await leave();
    await removeLeftovers(client, 'a');
    t.strictSame(await client.keys('*'), []);
    await leave();
    const scan = client.scanStream.bind(client);
    client.scanStream = (options) => {
      void putOffer(client, 'a', 'offer', 'runtime');
      return scan(options);
    };
    await removeLeftovers(client, 'a');
    t.strictSame(
      (await client.keys('*')).sort(),
      [OFFERED, keysOf('a').graph, keysOf('a').offer, job].sort(),
    );
    t.equal(await client.get(keysOf('a').graph), 'runtime');
  });

  t.test('without a worker it is said once how to start one', async (t) => {
    const redis = await startRedis(t, place, [...without, '--requirepass', 'secret']);
    const server = serverOf(redis.url.replace('//', '//:secret@'), {});
    const messages: string[] = [];
    const stop = new AbortController();
    const ended = through({ server }, join(dir, 'hint'), { layers, signal: stop.signal }, messages, 300);
    const hints = () => messages.filter((message) => message.includes('critmap worker'));
    await until('a hint', () => hints().length > 0);
    await sleep(1500);
    stop.abort();
    await t.rejects(ended, { name: 'AbortError' });
    t.strictSame(hints(), [
      `no worker is connected; start one: critmap worker --redis ${redis.url}, with CRITMAP_REDIS_PASSWORD set`,
    ]);
    t.notMatch(messages.join('\n'), 'secret');
  });
});
