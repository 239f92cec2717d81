import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { mock } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import t from 'tap';
import { defaultCacheDirectory, parseCacheSize } from '../../src/images/cache/index.js';
import { PixelCache } from '../../src/images/cache/pixel-cache.js';
import { makeRoom } from '../../src/images/cache/room.js';
import { fileStamp, StampCache } from '../../src/images/cache/stamps.js';
import { type ImageOptions, openImages } from '../../src/images/index.js';

const SHAPE = { channels: 3, height: 32, width: 32 };
const FLOATS = 3 * 32 * 32;

/** A folder of JPEG files, each of its own content. */
async function photos(root: string, count: number): Promise<string> {
  mkdirSync(root, { recursive: true });
  for (let at = 0; at < count; at++) {
    const data = Uint8Array.from({ length: 50 * 40 * 3 }, (_, i) => (i * (at + 7)) >> 5);
    await sharp(data, { raw: { height: 40, width: 50, channels: 3 } })
      .jpeg()
      .toFile(join(root, `${String(at).padStart(4, '0')}.jpg`));
  }
  return root;
}

async function readAll(source: string, options: Partial<ImageOptions>) {
  const set = await openImages(source, { shape: SHAPE, images: 'all', ...options });
  const fingerprint = await set.fingerprint();
  const pixels = new Float32Array(set.count * FLOATS);
  await set.read(0, set.count, pixels);
  await set.close();
  const images = Array.from({ length: set.count }, (_, at) =>
    hash(pixels.subarray(at * FLOATS, (at + 1) * FLOATS)),
  );
  return { fingerprint, images, pixels: hash(pixels), warnings: set.warnings };
}

const segments = (cache: string) =>
  readdirSync(join(cache, 'pixels'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.segment'))
    .map((name) => join(cache, 'pixels', name));

/** Nothing for a file that has been closed meanwhile. */
const readlink = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};

/** The folder of a transform, as the cache calls it. */
const named = (transform: string) => createHash('sha256').update(transform).digest('hex').slice(0, 32);
const digest = (text: string) => createHash('sha256').update(text).digest();

/** Everything below a folder, as far as it is files. */
function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, info) => sum + (info.isFile() ? info.size : 0), 0);
}

t.test('images from the cache are those that were decoded, and no file is opened for them', async (t) => {
  const dir = t.testdir({});
  const [root, cache] = [await photos(join(dir, 'photos'), 12), join(dir, 'cache')];
  const plain = await readAll(root, {});
  t.same(await readAll(root, { cache }), plain, 'while it is being filled');
  // The content is gone, and nobody notices: stamp and pixels are in the cache.
  for (const name of readdirSync(root)) {
    const path = join(root, name);
    const { atime, mtime } = statSync(path);
    utimesSync(path, atime, new Date(mtime.getTime() - 60_000));
  }
  t.same(await readAll(root, { cache }), plain, 'from the cache, by content');
  t.equal(segments(cache).length, 1, 'nothing was written twice');
  const [copy] = [join(dir, 'copy')];
  cpSync(root, copy, { recursive: true });
  t.same(await readAll(copy, { cache }), plain, 'the same images elsewhere');
  t.equal(segments(cache).length, 1);
  const other = await readAll(root, { cache, resize: 60 });
  t.not(other.pixels, plain.pixels, 'another transform has pixels of its own');
  t.equal(segments(cache).length, 2);
  const normalised = await readAll(root, { cache, mean: [0, 0, 0], std: [1, 1, 1] });
  t.not(normalised.pixels, plain.pixels);
  t.equal(segments(cache).length, 2, 'the normalisation comes after it');
});

t.test('an image that changes has other pixels, a damaged record is decoded again', async (t) => {
  const dir = t.testdir({});
  const [root, cache] = [await photos(join(dir, 'photos'), 6), join(dir, 'cache')];
  const before = await readAll(root, { cache });
  cpSync(join(root, '0001.jpg'), join(root, '0004.jpg'));
  const after = await readAll(root, { cache });
  t.not(after.fingerprint, before.fingerprint);
  t.equal(after.images[4], before.images[1]);
  const [segment] = segments(cache);
  const bytes = readFileSync(segment!);
  bytes[2 * FLOATS + 5]! ^= 1;
  writeFileSync(segment!, bytes);
  t.same(await readAll(root, { cache }), after, 'a bit has flipped');
  writeFileSync(segment!, bytes.subarray(0, bytes.length / 2));
  t.same(await readAll(root, { cache }), after, 'half of it is lost');
});

t.test('images that change while they are in use are refused', async (t) => {
  const root = await photos(join(t.testdir({}), 'photos'), 2);
  const set = await openImages(root, { shape: SHAPE });
  t.teardown(() => set.close());
  await set.fingerprint();
  cpSync(join(root, '0000.jpg'), join(root, '0001.jpg'));
  const message = /0001\.jpg: has changed since the images were checked; leave the images alone/;
  await t.rejects(set.read(0, 2, new Float32Array(2 * FLOATS)), { code: 'ERR_IMAGES', message });
});

