/** Processes that share an image cache, and one that dies in it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { inChild, photos, readAll, start } from './photos.js';

t.test('two processes on a cold cache both end right', async (t) => {
  const dir = t.testdir({});
  const [root, cache] = [await photos(join(dir, 'photos'), 40), join(dir, 'cache')];
  const plain = await readAll(root, {});
  const expected = { fingerprint: plain.fingerprint, pixels: plain.pixels, warnings: [] };
  t.same(await Promise.all([inChild([root, cache]), inChild([root, cache]), inChild([root, cache])]), [
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
