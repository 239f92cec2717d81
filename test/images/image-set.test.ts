import { chmod, cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import { type ImageOptions, openImages } from '../../src/images/index.js';
import { pattern } from './build-files.js';

const SHAPE = { channels: 3, height: 16, width: 16 };

/** A folder of 20x24 PNG files, each of its own content. */
async function photos(t: Test, paths: readonly string[]): Promise<string> {
  const root = join(t.testdir(), 'photos');
  for (const [at, path] of paths.entries()) {
    await mkdir(join(root, path, '..'), { recursive: true });
    const data = pattern(20 * 24 * 3).map((value) => value + at * 11);
    await sharp(data, { raw: { height: 20, width: 24, channels: 3 } })
      .png()
      .toFile(join(root, path));
  }
  return root;
}

const CLASSES = ['dog/1.png', 'cat/2.png', 'cat/10.png', 'bird/deep/1.png'];

async function open(t: Test, source: string, options: Partial<ImageOptions> = {}) {
  const set = await openImages(source, { shape: SHAPE, ...options });
  t.teardown(() => set.close());
  return set;
}

const space = (count: number) => new Float32Array(count * 3 * 16 * 16);

t.test('class subfolders give labels in sorted order', async (t) => {
  const set = await open(t, await photos(t, CLASSES));
  t.same(set.names, ['bird/deep/1.png', 'cat/10.png', 'cat/2.png', 'dog/1.png']);
  t.same(set.classNames, ['bird', 'cat', 'dog']);
  t.same([...set.labels!], [0, 1, 1, 2]);
  t.match(set, { total: 4, count: 4, maxLabel: 2, shape: SHAPE });
});

t.test('small images are not enlarged much without a word', async (t) => {
  const root = await photos(t, CLASSES);
  const large = { shape: { channels: 3, height: 64, width: 64 } };
  const set = await open(t, root, large);
  t.match(set.warnings, [/photos: images of about 20 pixels are enlarged to 73, .*--size 20 --resize 20 /]);
  t.strictSame((await open(t, root, { ...large, resize: 64 })).warnings, [], 'who asks for it knows');
  t.strictSame((await open(t, root)).warnings, [], '18 is no more than 20');
  const nearly = await open(t, root, { shape: { channels: 3, height: 18, width: 18 } });
  t.match(nearly.warnings, [/images of about 20 pixels are enlarged to 21, .*; .*give --resize 18 or/]);
});

t.test('images of just the size that the model takes are told how to stay as they are', async (t) => {
  const shape = { channels: 3, height: 20, width: 24 };
  const root = await photos(t, CLASSES);
  const resized = await open(t, root, { shape });
  t.match(resized.warnings, [
    /photos: images are 20x24, as the model takes them, but are resized to 27 .*; --resize 20 takes their/,
  ]);
  const own = await open(t, root, { shape, resize: 20 });
  const stored = await sharp(join(root, own.names![0]!)).raw().toBuffer();
  const [as, other] = [new Uint8Array(1440), new Uint8Array(1440)];
  await own.readPixels(0, 1, as);
  await resized.readPixels(0, 1, other);
  t.strictSame([[...as], own.warnings], [[...stored], []]);
  t.notSame(as, other);
});

t.test('--labels none takes the same images without labels', async (t) => {
  const root = await photos(t, CLASSES);
  const set = await open(t, root, { labels: 'none', images: 2, dataSeed: 5 });
  const labelled = await open(t, root, { labels: 'folder', images: 2, dataSeed: 5 });
  t.match(set, { labels: null, classNames: null, maxLabel: null, count: 2, total: 4 });
  t.same(set.names, labelled.names);
});

t.test('--labels FILE labels the sample by path', async (t) => {
  const root = await photos(t, CLASSES);
  const file = join(root, '..', 'labels.txt');
  await writeFile(file, 'cat/2.png 5\ncat/10.png 4\ndog/1.png 900\nbird/deep/1.png 0\n');
  const set = await open(t, root, { labels: file });
  t.same([...set.labels!], [0, 4, 5, 900]);
  t.equal(set.classNames, null);
});

t.test('a folder without subfolders is unlabelled', async (t) => {
  const set = await open(t, await photos(t, ['b.png', 'a.png']));
  t.match(set, { names: ['a.png', 'b.png'], labels: null, classNames: null });
});

t.test('by default pixels are scaled as 256 is to 224, cropped and normalised as for ImageNet', async (t) => {
  const set = await open(t, await photos(t, ['a.png']));
  t.same(set.transform, {
    kind: 'pixels',
    resize: 18,
    interpolation: 'bilinear',
    crop: { height: 16, width: 16 },
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  });
  t.same(JSON.parse(JSON.stringify(set.transform)), set.transform);
});

t.test('an image of the right short side is cropped at the centre and normalised exactly', async (t) => {
  const root = await photos(t, ['a.png']);
  const [mean, std] = [
    [0.5, 0.25, 0],
    [0.5, 0.2, 0.3],
  ];
  const set = await open(t, root, { resize: 20, mean, std });
  const out = space(1);
  await set.read(0, 1, out);
  // 20x24 stays; top = (20 - 16) / 2 = 2, left = (24 - 16) / 2 = 4.
  const data = pattern(20 * 24 * 3);
  const expected = new Float32Array(out.length);
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < 16; y++) {
      for (let x = 0; x < 16; x++) {
        const value = data[((y + 2) * 24 + x + 4) * 3 + c]!;
        expected[(c * 16 + y) * 16 + x] = (value / 255 - mean![c]!) / std![c]!;
      }
    }
  }
  t.same(out, expected);
});

