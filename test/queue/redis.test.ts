import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import t from 'tap';
import { checkServer, connect } from '../../src/queue/redis.js';
import { serverOf } from '../../src/queue/server.js';
import { lacksRedis, startRedis } from './redis-server.js';

t.test('an address has a host, a port, a database, names and passwords', async (t) => {
  t.match(serverOf('redis://cache', {}), {
    place: 'cache:6379',
    options: { host: 'cache', port: 6379, db: 0 },
  });
  t.match(serverOf('cache:7000', {}), { place: 'cache:7000' });
  t.match(serverOf('redis://[::1]:7000/3', {}), { place: '[::1]:7000/3', options: { host: '::1', db: 3 } });
  const secret = serverOf('rediss://me:p%40ss@cache/0', {});
  t.match(secret.options, { username: 'me', password: 'p@ss', tls: { servername: 'cache' } });
  t.notMatch(secret.place, /me|p@ss|p%40ss/);
  const env = { CRITMAP_REDIS_USERNAME: 'you', CRITMAP_REDIS_PASSWORD: 'word' };
  t.match(serverOf('redis://cache', env).options, { username: 'you', password: 'word' });
  t.match(serverOf('redis://:own@cache', env).options, { password: 'own' });
  t.equal(serverOf('redis://cache', {}).options.tls, undefined);
  for (const wrong of ['http://cache', 'redis://', 'redis://cache/x', '', 'redis://a:b:c']) {
    t.throws(() => serverOf(wrong, {}), { code: 'ERR_OPTION', message: /^--redis/ }, wrong);
  }
});

t.test(
  'a server that is not there, or that wants a password, is one line without it',
  { skip: lacksRedis },
  async (t) => {
    const hooks = { onConnection() {} };
    await t.rejects(connect(serverOf('redis://127.0.0.1:1', {}), hooks), {
      code: 'ERR_QUEUE',
      message: /cannot use Redis at 127\.0\.0\.1:1: .*ECONNREFUSED/,
    });
    const { url } = await startRedis(t, t.testdir({}), [
      '--requirepass',
      'right',
      '--appendonly',
      'yes',
    ]).catch(() => ({ url: '' }));
    for (const given of [url, url.replace('//', '//:wrongsecret@')]) {
      const error = await connect(serverOf(given, {}), hooks).then(
        () => null,
        (thrown: Error) => thrown,
      );
      t.match(error, { code: 'ERR_QUEUE', message: /cannot use Redis at 127\.0\.0\.1:\d+: / });
      t.notMatch(error?.message, /wrongsecret/);
    }
    const { leave } = await connect(serverOf(url.replace('//', '//:right@'), {}), hooks);
    leave();
  },
);

t.test('a connection that has gone silent is made anew', { skip: lacksRedis }, async (t) => {
  const { server } = await startRedis(t, t.testdir({}), []);
  t.equal(server.options.socketTimeout, 30_000);
  // As a gateway that forgets: what goes through the first connections goes nowhere, and nobody is told.
  let isDeaf = false;
  const between = createServer((near) => {
    const far = createConnection(server.options.port!, '127.0.0.1');
    const mayPass = () => !isDeaf || near === latest;
    latest = near;
    near.on('data', (data) => mayPass() && far.write(data));
    far.on('data', (data) => mayPass() && near.write(data));
    for (const one of [near, far])
      one.on('error', () => {}).on('close', () => [near, far].map((s) => s.destroy()));
  });
  let latest: unknown;
  between.listen(0, '127.0.0.1');
  await once(between, 'listening');
  t.teardown(() => between.close());
  const { port } = between.address() as AddressInfo;
  const messages: string[] = [];
  const through = { ...server, options: { ...server.options, port, socketTimeout: 500 } };
  const connection = await connect(through, { onConnection: (message) => messages.push(message) });
  t.teardown(connection.leave);
  isDeaf = true;
  latest = null;
  t.equal(await connection.client.ping(), 'PONG');
  t.match(messages, [/is away/, /is back/]);
});

t.test(
  'a server that forgets keys is refused, one that keeps no file is warned of',
  { skip: lacksRedis },
  async (t) => {
    const dir = t.testdir({ a: {}, b: {}, c: {} });
    const forgetful = ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'];
    const a = await startRedis(t, `${dir}/a`, forgetful);
    await t.rejects(checkServer(a.client, a.server), {
      code: 'ERR_QUEUE',
      message: /allkeys-lru.*noeviction/,
    });
    const b = await startRedis(t, `${dir}/b`, []);
    t.match(await checkServer(b.client, b.server), [/appendonly no/]);
    const c = await startRedis(t, `${dir}/c`);
    t.strictSame(await checkServer(c.client, c.server), []);
  },
);
