import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openImages } from '../../../src/images/index.js';
import { bytesOf, npy, pattern, zip } from '../build-files.js';

const GREY = { channels: 1, height: 4, width: 6 };
const COLOUR = { channels: 3, height: 4, width: 6 };
/** Leaves values as they are: (v / 255 - 0) / (1 / 255). */
const asIs = (channels: number) => ({
  mean: new Array<number>(channels).fill(0),
  std: new Array<number>(channels).fill(1 / 255),
});

async function file(t: Test, name: string, bytes: Uint8Array): Promise<string> {
  const path = join(t.testdir(), name);
  await writeFile(path, bytes);
  return path;
}

/** All of a source's values, rounded, and its set. */
async function readAll(t: Test, path: string, options: Parameters<typeof openImages>[1]) {
  const set = await openImages(path, { images: 'all', ...options });
  t.teardown(() => set.close());
  const { channels, height, width } = options.shape;
  const out = new Float32Array(set.count * channels * height * width);
  await set.read(0, set.count, out);
  return { set, values: out };
}

t.test('uint8 N x H x W images go to a model of one channel', async (t) => {
  const data = pattern(5 * 24);
  const path = await file(t, 'a.npy', npy('|u1', [5, 4, 6], data));
  const { set, values } = await readAll(t, path, { shape: GREY, ...asIs(1) });
  t.match(set, { source: path, total: 5, count: 5, names: null, labels: null, maxLabel: null });
  t.same(set.transform, { kind: 'pixels', resize: null, interpolation: null, crop: null, ...asIs(1) });
  t.same([...values].map(Math.round), [...data]);
});

t.test('uint8 N x H x W x C images become planes', async (t) => {
  const data = pattern(2 * 24 * 3);
  const path = await file(t, 'a.npy', npy('|u1', [2, 4, 6, 3], data));
  const { values } = await readAll(t, path, { shape: COLOUR, ...asIs(3) });
  const at = (n: number, c: number, pixel: number) => data[(n * 24 + pixel) * 3 + c];
  const expected = [0, 1].flatMap((n) =>
    [0, 1, 2].flatMap((c) => Array.from({ length: 24 }, (_, pixel) => at(n, c, pixel))),
  );
  t.same([...values].map(Math.round), expected);
});

t.test('float32 tensors are taken as they are, to the bit', async (t) => {
  const data = Float32Array.from({ length: 3 * 72 }, (_, at) => Math.fround(at * 0.1 - 7));
  data[5] = Number.NaN;
  data[6] = -0;
  const path = await file(t, 'a.npy', npy('<f4', [3, 3, 4, 6], bytesOf(data)));
  const { set, values } = await readAll(t, path, { shape: COLOUR });
  t.same(set.transform, { kind: 'tensors' });
  t.same(bytesOf(values), bytesOf(data));
  t.equal(set.normalizeTable, null);
  await t.rejects(set.readPixels(0, 3, new Uint8Array(3 * 72)), {
    name: 'TypeError',
    message: /no.* pixels/,
  });
});

t.test('an .npz gives images and labels, stored or deflated, sampled alike', async (t) => {
  const images = npy('|u1', [50, 4, 6], pattern(50 * 24));
  const labels = npy('<i8', [50], bytesOf(BigInt64Array.from({ length: 50 }, (_, at) => BigInt(at % 7))));
  const seen: unknown[] = [];
  for (const method of ['stored', 'deflated'] as const) {
    const bytes = zip([
      { name: 'images.npy', data: images, method },
      { name: 'labels.npy', data: labels, method },
    ]);
    const path = await file(t, `${method}.npz`, bytes);
    const { set, values } = await readAll(t, path, { shape: GREY, images: 10, dataSeed: 4 });
    t.same(
      [...set.labels!],
      [...set.indices].map((index) => index % 7),
    );
    t.equal(set.maxLabel, Math.max(...set.labels!));
    seen.push([[...set.indices], [...values], await set.fingerprint()]);
    const { set: bare } = await readAll(t, path, { shape: GREY, images: 10, dataSeed: 4, labels: 'none' });
    t.equal(bare.labels, null);
    t.not(await bare.fingerprint(), await set.fingerprint());
  }
  t.same(seen[0], seen[1]);
});

t.test('images larger than the model are resized or cropped when asked', async (t) => {
  const data = pattern(2 * 80);
  const path = await file(t, 'a.npy', npy('|u1', [2, 8, 10], data));
  const shape = { channels: 1, height: 4, width: 4 };
  await t.rejects(openImages(path, { shape }), {
    code: 'ERR_IMAGES',
    message: `${path}: images are 8x10, the model takes 4x4; give --resize or --crop`,
  });
  const { values, set } = await readAll(t, path, { shape, crop: 4, ...asIs(1) });
  t.match(set.transform, { resize: null, crop: { height: 4, width: 4 } });
  // top = (8 - 4) / 2 = 2, left = (10 - 4) / 2 = 3
  t.equal(Math.round(values[0]!), data[2 * 10 + 3]);
  t.equal(Math.round(values[16 + 5]!), data[80 + 3 * 10 + 4]);
  const { set: resized } = await readAll(t, path, { shape, resize: 4 });
  t.match(resized.transform, { resize: 4, interpolation: 'bilinear', crop: { height: 4, width: 4 } });
  await t.rejects(openImages(path, { shape: { channels: 1, height: 9, width: 9 }, crop: 9 }), {
    code: 'ERR_OPTION',
    message: /--crop 9 is larger than the images of .*, 8x10; give --resize/,
  });
});

