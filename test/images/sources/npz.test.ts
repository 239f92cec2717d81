import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openNpz } from '../../../src/images/sources/npz.js';
import { type Member, npy, pattern, zip } from '../build-files.js';

const IMAGES = npy('|u1', [40, 8, 8], pattern(40 * 64));

/** Writes the bytes, opens them as an .npz, and closes the file when the test ends. */
async function archive(t: Test, bytes: Uint8Array) {
  const path = join(t.testdir(), 'a.npz');
  await writeFile(path, bytes);
  const handle = await open(path);
  t.teardown(() => handle.close());
  return openNpz(handle, 'a.npz');
}

const one = (member: Partial<Member>) => zip([{ name: 'images.npy', data: IMAGES, ...member }]);

t.test('stored and deflated members give the same bytes', async (t) => {
  for (const method of ['stored', 'deflated'] as const) {
    const range = await (await archive(t, one({ method }))).member('images');
    t.equal(range?.byteLength, IMAGES.length);
    t.same(await range?.read(0, IMAGES.length), IMAGES);
    t.same(await range?.read(100, 50), IMAGES.subarray(100, 150));
  }
});

t.test('keys are the .npy members; other members and keys that are not there are no error', async (t) => {
  const members = ['images.npy', 'readme.txt', 'labels.npy'].map((name) => ({ name, data: IMAGES }));
  const npz = await archive(t, zip(members));
  t.same(npz.keys, ['images', 'labels']);
  t.equal(await npz.member('pixels'), null);
});

t.test('an archive may be empty', async (t) => {
  t.same((await archive(t, zip([]))).keys, []);
});

const refused: [title: string, bytes: Buffer, message: RegExp][] = [
  [
    'not a zip file',
    Buffer.from('PK, or so it says, and then goes on for a while'),
    /a\.npz: is not a readable \.npz/,
  ],
  ['a truncated archive', one({}).subarray(0, 900), /is not a readable \.npz/],
  [
    'two arrays of one name',
    zip([1, 2].map(() => ({ name: 'images.npy', data: IMAGES }))),
    /two arrays "images"/,
  ],
];
for (const [title, bytes, message] of refused) {
  t.test(`${title} is refused`, async (t) => {
    await t.rejects(archive(t, bytes), { code: 'ERR_IMAGES', message });
  });
}

const damaged: [title: string, bytes: Buffer, message: RegExp][] = [
  ['an encrypted member', one({ flags: 1, method: 'deflated' }), /a\.npz \(images\.npy\): is encrypted/],
  ['a member in an unknown compression', one({ method: 12 }), /compression method 12; use numpy\.savez/],
  [
    'a member that inflates to more than it declares',
    one({ method: 'deflated', declaredBytes: 500 }),
    /too many bytes/,
  ],
  ['a member that inflates to less', one({ method: 'deflated', declaredBytes: 9999 }), /not enough bytes/],
  [
    'a member that declares more than deflate can hold',
    one({ method: 'deflated', declaredBytes: 2 ** 32 - 1 }),
    /declares 4294967295 bytes packed into \d+, which is impossible/,
  ],
  ['a member with a wrong checksum', one({ method: 'deflated', crc: 1 }), /checksum does not match/],
];
for (const [title, bytes, message] of damaged) {
  t.test(`${title} is refused when it is asked for`, async (t) => {
    const npz = await archive(t, bytes);
    await t.rejects(npz.member('images'), { code: 'ERR_IMAGES', message });
  });
}

t.test('a member with damaged deflate data is refused', async (t) => {
  const bytes = one({ method: 'deflated' });
  bytes.fill(0xff, 60, 90);
  await t.rejects((await archive(t, bytes)).member('images'), { code: 'ERR_IMAGES' });
});