t.test('reads in pieces, in any order and at once give the bytes of one read', async (t) => {
  const set = await open(t, await photos(t, CLASSES));
  const whole = space(4);
  await set.read(0, 4, whole);
  const pieces = space(4);
  const size = pieces.length / 4;
  await Promise.all([
    set.read(2, 4, pieces.subarray(2 * size)),
    set.read(0, 1, pieces.subarray(0, size)),
    set.read(1, 2, pieces.subarray(size, 2 * size)),
    set.read(3, 3, space(0)),
  ]);
  t.same(pieces, whole);
});

t.test('pixels are the crops, and become what read gives', async (t) => {
  const set = await open(t, await photos(t, CLASSES));
  const pixels = new Uint8Array(4 * 16 * 16 * 3);
  await set.readPixels(0, 4, pixels);
  const { data } = await set.crop(2);
  t.same(pixels.subarray(2 * data.length, 3 * data.length), data);
  const part = new Uint8Array(2 * data.length);
  await set.readPixels(1, 3, part);
  t.same(part, pixels.subarray(data.length, 3 * data.length));
  const read = space(4);
  await set.read(0, 4, read);
  const planes = Float32Array.from(read, (_, at) => {
    const [image, rest] = [Math.floor(at / data.length), at % data.length];
    const [channel, place] = [Math.floor(rest / 256), rest % 256];
    return set.normalizeTable![channel * 256 + pixels[image * data.length + place * 3 + channel]!]!;
  });
  t.same(planes, read);
});

t.test('the fingerprint is of content and labels: not of place, name or transform', async (t) => {
  const root = await photos(t, CLASSES);
  const fingerprint = async (source: string, options: Partial<ImageOptions> = {}) =>
    (await open(t, source, options)).fingerprint();
  const original = await fingerprint(root);
  t.match(original, /^[0-9a-f]{64}$/);
  const copy = `${root}-copy`;
  await cp(root, copy, { recursive: true });
  t.equal(await fingerprint(copy), original);
  t.equal(await fingerprint(root, { resize: 20, mean: [0, 0, 0], std: [1, 1, 1] }), original);
  t.not(await fingerprint(root, { labels: 'none' }), original);
  t.not(await fingerprint(root, { images: 3 }), original);
  await cp(join(root, 'dog/1.png'), join(copy, 'cat/2.png'));
  t.not(await fingerprint(copy), original);
});

t.test('the fingerprint of synthetic images is what it was', async (t) => {
  const set = await open(t, 'synthetic:50', { images: 3 });
  // From Python's hashlib over an independent generator of the same images ([6, 8, 17]).
  t.equal(await set.fingerprint(), '191ba5d825c28c662684d54e127abc842afaa44819c4336a18a1311e7acd83a0');
  t.equal(await set.fingerprint(), await (await open(t, 'synthetic:50', { images: 3 })).fingerprint());
});

t.test('colour files go to a model of one channel as grey', async (t) => {
  const shape = { channels: 1, height: 20, width: 24 };
  const set = await open(t, await photos(t, ['a.png']), { shape, resize: 24, labels: 'none' });
  t.match(set.transform, { mean: [0], std: [1] });
  const out = new Float32Array(480);
  await set.read(0, 1, out);
  t.ok(out.every((value) => value >= 0 && value <= 1));
});

t.test('a damaged file fails the read that needs it, with its name, on one line', async (t) => {
  const root = await photos(t, CLASSES);
  await writeFile(join(root, 'cat/2.png'), 'no image');
  await writeFile(join(root, 'dog/1.png'), '');
  const set = await open(t, root);
  await set.read(0, 2, space(2));
  const message =
    /photos\/cat\/2\.png: cannot be decoded \(.*no image of a format that is read\); replace it, take it out or give --skip/;
  await t.rejects(set.read(0, 4, space(4)), { code: 'ERR_IMAGES', message }, 'the first in order is named');
  await t.rejects(set.read(3, 4, space(1)), {
    message: /dog\/1\.png: cannot be decoded \(the file is empty\)/,
  });
});

