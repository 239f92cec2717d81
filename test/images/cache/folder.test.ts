/** Which folders the image cache takes for its own, and what it leaves alone in them. */
import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { defaultCacheDirectory } from '../../../src/files/cache-directory.js';
import { makeRoom } from '../../../src/images/cache/room.js';
import { openImages } from '../../../src/images/index.js';
import { photos, readAll, SHAPE } from './photos.js';

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
    /album: is not an image cache, for it holds other files \(holiday\.jpg\); give a new or empty folder/;
  await t.rejects(open(join(dir, 'album')), { code: 'ERR_IMAGES', message: holds });
  t.same(readdirSync(join(dir, 'album')), ['holiday.jpg'], 'which is left as it is');
  await t.rejects(open(join(dir, 'tagged')), { message: /tagged: is not an image cache/ });
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