t.test('what is in a file is remembered as long as nobody writes to it', async (t) => {
  const dir = t.testdir({});
  const [root, cache] = [await photos(join(dir, 'photos'), 3), join(dir, 'cache')];
  const path = join(root, '0001.jpg');
  const fresh = await readAll(root, { cache });
  t.equal(await fileStamp(path), null, 'a young file might change within one tick of its clock');
  t.notOk(existsSync(join(cache, 'stamps')));
  await setTimeout(3500);
  t.same(await readAll(root, { cache }), fresh);
  t.equal(readdirSync(join(cache, 'stamps')).length, 1);
  const stamp = await fileStamp(path);
  t.equal(await fileStamp(path), stamp);
  // That it is used shows when it is wrong: what 0001 holds is taken for what 0000 holds.
  const stamps = await StampCache.open(cache, root);
  stamps.set(stamp!, stamps.get((await fileStamp(join(root, '0000.jpg')))!)!);
  await stamps.save();
  const misled = await readAll(root, { cache });
  t.equal(misled.images[1], fresh.images[0]);
  for (const name of readdirSync(join(cache, 'stamps'))) writeFileSync(join(cache, 'stamps', name), 'x');
  t.same(await readAll(root, { cache }), fresh, 'a file of stamps that is damaged counts for nothing');
  cpSync(join(root, '0002.jpg'), path);
  t.equal(
    (await readAll(root, { cache })).images[1],
    fresh.images[2],
    'and so does the stamp of another content',
  );
});

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

t.test('two processes on a cold cache both end right', async (t) => {
  const dir = t.testdir({});
  const [root, cache] = [await photos(join(dir, 'photos'), 40), join(dir, 'cache')];
  const plain = await readAll(root, {});
  const expected = { fingerprint: plain.fingerprint, pixels: plain.pixels, warnings: [] };
  t.same(await Promise.all([inChild(root, cache), inChild(root, cache), inChild(root, cache)]), [
    expected,
    expected,
    expected,
  ]);
  t.same(await readAll(root, { cache }), plain);
  t.notOk(
    readdirSync(cache, { recursive: true }).some((name) => String(name).endsWith('.tmp')),
    'all are whole',
  );
});

t.test('a writer that was killed leaves nothing that anyone reads', async (t) => {
  const dir = t.testdir({});
  const [root, cache] = [await photos(join(dir, 'photos'), 30), join(dir, 'cache')];
  const plain = await readAll(root, {});
  for (const after of [3, 12]) {
    const child = start(root, cache, 'stop', String(after));
    await new Promise((resolve) => child.once('message', resolve));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    t.same(await readAll(root, { cache }), plain);
  }
});

t.test(
  'a file that may not grow ends the caching, not the reading',
  { skip: process.platform === 'win32' },
  async (t) => {
    const dir = t.testdir({});
    const [root, cache] = [await photos(join(dir, 'photos'), 40), join(dir, 'cache')];
    const plain = await readAll(root, {});
    // 40 crops of 3 kB in blocks of 512 bytes or 1 kB: the limit is met on the way.
    const answer = await inChild(root, cache, 'ulimit -f 32');
    t.equal(answer.pixels, plain.pixels);
    t.equal(answer.fingerprint, plain.fingerprint);
    t.equal(answer.warnings.length, 1);
    t.match(answer.warnings[0], /image cache .* cannot be written \(files may not become that large here/);
    t.equal(segments(cache).length, 0, 'what was begun is gone');
    t.same(await readAll(root, { cache }), plain);
  },
);

const full = process.env.CRITMAP_SMALL_DISK ?? '';
const noDisk = full === '' && 'CRITMAP_SMALL_DISK names no folder on a disk of a few hundred kB';
t.test('a full disk ends the caching, not the reading', { skip: noDisk }, async (t) => {
  const root = await photos(join(t.testdir({}), 'photos'), 200);
  const cache = join(full, 'cache');
  const plain = await readAll(root, {});
  const filled = await readAll(root, { cache });
  t.equal(filled.pixels, plain.pixels);
  t.match(filled.warnings, [/disk is full|no room/]);
  rmSync(cache, { recursive: true });
});

t.test('a folder that cannot be the cache is refused when it was asked for', async (t) => {
  const dir = t.testdir({ file: 'x' });
  const root = await photos(join(dir, 'photos'), 1);
  const asked = openImages(root, { shape: SHAPE, cache: join(dir, 'file', 'cache') });
  await t.rejects(asked, {
    code: 'ERR_IMAGES',
    message: /file\/cache: cannot be the image cache \(.*--cache off/,
  });
  const before = process.env.XDG_CACHE_HOME;
  t.teardown(() => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
  });
  process.env.XDG_CACHE_HOME = join(dir, 'file');
  const { warnings } = await readAll(root, { cache: 'auto' });
  t.match(warnings, [/cannot be the image cache/], 'and only told of when it was not');
  process.env.XDG_CACHE_HOME = join(dir, 'elsewhere');
  t.equal(defaultCacheDirectory(), join(dir, 'elsewhere', 'critmap'));
  process.env.XDG_CACHE_HOME = 'relative';
  t.match(defaultCacheDirectory(), /\/\.cache\/critmap$/);
});

t.test('only files of its own are ever deleted', async (t) => {
  const own = '0123456789abcdef0123456789abcdef';
  const name = 'abc-0123456789ab';
  const pixels = {
    [own]: {
      [`${name}.segment`]: 'x',
      [`${name}.tmp`]: 'x',
      'notes.segment': 'x',
      'thesis.txt': 'x',
      deeper: { a: 'x' },
    },
    other: { [`${name}.segment`]: 'x' },
  };
  const stamps = { [own]: 'x', [`${own}-0123456789ab.tmp`]: 'x', 'mine.tmp': 'x' };
  const root = t.testdir({ pixels, stamps, 'photo.jpg': 'x', album: { 'photo.jpg': 'x' } });
  const files = () =>
    readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(join(root, name)).isFile(),
    );
  for (const file of files()) utimesSync(join(root, file), 1000, 1000);
  t.notOk(await makeRoom(root, 10, 0, new Set()), 'a limit that nothing fits into');
  t.same(files().sort(), [
    'album/photo.jpg',
    'photo.jpg',
    `pixels/${own}/deeper/a`,
    `pixels/${own}/notes.segment`,
    `pixels/${own}/thesis.txt`,
    `pixels/other/${name}.segment`,
    'stamps/mine.tmp',
  ]);
});