t.test('a file that is gone or not readable is named', async (t) => {
  const root = await photos(t, CLASSES);
  const set = await open(t, root);
  await rm(join(root, 'cat/2.png'));
  await t.rejects(set.read(0, 4, space(4)), { code: 'ERR_IMAGES', message: /cat\/2\.png: does not exist/ });
  await t.rejects(set.fingerprint(), { code: 'ERR_IMAGES' });
  await photos(t, CLASSES);
  t.match(await set.fingerprint(), /^[0-9a-f]{64}$/, 'and read once it is back');
});

t.test('permission denied is said', { skip: process.getuid?.() === 0 && 'root may read all' }, async (t) => {
  const root = await photos(t, CLASSES);
  await chmod(join(root, 'cat'), 0);
  await t.rejects(open(t, root), { code: 'ERR_IMAGES', message: /cat: permission denied; make it readable/ });
  await chmod(join(root, 'cat'), 0o700);
});

t.test('an abort stops the read with the reason of the signal', async (t) => {
  const set = await open(t, 'synthetic:400', { images: 'all' });
  const controller = new AbortController();
  const reading = set.read(0, 400, space(400), controller.signal);
  controller.abort(new Error('enough'));
  await t.rejects(reading, /enough/);
  await t.rejects(set.read(0, 1, space(1), AbortSignal.abort()), { name: 'AbortError' });
  await set.read(0, 1, space(1), new AbortController().signal);
});

t.test('misuse is a TypeError or RangeError', async (t) => {
  const set = await open(t, 'synthetic:4');
  await t.rejects(set.read(0, 5, space(5)), { name: 'RangeError', message: /not within the sample of 4/ });
  await t.rejects(set.read(2, 1, space(0)), { name: 'RangeError' });
  await t.rejects(set.read(0, 2, space(1)), { name: 'RangeError', message: /2 x 3x16x16 values/ });
  await t.rejects(set.readPixels(0, 5, new Uint8Array(5 * 768)), { name: 'RangeError' });
  await t.rejects(set.readPixels(0, 2, new Uint8Array(768)), { message: /Uint8Array of 2 x 16x16x3 values/ });
  await t.rejects(set.readPixels(0, 1, space(1) as never), { name: 'RangeError', message: /a Uint8Array/ });
  await set.close();
  await set.close();
  await t.rejects(set.read(0, 1, space(1)), { name: 'TypeError', message: /are closed/ });
  await t.rejects(set.readPixels(0, 1, new Uint8Array(768)), { name: 'TypeError', message: /are closed/ });
  await t.rejects(openImages('', { shape: SHAPE }), { name: 'TypeError' });
  await t.rejects(openImages('synthetic:1', { shape: { ...SHAPE, height: 0 } }), { name: 'RangeError' });
});

t.test('sources that are none are refused', async (t) => {
  const root = await photos(t, ['a.png']);
  await writeFile(join(root, 'data.zip'), 'x');
  const missing = join(root, 'nope');
  const refused: [string, RegExp | string][] = [
    [
      missing,
      `${missing}: does not exist (looked for ${missing}); give a folder, .tar or .parquet files, a .npy or .npz file, or synthetic:N`,
    ],
    [join(root, 'a.png'), /a\.png: is a single image; give the folder it is in/],
    [join(root, 'data.zip'), /data\.zip: is no kind of file that images are read from; give a folder/],
    [join(root, 'a.png/b'), /does not exist \(part of the path is a file\)/],
  ];
  for (const [source, message] of refused) {
    await t.rejects(openImages(source, { shape: SHAPE }), { code: 'ERR_IMAGES', message });
  }
});

t.test('folders that do not fit the labels or the model are refused', async (t) => {
  const flat = await photos(t, ['a.png', 'b.png']);
  await t.rejects(openImages(flat, { shape: SHAPE, labels: 'folder' }), {
    message: /has no class subfolders with images; leave out --labels folder/,
  });
  const mixed = await photos(t, ['a.png', 'b.png', 'cat/1.png']);
  await t.rejects(openImages(mixed, { shape: SHAPE }), {
    code: 'ERR_IMAGES',
    message: /2 of 3 images are outside the class subfolders \(a\.png\); move them into one, or .* none/,
  });
  t.match(await open(t, mixed, { labels: 'none' }), { names: ['a.png', 'b.png', 'cat/1.png'] });
  await t.rejects(openImages(flat, { shape: { ...SHAPE, channels: 4 } }), {
    message: /image files have 1 or 3 channels, the model takes 4; give .* array/,
  });
});
