import { createHash } from 'node:crypto';
import sharp from 'sharp';
import t from 'tap';
import { type Fit, fitPixels } from '../../../src/images/pixels/fit.js';
import { readImage, readPlainJpeg } from '../../../src/images/pixels/read-image.js';
import { native } from '../../../src/native/addon.js';
import { pattern } from '../build-files.js';

const fit = (resize: number | null, height: number, width: number): Fit => ({
  resize,
  interpolation: 'bilinear',
  crop: { height, width },
});

const { placement } = native();

t.test('the short side becomes the size asked for and the long side is truncated', async (t) => {
  const resizedSize = (from: { height: number; width: number }, short: number) =>
    placement(from, fit(short, 1, 1)).to;
  // int(256 * 500 / 375) = int(341.33)
  t.same(resizedSize({ height: 375, width: 500 }, 256), { height: 256, width: 341 });
  t.same(resizedSize({ height: 500, width: 375 }, 256), { height: 341, width: 256 });
  // int(256 * 640 / 427) = int(383.70): truncated, not rounded
  t.same(resizedSize({ height: 427, width: 640 }, 256), { height: 256, width: 383 });
  t.same(resizedSize({ height: 28, width: 28 }, 37), { height: 37, width: 37 });
});

t.test('the centre crop rounds halves to even, as Python does', async (t) => {
  const at = (from: number, crop: number) =>
    placement({ height: from, width: 1 }, fit(null, crop, 1)).window.top;
  t.equal(at(256, 224), 16);
  t.equal(at(341, 224), 58, '58.5 goes to 58');
  t.equal(at(383, 224), 80, '79.5 goes to 80');
  t.equal(at(225, 224), 0, '0.5 goes to 0');
  t.equal(at(227, 224), 2, '1.5 goes to 2');
});

t.test('without resizing, a crop takes the pixels at the centre', async (t) => {
  // 4 rows of 5 columns, value = 10 * row + column; top = (4 - 2) / 2 = 1, left = round(0.5 * 3 = 1.5) = 2.
  const data = Uint8Array.from({ length: 20 }, (_, at) => 10 * Math.floor(at / 5) + (at % 5));
  const cropped = await fitPixels({ data, height: 4, width: 5, channels: 1 }, fit(null, 2, 2));
  t.same([...cropped.data], [12, 13, 22, 23]);
});

t.test('resizing then cropping gives the model its size', async (t) => {
  for (const channels of [1, 3]) {
    const pixels = { data: pattern(40 * 60 * channels), height: 40, width: 60, channels };
    const fitted = await fitPixels(pixels, fit(20, 16, 16));
    t.match(fitted, { height: 16, width: 16, channels });
    t.equal(fitted.data.length, 16 * 16 * channels);
  }
});

t.test('a flat image stays flat whatever is done to its size', async (t) => {
  const data = new Uint8Array(30 * 50 * 3).fill(77);
  for (const resize of [8, 100]) {
    const fitted = await fitPixels({ data, height: 30, width: 50, channels: 3 }, fit(resize, 8, 8));
    t.ok(fitted.data.every((value) => value === 77));
  }
});

t.test('an image whose short side is right already is not resampled', async (t) => {
  const data = pattern(6 * 9 * 3);
  const fitted = await fitPixels({ data, height: 6, width: 9, channels: 3 }, fit(6, 6, 9));
  t.equal(fitted.data, data);
});

t.test('a picture smaller than the crop is surrounded by black, the odd pixel after it', async (t) => {
  const { data } = await fitPixels(
    { data: Uint8Array.of(7, 8), height: 1, width: 2, channels: 1 },
    fit(null, 2, 5),
  );
  t.same([...data], [0, 7, 8, 0, 0, 0, 0, 0, 0, 0]);
  const resized = await fitPixels(
    { data: new Uint8Array(27).fill(9), height: 3, width: 3, channels: 3 },
    fit(2, 4, 4),
  );
  t.same(
    [...resized.data].filter((_, at) => at % 3 === 0),
    [0, 0, 0, 0, 0, 9, 9, 0, 0, 9, 9, 0, 0, 0, 0, 0],
  );
});

t.test('a long strip is resampled only where it is cropped, and refused beyond all measure', async (t) => {
  const strip = (width: number) => ({ data: new Uint8Array(width).fill(5), height: 1, width, channels: 1 });
  const { data } = await fitPixels(strip(20_000), fit(256, 224, 224));
  t.ok(data.every((value) => value === 5));
  await t.rejects(
    fitPixels(strip(300_000), fit(256, 224, 224)),
    /1x300000 pixels resize to 256x76800000, too large/,
  );
});

t.test('a squashed picture is what Pillow makes of it, by every way', async (t) => {
  const [height, width] = [61, 97];
  const data = Uint8Array.from({ length: height * width * 3 }, (_, at) => (at * 37 + (at >> 5) * 11) & 255);
  const squashed: Fit = { ...fit(36, 32, 32), interpolation: 'bicubic', squash: true };
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  const fitted = await fitPixels({ data, height, width, channels: 3 }, squashed);
  // Pillow 12.3: fromarray(data).resize((36, 36), BICUBIC).crop((2, 2, 34, 34))
  t.equal(sha256(fitted.data), '1a8faf5388f9f9dcf4e3dd5e81d97cbdea5d902e0f3ef68ddbaf7b5f04b0d92f');

  const raw = sharp(data, { raw: { height, width, channels: 3 } });
  const jpeg = await raw.clone().jpeg({ quality: 90 }).toBuffer();
  const decoded = await readImage(jpeg, 3, { ...fit(null, height, width) });
  const expected = await fitPixels({ ...decoded, channels: 3 }, squashed);
  t.strictSame((await readImage(jpeg, 3, squashed)).data, expected.data);
  const room = new Uint8Array(32 * 32 * 3);
  t.equal(await readPlainJpeg(jpeg, 3, squashed, room, null), false, 'the one step knows short sides only');
});
