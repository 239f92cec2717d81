import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readLabelFile } from '../../../src/images/labels/read-label-file.js';
import { bytesOf, npy } from '../build-files.js';

const NAMES = ['a/1.png', 'a/2 two.png', 'b/3,x.png', 'b/4.png'];
const FOLDER = { name: 'photos', total: 4, names: NAMES };
const ARRAY = { name: 'images.npy', total: 4, names: null };
const ALL = Uint32Array.of(0, 1, 2, 3);

async function file(t: Test, content: string | Uint8Array, name = 'labels.txt'): Promise<string> {
  const path = join(t.testdir(), name);
  await writeFile(path, content);
  return path;
}

t.test('a line per image gives its class index, for folders and arrays', async (t) => {
  const path = await file(t, '\ufeff3\r\n 1\n0 \n2147483647\n\n');
  for (const source of [FOLDER, ARRAY]) {
    t.same([...(await readLabelFile(path, source, ALL)).labels], [3, 1, 0, 2147483647]);
    t.same([...(await readLabelFile(path, source, Uint32Array.of(1, 3))).labels], [1, 2147483647]);
  }
});

t.test('a line per path may be in any order, with spaces, a tab or a comma before the index', async (t) => {
  const path = await file(t, './b/4.png 9\nb/3,x.png, 8\na/2 two.png\t7\na/1.png,6\na/1.png,6\n');
  t.same([...(await readLabelFile(path, FOLDER, ALL)).labels], [6, 7, 8, 9]);
});

t.test('paths outside the sample need no label', async (t) => {
  const path = await file(t, 'a/1.png 6\nb/4.png 9\n');
  t.same([...(await readLabelFile(path, FOLDER, Uint32Array.of(0, 3))).labels], [6, 9]);
});

t.test('a .npy array of any integer dtype is read', async (t) => {
  const arrays: [string, ArrayBufferView][] = [
    ['|u1', Uint8Array.of(1, 0, 255, 3)],
    ['|i1', Int8Array.of(1, 0, 127, 3)],
    ['<u2', Uint16Array.of(1, 0, 65535, 3)],
    ['<i2', Int16Array.of(1, 0, 32767, 3)],
    ['<u4', Uint32Array.of(1, 0, 2147483647, 3)],
    ['<i4', Int32Array.of(1, 0, 2147483647, 3)],
    ['<u8', BigUint64Array.of(1n, 0n, 2147483647n, 3n)],
    ['<i8', BigInt64Array.of(1n, 0n, 2147483647n, 3n)],
  ];
  for (const [descr, values] of arrays) {
    const path = await file(t, npy(descr, [4], bytesOf(values)), 'labels.npy');
    const { labels } = await readLabelFile(path, FOLDER, ALL);
    t.same([...labels], Array.from(values as unknown as ArrayLike<number>, Number), descr);
  }
});

const refused: [title: string, content: string | Uint8Array, message: RegExp][] = [
  ['too few lines', '1\n2\n3\n', /labels\.txt: has 3 labels for 4 images; give one label per image/],
  ['too many lines', '1\n2\n3\n4\n5\n', /has 5 labels for 4 images/],
  ['an empty file', '\n\n', /is empty; write one class index per line/],
  ['a negative index', '1\n-2\n3\n4\n', /line 2: "-2" is not a class index from 0/],
  ['a word among indices', '1\ncat\n3\n4\n', /line 2: "cat" is not a class index, as others are/],
  ['an index beyond int32', '1\n2147483648\n3\n4\n', /line 2: "2147483648" is not a class index from 0/],
  ['a gap among indices', '1\n\n3\n4\n', /has 3 labels for 4 images/],
  [
    'other images',
    'x/1.jpg,1\nx/9.jpg,1\n',
    /no column names an image of photos: its first row is "x\/1\.jpg, 1", images are called a\/1\.png/,
  ],
  ['two labels for one path', 'a/1.png 1\na/1.png 2\n', /line 2: another label for a\/1\.png/],
  ['a missing path', 'a/1.png 1\n', /has no label for a\/2 two\.png and 2 more; add a line/],
  ['bytes that are no text', Uint8Array.of(0xff, 0xfe, 0x31), /is not a UTF-8 text file/],
];
for (const [title, content, message] of refused) {
  t.test(`${title} is refused`, async (t) => {
    await t.rejects(readLabelFile(await file(t, content), FOLDER, ALL), { code: 'ERR_IMAGES', message });
  });
}

const refusedArrays: [title: string, bytes: Buffer, message: RegExp][] = [
  ['float', npy('<f4', [4], Buffer.alloc(16)), /labels are float32; save class indices as integers/],
  ['boolean', npy('|b1', [4], Buffer.alloc(4)), /labels are bool/],
  ['one-hot', npy('|u1', [4, 10], Buffer.alloc(40)), /labels have shape \(4, 10\); save one class index/],
  ['too short', npy('|u1', [3], Buffer.alloc(3)), /has 3 labels for 4 images/],
  [
    'negative',
    npy('<i8', [4], bytesOf(BigInt64Array.of(0n, -1n, 0n, 0n))),
    /label 1 is -1; class indices run/,
  ],
  ['huge', npy('<u8', [4], bytesOf(BigUint64Array.of(2n ** 63n, 0n, 0n, 0n))), /label 0 is 922337203685477/],
];
for (const [title, bytes, message] of refusedArrays) {
  t.test(`a .npy array of ${title} labels is refused`, async (t) => {
    const path = await file(t, bytes, 'labels.npy');
    await t.rejects(readLabelFile(path, ARRAY, ALL), { code: 'ERR_IMAGES', message });
  });
}

t.test('a file that is not there, a folder, and paths for an array are refused', async (t) => {
  const path = await file(t, 'a/1.png 1\n');
  const missing = readLabelFile(join(path, '..', 'no.txt'), FOLDER, ALL);
  await t.rejects(missing, { code: 'ERR_IMAGES', message: /no\.txt: does not exist; check the path/ });
  await t.rejects(readLabelFile(join(path, '..'), FOLDER, ALL), { message: /is not a file/ });
  await t.rejects(readLabelFile(path, ARRAY, ALL), {
    message: /its first row is "a\/1\.png, 1", and images in an array have no paths/,
  });
});
