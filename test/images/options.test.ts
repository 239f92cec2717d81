import t from 'tap';
import { openImages } from '../../src/images/index.js';
import type { ImageOptions } from '../../src/images/options.js';

const shape = { channels: 3, height: 8, width: 8 };
const open = (options: Partial<ImageOptions>) => openImages('synthetic:3', { shape, ...options });

t.test('options that make sense are taken', async (t) => {
  for (const options of [
    {},
    { images: 'all' as const },
    { images: 1, dataSeed: Number.MAX_SAFE_INTEGER },
    { mean: [0, 0, 0], std: [1, 2, 3] },
    { labels: 'none' },
  ]) {
    const set = await open(options);
    t.equal(set.total, 3);
    await set.close();
  }
});

t.test('without ImageNet channels, pixels are only divided by 255', async (t) => {
  const set = await openImages('synthetic:3', { shape: { channels: 2, height: 8, width: 8 } });
  t.match(set.transform, { mean: [0, 0], std: [1, 1] });
});

const refused: [options: Partial<ImageOptions>, message: string | RegExp][] = [
  [{ images: 0 }, '--images 0 is not a number of images; give one from 1, or all'],
  [{ images: 1.5 }, /--images 1\.5/],
  [{ images: Number.NaN }, /--images NaN/],
  [{ dataSeed: -1 }, '--data-seed -1 is not a seed; give an integer from 0 to 2^53 - 1'],
  [{ dataSeed: 2 ** 53 }, /--data-seed 9007199254740992/],
  [{ mean: [0, 0, 0] }, '--mean and --std go together; give both or neither'],
  [{ std: [1, 1, 1] }, /go together/],
  [{ mean: [0], std: [1] }, '--mean has 1 values for a model of 3 channels; give one per channel'],
  [{ mean: [0, 0, 0], std: [1, 1] }, /--std has 2 values for a model of 3/],
  [{ mean: [0, Number.NaN, 0], std: [1, 1, 1] }, '--mean 0 NaN 0 must be finite numbers'],
  [{ mean: [0, 0, 0], std: [1, Number.NaN, 1] }, '--std 1 NaN 1 must be finite numbers above 0'],
  [{ mean: [0, 0, 0], std: [1, 0, 1] }, /--std 1 0 1 must be finite numbers above 0/],
  [{ mean: [0, 0, 0], std: [1, -1, 1] }, /above 0/],
  [{ mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] }, /units of pixel \/ 255; divide/],
  [{ labelColumns: ['a'] }, '--label-columns goes with --labels FILE; give it too'],
  [{ labelColumns: ['a'], labels: 'none' }, /goes with --labels FILE/],
  [{ labelColumns: ['a'], labels: 'l.npy' }, '--label-columns does not go with l.npy, which has none'],
  [
    { labelColumns: [], labels: 'l.csv' },
    /--label-columns takes the column of classes, or those of images and/,
  ],
  [{ labelColumns: ['a', 'b', 'c'], labels: 'l.csv' }, /--label-columns takes/],
  [{ labelColumns: 'a,b' as never, labels: 'l.csv' }, /--label-columns takes/],
  [{ resize: 0 }, '--resize 0 is not a size in pixels; give an integer from 1 to 65536'],
  [{ crop: 7.5 }, /--crop 7\.5/],
  [{ crop: 8 }, "synthetic:3 is made at the model's size; leave out --resize, --crop and --interpolation"],
  [{ interpolation: 'bicubic' }, /made at the model's size/],
  [
    { interpolation: 'cubic' as never },
    /--interpolation cubic is unknown; give one of nearest, box, bilinear/,
  ],
  [
    { resizing: { resize: 0.5 } },
    "the model's resize 0.5 is not a size in pixels; give an integer from 1 to 65536",
  ],
  [{ resizing: { interpolation: 'cubic' as never } }, /the model's interpolation cubic is unknown/],
  [{ labels: 'folder' }, '--labels folder does not go with synthetic:3, which has no folders'],
];
for (const [options, message] of refused) {
  t.test(`${JSON.stringify(options)} is refused`, async (t) => {
    await t.rejects(open(options), { name: 'CritmapError', code: 'ERR_OPTION', message });
  });
}

t.test('sizes that do not fit the model are refused', async (t) => {
  const folder = t.testdir({ 'a.png': '' });
  const fits = (options: Partial<ImageOptions>) => openImages(folder, { shape, ...options });
  await t.rejects(fits({ crop: 9 }), {
    message: '--crop 9 does not fit the model, which takes 8x8; leave --crop out',
  });
  t.match((await fits({ resize: 8, crop: 8 })).transform, { resize: 8, crop: { height: 8, width: 8 } });
  t.match((await fits({ resize: 7 })).transform, { resize: 7, interpolation: 'bilinear' });
  const tall = { channels: 3, height: 32, width: 16 };
  t.match((await openImages(folder, { shape: tall })).transform, {
    resize: 37,
    crop: { height: 32, width: 16 },
  });
});

t.test("files are resized as the model's file says, unless an option says otherwise", async (t) => {
  const resizing = { resize: 10, interpolation: 'bicubic' } as const;
  const folder = t.testdir({ 'a.png': '' });
  const planned = async (options: Partial<ImageOptions>) => {
    const { transform } = await openImages(folder, { shape, resizing, ...options });
    return transform.kind === 'pixels' && [transform.resize, transform.interpolation];
  };
  t.same(await planned({}), [10, 'bicubic']);
  t.same(await planned({ resize: 12 }), [12, 'bicubic']);
  t.same(await planned({ interpolation: 'lanczos' }), [10, 'lanczos']);
  const made = await open({ resizing });
  t.match(made.transform, { resize: null, interpolation: null });
});
