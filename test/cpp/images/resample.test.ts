import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import t from 'tap';
import { native, RESAMPLE_FILTERS, type Resampling } from '../../../src/native/addon.js';

const addon = native();
const { paths, path: chosen, jpeg } = addon.info();
t.teardown(() => addon.usePath(chosen));
const fixture = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../fixtures/images/${name}`, import.meta.url)));
const photo = fixture('photo-chelsea.jpg');
const noJpeg = jpeg ? false : 'built without libjpeg-turbo';

function noise(length: number): Uint8Array {
  const values = new Float32Array(length);
  addon.reset(values, { kind: 'uniform', low: 0, high: 256, key: 3n });
  return Uint8Array.from(values);
}

function sampling(
  [height, width]: [number, number],
  [toHeight, toWidth]: [number, number],
  rest: Partial<Resampling> = {},
): Resampling {
  return {
    channels: 3,
    from: { height, width },
    to: { height: toHeight, width: toWidth },
    window: { top: 0, left: 0, height: toHeight, width: toWidth },
    filter: 'bilinear',
    ...rest,
  };
}

t.test('halving takes what the triangle of the filter covers, in whole numbers', async (t) => {
  // Inside, inputs weigh 1, 3, 3 and 1 eighths: (0 + 3 * 0 + 3 * 70 + 140) / 8 = 43.75. At the ends the fourth is
  // missing and the others are sevenths: (3 * 70 + 3 * 0 + 0) / 7 = 30 and (70 + 3 * 140 + 3 * 210) / 7 = 160.
  const pixels = Uint8Array.of(70, 0, 0, 70, 140, 210);
  const row = sampling([1, 6], [1, 3], { channels: 1 });
  t.same([...(await addon.resample(pixels, row))], [30, 44, 160]);
});

t.test('every path gives the same bytes, for every filter and size', async (t) => {
  for (const channels of [1, 3] as const) {
    const pixels = noise(61 * 83 * channels);
    for (const filter of RESAMPLE_FILTERS) {
      for (const to of [
        [17, 23],
        [61, 83],
        [61, 40],
        [100, 83],
        [150, 211],
        [1, 1],
      ] as [number, number][]) {
        const found: Buffer[] = [];
        for (const path of paths) {
          addon.usePath(path);
          found.push(Buffer.from(await addon.resample(pixels, sampling([61, 83], to, { channels, filter }))));
        }
        t.ok(
          found.every((bytes) => bytes.equals(found[0]!)),
          `${channels} ${filter} ${to}`,
        );
      }
    }
  }
});

t.test('a window is a part of the whole', async (t) => {
  const pixels = noise(50 * 40 * 3);
  for (const filter of RESAMPLE_FILTERS) {
    const whole = await addon.resample(pixels, sampling([50, 40], [33, 70], { filter }));
    const window = { top: 5, left: 41, height: 28, width: 29 };
    const part = await addon.resample(pixels, sampling([50, 40], [33, 70], { filter, window }));
    for (let row = 0; row < window.height; row++) {
      const start = ((window.top + row) * 70 + window.left) * 3;
      const wanted = whole.subarray(start, start + window.width * 3);
      t.ok(Buffer.from(wanted).equals(part.subarray(row * 87, row * 87 + 87)), `${filter} row ${row}`);
    }
  }
});

t.test('a JPEG file is decoded and resampled at once', { skip: noJpeg }, async (t) => {
  const whole = await addon.resampleJpeg(photo, sampling([120, 160], [120, 160]));
  const small = sampling([120, 160], [31, 45]);
  t.strictSame(await addon.resampleJpeg(photo, small), await addon.resample(whole, small));
  const grey = { ...sampling([120, 160], [120, 160]), channels: 1 as const };
  const luma = whole.reduce<number[]>((all, red, at) => {
    if (at % 3 === 0) all.push((red * 19595 + whole[at + 1]! * 38470 + whole[at + 2]! * 7471 + 0x8000) >> 16);
    return all;
  }, []);
  t.strictSame(await addon.resampleJpeg(photo, grey), Uint8Array.from(luma));
});

t.test('damaged JPEG files are refused with a reason or give a picture', { skip: noJpeg }, async (t) => {
  const all = sampling([120, 160], [12, 16]);
  await t.rejects(addon.resampleJpeg(photo, sampling([160, 120], [12, 16])), {
    message: 'its header gives two sizes',
  });
  await t.rejects(addon.resampleJpeg(photo.subarray(0, -2), all), { message: 'the file ends early' });
  await t.rejects(addon.resampleJpeg(new Uint8Array(), all), { message: 'the file ends early' });
  await t.rejects(addon.resampleJpeg(new Uint8Array(99), all), { message: /^Not a JPEG file/ });
  let refused = 0;
  for (let at = 2; at < photo.length; at += 37) {
    for (const value of [0, 0xff, photo[at]! ^ 0x10]) {
      const damaged = Buffer.from(photo);
      damaged[at] = value;
      await addon.resampleJpeg(damaged, all).catch((error: Error) => {
        if (error.constructor !== Error || error.message === '') throw error;
        refused++;
      });
    }
  }
  t.ok(refused > 10);
});

t.test('a progressive file of very many scans is refused', { skip: noJpeg }, async (t) => {
  const progressive = fixture('progressive-grey.jpg');
  const end = progressive.length - 2;
  const scan = progressive.lastIndexOf(Buffer.from([0xff, 0xda]));
  const repeated = new Array<Buffer>(600).fill(progressive.subarray(scan, end));
  const bytes = Buffer.concat([progressive.subarray(0, end), ...repeated, progressive.subarray(end)]);
  await t.rejects(addon.resampleJpeg(bytes, { ...sampling([18, 24], [9, 12]), channels: 1 }), {
    message: 'it has too many scans',
  });
});

t.test('of a large picture fewer scans are read', { skip: noJpeg }, async (t) => {
  const side = 4000;
  const grey = sharp(Buffer.alloc(side * side, 9), { raw: { width: side, height: side, channels: 1 } });
  const progressive = await grey.toColourspace('b-w').jpeg({ progressive: true }).toBuffer();
  const resize = { ...sampling([side, side], [9, 12]), channels: 1 } as const;
  await addon.resampleJpeg(progressive, resize);
  const end = progressive.length - 2;
  const scan = progressive.lastIndexOf(Buffer.from([0xff, 0xda]));
  const repeated = new Array<Buffer>(300).fill(progressive.subarray(scan, end));
  const bytes = Buffer.concat([progressive.subarray(0, end), ...repeated, progressive.subarray(end)]);
  await t.rejects(addon.resampleJpeg(bytes, resize), { message: 'it has too many scans' });
});
