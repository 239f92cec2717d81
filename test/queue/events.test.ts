/** A sweep through a queue tells the same events, and its run has the time of its workers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readInfo } from '../../src/run/run.js';
import { parseSweepEvent } from '../../src/sweep/events.js';
import { critmap } from '../commands/critmap.js';
import { example } from '../fixtures.js';
import { lacksRedis, startRedis } from './redis-server.js';

t.test('queue --json', { skip: lacksRedis }, async (t) => {
  const dir = t.testdir({ redis: {} });
  // Without a file of its own the server is warned of.
  const redis = await startRedis(t, join(dir, 'redis'), ['--appendonly', 'no']);
  process.env.CRITMAP_REDIS_URL = redis.url;
  const [model, out] = [example('resnet.onnx'), join(dir, 'run')];
  const folder = join(model, '..');
  const worker = critmap('worker', '--models', folder, '--data', folder, '--threads', '1', '--idle', '3');
  const layers = ['--layers', 'conv1,fc', '--tolerance', '20'];
  const sweep = [model, '--data', example('images.npz'), '--images', 'all', ...layers];
  const { code, stdout, stderr } = await critmap('queue', ...sweep, '--json', '--out', out);
  t.equal(code, 0, stderr);
  t.equal(stderr, '');
  const events = stdout.trimEnd().split('\n').map(parseSweepEvent);
  t.match(events[0], { event: 'started', layers: ['conv1', 'fc'] });
  t.match(
    events.find(({ event }) => event === 'planned'),
    { passes: 2000, resumed: 0 },
  );
  t.match(
    events.find(({ event }) => event === 'warning'),
    { message: /^Redis at .* keeps no append-only file/ },
  );
  t.equal(events.filter(({ event }) => event === 'stopped').length, 2);
  t.strictSame(events.at(-1), {
    ...{ event: 'done', out, shard: null },
    summary: JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8')),
  });
  const { stageSeconds } = await readInfo(out);
  for (const stage of ['decode', 'upload', 'reset', 'inference', 'metrics', 'journal'] as const) {
    t.ok(stageSeconds[stage] > 0, stage);
  }
  t.equal((await worker).code, 0);
});
