/** What the image cache keeps, closes and deletes to stay within its limits. */
import { existsSync, readdirSync, readlinkSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mock } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { PixelCache } from '../../../src/images/cache/pixel-cache.js';
import { makeRoom } from '../../../src/images/cache/room.js';
import { digest, named } from './photos.js';

/** Nothing for a file that has been closed meanwhile. */
const readlink = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};

/** Everything below a folder, as far as it is files. */
function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, info) => sum + (info.isFile() ? info.size : 0), 0);
}

t.test('the limit holds: what was used longest ago goes first, what is in use stays', async (t) => {
  const root = join(t.testdir({}), 'cache');
  const warnings: string[] = [];
  const recordBytes = 1000;
  const open = (transform: string, limitBytes: number) =>
    PixelCache.open({
      root,
      transform: named(transform),
      recordBytes,
      limitBytes,
      onWarning: (text) => warnings.push(text),
    });
  const fill = async (transform: string, count: number, limit: number) => {
    const cache = await open(transform, limit);
    for (let i = 0; i < count; i++)
      await cache.write(digest(`${transform} ${i}`), Buffer.alloc(recordBytes, i));
    await cache.close();
  };
  await fill('old', 20, 100_000);
  await fill('middle', 20, 100_000);
  const aged = (transform: string, seconds: number) => {
    const folder = join(root, 'pixels', named(transform));
    for (const name of readdirSync(folder)) utimesSync(join(folder, name), seconds, seconds);
  };
  aged('old', 1000);
  aged('middle', 2000);
  // Using it makes it young.
  const used = await open('old', 100_000);
  const out = Buffer.alloc(recordBytes);
  t.ok(await used.read(digest('old 3'), out));
  t.ok(out.every((byte) => byte === 3));
  await used.close();
  await fill('new', 40, 80_000);
  t.ok(bytesIn(root) <= 80_000, `${bytesIn(root)} bytes`);
  t.equal(readdirSync(join(root, 'pixels', named('middle'))).length, 0, 'the oldest went');
  t.equal(readdirSync(join(root, 'pixels', named('old'))).length, 1);
  t.same(warnings, []);
  await fill('large', 300, 80_000);
  t.ok(bytesIn(root) <= 80_000, `${bytesIn(root)} bytes`);
  t.equal(warnings.length, 1, 'a sample that is larger than the cache stays in it in part');
  t.match(warnings[0], /has no room for the rest of these images \(80 kB, or/);
  const large = await open('large', 80_000);
  t.ok(large.has(digest('large 0')));
  t.notOk(large.has(digest('large 299')));
  await large.close();
});

const POOL = { recordBytes: 1000, limitBytes: 1e8, onWarning: () => {} };

t.test('a writer that takes hours is not taken for one that is gone', async (t) => {
  const root = t.testdir({});
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const cache = await PixelCache.open({ ...POOL, root, transform: named('a') });
  await cache.write(digest('1'), Buffer.alloc(1000, 1));
  const folder = join(root, 'pixels', named('a'));
  const [temporary] = readdirSync(folder);
  t.match(temporary, /\.tmp$/);
  const path = join(folder, temporary!);
  const seconds = Date.now() / 1000 - 7200;
  utimesSync(path, seconds, seconds);
  mock.timers.tick(600_000);
  for (let waits = 0; statSync(path).mtimeMs < Date.now() - 3_600_000 && waits < 1000; waits++)
    await setTimeout(10);
  await makeRoom(root, 0, 1e8, new Set());
  t.ok(existsSync(path));
  await cache.close();
  t.match(readdirSync(folder), [/\.segment$/], 'and it ends well');
  writeFileSync(path, 'x');
  utimesSync(path, seconds, seconds);
  await makeRoom(root, 0, 1e8, new Set());
  t.notOk(existsSync(path), 'one that is gone is cleared away');
});

t.test('a cache of very many small segments keeps few files, and few of them open', async (t) => {
  const root = t.testdir({});
  const options = { ...POOL, root, transform: named('a') };
  const folder = join(root, 'pixels', named('a'));
  const cache = await PixelCache.open(options);
  for (let i = 0; i < 300; i++) {
    await cache.write(digest(`${i}`), Buffer.alloc(1000, i));
    await cache.flush();
  }
  const opened = () =>
    existsSync('/proc/self/fd') &&
    readdirSync('/proc/self/fd').filter((fd) => readlink(`/proc/self/fd/${fd}`).startsWith(root)).length;
  const read = async (i: number) => {
    const out = Buffer.alloc(1000);
    return (await reading.read(digest(`${i}`), out)) && out.every((byte) => byte === (i & 255));
  };
  let reading = cache;
  const order = Array.from({ length: 300 }, (_, i) => (i * 7) % 300);
  t.ok((await Promise.all(order.map(read))).every(Boolean), 'all at once');
  for (const i of order.slice(0, 100)) await read(i);
  t.ok(opened() === false || Number(opened()) <= 65, `${opened()} files are open`);
  await cache.close();
  t.equal(readdirSync(folder).length, 300);
  for (const [at, name] of readdirSync(folder).sort().entries())
    utimesSync(join(folder, name), 1000 + at, 1000 + at);
  const young = readdirSync(folder).sort().slice(44);
  reading = await PixelCache.open(options);
  t.same(readdirSync(folder).sort(), young, 'those used longest ago went');
  t.equal((await Promise.all(order.map(read))).filter(Boolean).length, 256);
  await reading.close();
});

t.test('what was found in the cache is not evicted to make room for the rest', async (t) => {
  const root = t.testdir({});
  const options = { ...POOL, root, transform: named('a'), limitBytes: 20_000 };
  const first = await PixelCache.open(options);
  for (let i = 0; i < 8; i++) await first.write(digest(`${i}`), Buffer.alloc(1000, i));
  await first.close();
  const second = await PixelCache.open(options);
  for (let i = 0; i < 8; i++) t.ok(second.has(digest(`${i}`)));
  for (let i = 8; i < 40; i++) await second.write(digest(`${i}`), Buffer.alloc(1000, i));
  const out = Buffer.alloc(1000);
  for (let i = 0; i < 8; i++) t.ok(await second.read(digest(`${i}`), out));
  await second.close();
});