t.test('a folder that holds other things is no cache, nor is one among the images', async (t) => {
  const dir = t.testdir({
    album: { 'holiday.jpg': 'x' },
    made: {},
    tagged: { 'CACHEDIR.TAG': 'of others', a: 'x' },
  });
  const root = await photos(join(dir, 'photos'), 2);
  const open = (cache: string) => readAll(root, { cache });
  const holds =
    /album: is no image cache, it holds other things \(holiday\.jpg\); give a new or empty folder/;
  await t.rejects(open(join(dir, 'album')), { code: 'ERR_IMAGES', message: holds });
  t.same(readdirSync(join(dir, 'album')), ['holiday.jpg'], 'which is left as it is');
  await t.rejects(open(join(dir, 'tagged')), { message: /tagged: is no image cache/ });
  const within =
    /photos\/cache: cannot be the image cache: it lies in the folder of images .*photos; give a folder/;
  await t.rejects(open(join(root, 'cache')), { code: 'ERR_IMAGES', message: within });
  await t.rejects(open(root), { message: /lies in the folder of images/ });
  t.same(readdirSync(root), ['0000.jpg', '0001.jpg']);
  await open(join(dir, 'made'));
  t.match(
    readFileSync(join(dir, 'made', 'CACHEDIR.TAG'), 'utf8'),
    /^Signature: 8a477f597d28d172789f06886806bc55\n/,
  );
  writeFileSync(join(dir, 'made', 'note.txt'), 'x');
  await open(join(dir, 'made'));
  t.pass('what was put into a cache later does no harm');
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

t.test('sizes are numbers with a unit', (t) => {
  const sizes: [string, number][] = [
    ['20GB', 20e9],
    ['1.5 gb', 1.5e9],
    ['512MiB', 512 * 2 ** 20],
    ['2T', 2e12],
    ['1000000', 1e6],
  ];
  for (const [text, bytes] of sizes) t.equal(parseCacheSize(text), bytes, text);
  for (const text of ['', 'much', '10 apples', '-1GB', '5kB', '0', '1e9', '99999999TB']) {
    t.throws(() => parseCacheSize(text), { code: 'ERR_OPTION', message: /write 20GB or 512MiB/ }, text);
  }
  t.end();
});

interface Answer {
  fingerprint: string;
  pixels: string;
  warnings: string[];
}

const hash = (pixels: Float32Array) =>
  createHash('sha256')
    .update(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength))
    .digest('hex');

/** A process of its own that reads all images; see cache-reader.mjs. */
function start(...args: string[]): ChildProcess {
  return fork(fileURLToPath(new URL('cache-reader.mjs', import.meta.url)), args, { execArgv: [] });
}

function inChild(root: string, cache: string, limit?: string): Promise<Answer> {
  const script = fileURLToPath(new URL('cache-reader.mjs', import.meta.url));
  const child = limit
    ? fork(script, [root, cache], { execArgv: [], execPath: shellWith(limit, dirname(cache)) })
    : start(root, cache);
  return new Promise((resolve, reject) => {
    let answer: Answer | undefined;
    child.once('message', (message) => {
      answer = message as Answer;
    });
    child.once('error', reject);
    child.once('exit', (code) =>
      answer ? resolve(answer) : reject(new Error(`the child ended with ${code}`)),
    );
  });
}

/**
 * A program that is Node.js under a limit of the shell's. Without what tap loads into it: that ends a process at the
 * signal of `ulimit -f`, which Node.js itself ignores.
 */
function shellWith(limit: string, folder: string): string {
  const path = join(folder, 'limited');
  if (!existsSync(path))
    writeFileSync(path, `#!/bin/sh\nunset NODE_OPTIONS\n${limit}\nexec '${process.execPath}' "$@"\n`, {
      mode: 0o755,
    });
  return path;
}
