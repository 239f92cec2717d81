/** The image cache gives the pixels that decoding gives, whatever happens to the files. */
import { cpSync, existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { parseCacheSize } from '../../../src/images/cache/index.js';
import { fileStamp, StampCache } from '../../../src/images/cache/stamps.js';
import { openImages } from '../../../src/images/index.js';
import { FLOATS, photos, readAll, SHAPE, segments } from './photos.js';

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
