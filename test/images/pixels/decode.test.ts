import sharp from 'sharp';
import t from 'tap';
import { openPicture } from '../../../src/images/pixels/decode.js';
import { bytesOf, pattern } from '../build-files.js';

const decodeImage = async (bytes: Uint8Array, channels: 1 | 3) => (await openPicture(bytes)).decode(channels);

const SIZE = { width: 6, height: 4 };
const RGB = pattern(6 * 4 * 3);
const rgb = (data: Uint8Array = RGB) => sharp(data, { raw: { ...SIZE, channels: 3 } });

t.test('lossless formats give back the pixels that went in', async (t) => {
  for (const file of [
    await rgb().png().toBuffer(),
    await rgb().png({ progressive: true }).toBuffer(),
    await rgb().webp({ lossless: true }).toBuffer(),
    await rgb().tiff({ compression: 'lzw' }).toBuffer(),
  ]) {
    const pixels = await decodeImage(file, 3);
    t.match(pixels, { ...SIZE, channels: 3 });
    t.same([...pixels.data], [...RGB]);
  }
});

t.test('JPEG, GIF and AVIF are read', async (t) => {
  const flat = rgb(new Uint8Array(72).fill(100));
  for (const file of [
    await flat.jpeg().toBuffer(),
    await flat.gif().toBuffer(),
    await flat.avif().toBuffer(),
  ]) {
    const { data, width, height } = await decodeImage(file, 3);
    t.match({ width, height }, SIZE);
    t.ok(data.every((value) => Math.abs(value - 100) <= 2));
  }
});

t.test('grey is replicated into RGB and kept as it is for one channel', async (t) => {
  const grey = pattern(24);
  const file = await sharp(grey, { raw: { ...SIZE, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer();
  t.same([...(await decodeImage(file, 1)).data], [...grey]);
  t.same(
    [...(await decodeImage(file, 3)).data],
    [...grey].flatMap((value) => [value, value, value]),
  );
});

t.test('colour becomes grey with the weights of Pillow', async (t) => {
  // L = (R * 19595 + G * 38470 + B * 7471 + 0x8000) >> 16, by hand.
  const colours = [255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 200, 30, 255, 255, 255, 1, 1, 1];
  const file = await sharp(Uint8Array.from(colours), { raw: { width: 6, height: 1, channels: 3 } })
    .png()
    .toBuffer();
  t.same([...(await decodeImage(file, 1)).data], [76, 150, 29, 124, 255, 1]);
});

t.test('alpha is dropped and not blended', async (t) => {
  const rgba = Uint8Array.from({ length: 96 }, (_, at) => (at % 4 === 3 ? at & 128 : RGB[at - (at >> 2)]!));
  const file = await sharp(rgba, { raw: { ...SIZE, channels: 4 } })
    .png()
    .toBuffer();
  t.same([...(await decodeImage(file, 3)).data], [...RGB]);
});

t.test('16-bit samples keep their high byte', async (t) => {
  const wide = Uint16Array.from(RGB, (value, at) => value * 256 + (at & 255));
  const file = await sharp(wide, { raw: { ...SIZE, channels: 3 } })
    .toColourspace('rgb16')
    .png()
    .toBuffer();
  t.equal((await sharp(file).metadata()).depth, 'ushort');
  t.same([...(await decodeImage(file, 3)).data], [...RGB]);
});

t.test('EXIF orientation and colour profiles are ignored', async (t) => {
  const plain = await rgb().png().toBuffer();
  const turned = await sharp(plain).withMetadata({ orientation: 6 }).png().toBuffer();
  t.equal((await sharp(turned).metadata()).orientation, 6);
  const profiled = await sharp(plain).withIccProfile('p3').png().toBuffer();
  t.ok((await sharp(profiled).metadata()).icc);
  const stored = await sharp(profiled, { ignoreIcc: true }).raw().toBuffer();
  t.same((await decodeImage(turned, 3)).data, (await decodeImage(plain, 3)).data);
  t.same((await decodeImage(profiled, 3)).data, stored);
});

t.test('of an animation the first frame is taken', async (t) => {
  const frames = Buffer.concat([Buffer.alloc(72, 40), Buffer.alloc(72, 200)]);
  const file = await sharp(frames, { raw: { width: 6, height: 8, channels: 3, pageHeight: 4 } })
    .gif()
    .toBuffer();
  t.equal((await sharp(file).metadata()).pages, 2);
  const pixels = await decodeImage(file, 3);
  t.equal(pixels.height, 4);
  t.ok(pixels.data.every((value) => value === 40));
});

t.test('damaged files and files of another kind are refused', async (t) => {
  const jpeg = await sharp(pattern(64 * 64 * 3), { raw: { width: 64, height: 64, channels: 3 } })
    .jpeg()
    .toBuffer();
  const png = await sharp(jpeg).png().toBuffer();
  const lab = await sharp(jpeg).tiff({ compression: 'none' }).toBuffer();
  // PhotometricInterpretation, one short: from RGB to CIELab, as Pillow writes it.
  lab[lab.indexOf(Buffer.from('0601030001000000', 'hex')) + 8] = 8;
  const refused: [Uint8Array, RegExp][] = [
    [lab, /^its colours are L\*a\*b\*, which are not read; convert it to RGB$/],
    [new Uint8Array(0), /empty/],
    [Buffer.from('not an image at all'), /no image of a format that is read/],
    [jpeg.subarray(0, jpeg.length / 2), /data is damaged or cut off/],
    [jpeg.subarray(0, 40), /header is damaged or cut off/],
    [png.subarray(0, png.length / 2), /data is damaged or cut off/],
    [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>'), /it is SVG/],
    [bytesOf(new Float64Array(50)), /no image of a format that is read/],
  ];
  for (const [bytes, message] of refused) await t.rejects(decodeImage(bytes, 3), message);
});
