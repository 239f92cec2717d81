/** Tar files as sources: what is in them, and what is wrong with them. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type ImageOptions, openImages } from '../../../src/images/index.js';
import { fixture } from '../../fixtures.js';
import { TAR_END as END, tarMember as member } from '../build-files.js';

const SHAPE = { channels: 3, height: 8, width: 8 };
const shard = (name: string) => fixture(`images/${name}`);

async function open(t: Test, source: string, options: Partial<ImageOptions> = {}) {
  const set = await openImages(source, { shape: SHAPE, images: 'all', resize: 8, ...options });
  t.teardown(() => set.close());
  return set;
}

t.test('tar files that are not what they seem are refused, each with one line', async (t) => {
  const file = join(t.testdir({}), 'a.tar');
  const cases: [string, Buffer[], RegExp][] = [
    ['empty', [], /is cut off: nothing marks its end behind its 0 members/],
    [
      'cut between members',
      [member('a.png', 'x'), member('b.png', 'y')],
      /a\.tar: is cut off: nothing marks its end behind its 2 members; copy it again, or give --skip-bad-images/,
    ],
    [
      'two in one file',
      [member('a.png', 'x'), END, Buffer.alloc(8192), member('b.png', 'y'), END],
      /goes on behind its end, with another archive at byte 10240; copy it again/,
    ],
    ['text', [Buffer.from('not a tar file at all '.repeat(100))], /is no tar file, or damaged at byte 0/],
    [
      'cut in a member',
      [member('a.png', 'x'.repeat(5000)).subarray(0, 3000)],
      /is truncated \(the member at byte 0/,
    ],
    [
      'cut in a header',
      [member('a.png', 'x'), Buffer.alloc(100, 1)],
      /is truncated \(the member at byte 1024/,
    ],
    [
      'leading out',
      [member('../../etc/a.png', 'x'), END],
      /a path that leads out of it \(\.\.\/\.\.\/etc\/a\.png\)/,
    ],
    ['absolute', [member('/etc/a.png', 'x'), END], /a path that leads out of it/],
    [
      'a link',
      [member('a.png', '', { type: 'SymbolicLink', linkpath: '/etc/passwd' }), END],
      /a\.png is a link/,
    ],
    ['no images', [member('a.txt', 'x'), END], /no images in it; give tar files with \.jpg/],
    [
      'a class in words',
      [member('a.png', 'x'), member('a.cls', 'cat'), END],
      /\(a\.cls\): "cat" is not a class/,
    ],
    ['broken JSON', [member('a.png', 'x'), member('a.json', '{'), END], /\(a\.json\): is not JSON/],
    [
      'a class missing',
      [member('a.png', 'x'), member('a.cls', '3'), member('b.png', 'x'), END],
      /1 of 2 images have no class \(a\.tar\/b\.png\)/,
    ],
  ];
  for (const [title, parts, message] of cases) {
    writeFileSync(file, Buffer.concat(parts));
    await t.rejects(open(t, file), { code: 'ERR_IMAGES', message }, title);
  }
  const damaged = Buffer.concat([member('a.png', 'x'), member('b.png', 'x'), END]);
  damaged[1024] = 0x7f;
  writeFileSync(file, damaged);
  await t.rejects(open(t, file), { message: /damaged at byte 1024/ }, 'a header whose checksum is wrong');
});

t.test('every image in a tar file is used, whatever dots are in its name', async (t) => {
  const file = join(t.testdir({}), 'a.tar');
  const write = (...parts: Buffer[]) => writeFileSync(file, Buffer.concat([...parts, END]));
  const image = (path: string) => member(path, readFileSync(shard('rgb.png')));
  const paths = [
    'n01440764_10026.jpg',
    'n01440764_10026.rotated.jpg',
    'v1.0_b.PNG',
    'v1.0_a.png',
    'd.e/c.x.y.bmp',
  ];
  write(
    ...paths.map(image),
    image('._n01440764_10026.jpg'),
    member('notes.txt', 'x'),
    member('v1.0.heic', 'x'),
  );
  const set = await open(t, file);
  t.same(
    set.names,
    paths.map((path) => `a.tar/${path}`),
  );
  t.match(set.warnings, [
    /a\.tar: files of kinds that are not read are left out \(1 \.heic\)/,
    /a\.tar: 4 images have the same name up to its first dot \(n01440764_10026\.jpg, .*; each is used by itself/,
  ]);
  t.match(await open(t, file, { skipBadImages: true }), { count: 5, skipped: [] });
});

t.test('classes beside images with dots are those of the whole name, or of all of the sample', async (t) => {
  const file = join(t.testdir({}), 'a.tar');
  const write = (...parts: Buffer[]) => writeFileSync(file, Buffer.concat([...parts, END]));
  const image = (path: string) => member(path, readFileSync(shard('rgb.png')));
  write(image('a.1.png'), member('a.1.cls', '3'), image('a.2.png'), member('a.2.json', '{"label": 4}'));
  t.same([...(await open(t, file)).labels!], [3, 4]);
  write(image('b.rotated.png'), member('b.cls', '5'));
  t.same([...(await open(t, file)).labels!], [5]);
  // A class that is of one of several.
  write(
    image('c.mask.png'),
    image('c.png'),
    member('c.cls', '6'),
    image('d.png'),
    member('d.cls', '7'),
    image('d.png'),
  );
  await t.rejects((await open(t, file)).fingerprint(), {
    message:
      /2 of 4 images cannot be used: .*\(c\.mask\.png\): is another image of the sample c, whose class c\.png has/,
  });
  const set = await open(t, file, { skipBadImages: true });
  t.match(set.skipped, [
    { image: 'a.tar/c.mask.png' },
    { image: 'a.tar/d.png', problem: 'is in the tar file twice' },
  ]);
  t.same([...set.labels!], [6, 7]);
});

t.test('a shard that is cut anywhere is refused, or says what is gone', async (t) => {
  const whole = readFileSync(shard('pax-000000.tar'));
  const file = join(t.testdir({}), 'cut.tar');
  const all = (await open(t, shard('pax-000000.tar'))).count;
  // Two blocks of zeros end it, the first of which tells as much.
  const end = whole.findLastIndex((value) => value !== 0);
  const problems = new Set<string>();
  for (let length = 0; length <= Math.ceil(end / 512) * 512; length += 256) {
    writeFileSync(file, whole.subarray(0, length));
    await t.rejects(open(t, file), {
      code: 'ERR_IMAGES',
      message:
        /cut\.tar: is (?:truncated|cut off).*; copy it again, or give --skip-bad-images to use the images that are/,
    });
    const left = await open(t, file, { skipBadImages: true }).catch((error: Error) => error.message);
    if (typeof left === 'string') {
      t.match(left, /no images in it/);
      continue;
    }
    t.ok(left.count + left.skipped.length <= all);
    for (const { problem } of left.skipped) problems.add(problem);
    t.match(
      left.warnings[0],
      /cut\.tar: is (?:truncated|cut off).*; with --skip-bad-images the images that are left are used/,
    );
    // Of a single image whose class is gone nobody knows that it had one.
    if (left.total > 1 || left.labels) {
      t.same(
        [...left.labels!],
        [...left.indices].map((at) => at % 3),
        `${length} bytes`,
      );
    }
  }
  t.same([...problems], ['has lost its class, which was behind the cut']);
  writeFileSync(file, whole.subarray(0, Math.ceil((end + 1) / 512) * 512 + 512));
  t.match(await open(t, file), { count: all, warnings: [] });
});

t.test('what is behind the end of a shard and no archive is passed over', async (t) => {
  const file = join(t.testdir({}), 'a.tar');
  const image = member('a.png', readFileSync(shard('rgb.png')));
  // The second has sizes that cannot be read, in place of a checksum.
  for (const rest of [
    Buffer.alloc(512, 7),
    Buffer.alloc(512, 0x80),
    Buffer.alloc(512, 0xff),
    Buffer.alloc(100, 7),
  ]) {
    writeFileSync(file, Buffer.concat([image, END, rest]));
    t.match(await open(t, file), { count: 1, warnings: [] });
  }
});

t.test('a synset is a class, and JSON about other things is none', async (t) => {
  const file = join(t.testdir({}), 'a.tar');
  const parts = [
    member('a.png', 'x'),
    member('a.cls', 'n01443537\n'),
    member('b.png', 'x'),
    member('b.cls', '7'),
    END,
  ];
  writeFileSync(file, Buffer.concat(parts));
  t.same([...(await open(t, file)).labels!], [1, 7]);
  writeFileSync(file, Buffer.concat([member('a.png', 'x'), member('a.json', '{"caption": "a dog"}'), END]));
  t.equal((await open(t, file)).labels, null);
});

t.test('a member that is too large for an image is a bad image', async (t) => {
  const file = join(t.testdir({}), 'sparse.tar');
  const size = 2 ** 30 + 512;
  const first = member('a.png', readFileSync(shard('rgb.png')));
  const head = member('b.png', '', { size });
  writeFileSync(file, Buffer.concat([first, head]));
  // Nothing of it takes room on the disk.
  truncateSync(file, first.length + 512 + size + 1024);
  const set = await open(t, file, { skipBadImages: true });
  t.match(set.skipped, [
    { image: 'sparse.tar/b.png', problem: /is 1073742336 bytes, too large for an image/ },
  ]);
  await t.rejects((await open(t, file)).fingerprint(), {
    message: /sparse\.tar \(b\.png\): is 1073742336 bytes/,
  });
});
