/** A cache whose disk becomes full: its images are decoded as without it, and nothing half-written is ever read. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { claimFolder } from '../../../src/images/cache/own-folder.js';
import { onFullDisk } from '../../full-disk.js';
import { FLOATS, inChild, photos, readAll, segments } from './photos.js';

const IMAGES = 40;
const leftIn = (cache: string) =>
  readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((name) => /segment|tmp/.test(name));

t.test('a disk that is full at any byte of a segment ends the caching, not the reading', async (t) => {
  const dir = t.testdir({});
  const root = await photos(join(dir, 'photos'), IMAGES);
  const plain = await readAll(root, {});
  const places = {
    'at the first byte': 0,
    'in the first image': 500,
    'between two images': 3 * FLOATS,
    'in an image': 20 * FLOATS + 7,
    'in the index': IMAGES * FLOATS + 300,
    'at the last byte': IMAGES * (FLOATS + 36) + 24 - 1,
  };
  for (const [place, bytes] of Object.entries(places)) {
    const cache = join(dir, place.replaceAll(' ', '-'));
    // All but the segment is there, and none of it counts.
    await claimFolder(cache, root);
    const { warnings, ...read } = await onFullDisk(cache, bytes, () => readAll(root, { cache }));
    t.strictSame({ ...read, warnings: [] }, plain, place);
    t.equal(warnings.length, 1);
    t.match(warnings[0], /image cache .* cannot be written \(the disk is full\); critmap goes on without it/);
    t.strictSame(leftIn(cache), [], 'what was begun is gone');
    t.strictSame(await readAll(root, { cache }), plain, 'where there is room again');
    t.equal(segments(cache).length, 1);
    t.strictSame(await readAll(root, { cache }), plain);
  }
});

t.test(
  'a file that may not grow ends the caching, not the reading',
  { skip: process.platform === 'win32' },
  async (t) => {
    const dir = t.testdir({});
    const [root, cache] = [await photos(join(dir, 'photos'), IMAGES), join(dir, 'cache')];
    const plain = await readAll(root, {});
    // 40 crops of 3 kB in blocks of 512 bytes or 1 kB: the limit is met on the way.
    const answer = await inChild([root, cache], { words: 'ulimit -f 32; exec', beside: dir });
    t.equal(answer.pixels, plain.pixels);
    t.equal(answer.fingerprint, plain.fingerprint);
    t.equal(answer.warnings.length, 1);
    t.match(answer.warnings[0], /image cache .* cannot be written \(files may not become that large here/);
    t.equal(segments(cache).length, 0, 'what was begun is gone');
    t.same(await readAll(root, { cache }), plain);
  },
);

/** A disk of its own for one program, of which nothing is left after it. */
const withDisk = (folder: string, size: string) =>
  `exec unshare -Urm sh -c 'mount -t tmpfs -o size=${size} none ${folder} && exec "$@"' sh`;
const probe = t.testdir({});
const canMount = spawnSync('/bin/sh', ['-c', `${withDisk(probe, '1m')} true`]).status === 0;

t.test(
  'a small disk that others fill meanwhile ends the caching, not the reading',
  { skip: !canMount && 'no disk of its own can be mounted here' },
  async (t) => {
    const dir = t.testdir({ disk: {} });
    const [root, disk] = [await photos(join(dir, 'photos'), IMAGES), join(dir, 'disk')];
    const cache = join(disk, 'cache');
    const plain = await readAll(root, {});
    const limit = { words: withDisk(disk, '2m'), beside: dir };
    const answer = await inChild([root, cache, 'fill', '10'], limit);
    t.match(answer, { fingerprint: plain.fingerprint, pixels: plain.pixels });
    t.equal(answer.warnings.length, 1);
    t.match(answer.warnings[0], /cannot be written \(the disk is full\)/);
    t.strictSame(
      answer.files?.filter((name) => /segment|tmp/.test(name)),
      [],
    );
    const small = await inChild([root, cache], { words: withDisk(disk, '100k'), beside: dir });
    t.match(small, { fingerprint: plain.fingerprint, pixels: plain.pixels });
    t.match(small.warnings, [/has no room for the rest of these images \(.*or the disk is nearly full\)/]);
  },
);