t.test('normalising or resizing tensors is refused', async (t) => {
  const path = await file(t, 'a.npy', npy('<f4', [1, 1, 4, 6], Buffer.alloc(96)));
  for (const options of [{ mean: [0], std: [1] }, { resize: 8 }, { crop: 4 }]) {
    await t.rejects(openImages(path, { shape: GREY, ...options }), {
      code: 'ERR_OPTION',
      message: /^--(mean|resize|crop) does not go with .* taken as they are; leave it out/,
    });
  }
});

const IMAGE = npy('|u1', [1, 4, 6], Buffer.alloc(24));
const refused: [title: string, name: string, bytes: Buffer, message: RegExp][] = [
  [
    'grey images for a colour model',
    'a.npy',
    IMAGE,
    /images are 4x6 with 1 channel, the model takes 3 channels; repeat/,
  ],
  [
    'channels first',
    'a.npy',
    npy('|u1', [1, 3, 4, 6], Buffer.alloc(72)),
    /images are 3x4 with 6 channels, the model takes 3 channels; they look like N x C x H x W/,
  ],
  [
    'four channels',
    'a.npy',
    npy('|u1', [1, 4, 6, 4], Buffer.alloc(96)),
    /4 channels, .* save images with 3 channels/,
  ],
  [
    'no images',
    'a.npy',
    npy('|u1', [0, 4, 6, 3], Buffer.alloc(0)),
    /holds no images \(shape \(0, 4, 6, 3\)\)/,
  ],
  ['empty images', 'a.npy', npy('|u1', [9, 0, 6, 3], Buffer.alloc(0)), /holds no images/],
  [
    'float64',
    'a.npy',
    npy('<f8', [1, 3, 4, 6], Buffer.alloc(576)),
    /is float64 of shape \(1, 3, 4, 6\); save uint8/,
  ],
  [
    'one dimension',
    'a.npy',
    npy('|u1', [72], Buffer.alloc(72)),
    /is uint8 of shape \(72,\); save uint8 images/,
  ],
  [
    'tensors of another shape',
    'a.npy',
    npy('<f4', [1, 3, 6, 4], Buffer.alloc(288)),
    /3x6x4, the model takes 3x4x6/,
  ],
  ['text named .npy', 'a.npy', Buffer.from('hello'), /is not a \.npy array/],
  ['text named .npz', 'a.npz', Buffer.from('hello'), /is not a readable \.npz/],
  [
    'no array "images"',
    'a.npz',
    zip([{ name: 'x.npy', data: IMAGE }]),
    /no array "images" \(arrays are x\); save it/,
  ],
  ['an empty .npz', 'a.npz', zip([]), /no array "images" \(there are no arrays\)/],
];
for (const [title, name, bytes, message] of refused) {
  t.test(`${title} is refused`, async (t) => {
    const path = await file(t, name, bytes);
    await t.rejects(openImages(path, { shape: COLOUR }), { code: 'ERR_IMAGES', message });
  });
}

t.test('labels of the wrong length or dtype are refused, naming the member', async (t) => {
  for (const [labels, message] of [
    [npy('<i8', [2], Buffer.alloc(16)), /\.npz \(labels\.npy\): has 2 labels for 1 images/],
    [npy('<f8', [1], Buffer.alloc(8)), /\(labels\.npy\): labels are float64/],
  ] as const) {
    const bytes = zip([
      { name: 'images.npy', data: IMAGE },
      { name: 'labels.npy', data: labels },
    ]);
    const path = await file(t, 'a.npz', bytes);
    await t.rejects(openImages(path, { shape: GREY }), { code: 'ERR_IMAGES', message });
  }
});

t.test('a file that shrinks while it is open fails the read, not the process', async (t) => {
  const path = await file(t, 'a.npy', npy('|u1', [5, 4, 6], pattern(120)));
  const set = await openImages(path, { shape: GREY });
  t.teardown(() => set.close());
  await writeFile(path, 'gone');
  await t.rejects(set.read(0, 5, new Float32Array(120)), { code: 'ERR_IMAGES', message: /bytes too early/ });
});

t.test('blocks of small images and single large ones give the same values', async (t) => {
  // 24-byte images share blocks of 10,922; three blocks are needed here.
  const data = pattern(24 * 25_000);
  const path = await file(t, 'a.npy', npy('|u1', [25_000, 4, 6], data));
  const { values } = await readAll(t, path, { shape: GREY, ...asIs(1) });
  t.ok(values.every((value, at) => Math.round(value) === data[at]));
  const large = pattern(3 * 200 * 200);
  const largePath = await file(t, 'b.npy', npy('|u1', [3, 200, 200], large));
  const shape = { channels: 1, height: 200, width: 200 };
  const { values: largeValues } = await readAll(t, largePath, { shape, ...asIs(1) });
  t.ok(largeValues.every((value, at) => Math.round(value) === large[at]));
});
