/**
 * The pixels of torchvision's transform on Pillow (test/oracle/make_image_golden.py), and a table of how far ours
 * are from them: `npx tap -R tap test/images/golden.test.ts`. CRITMAP_GOLDEN names another folder that the script
 * has written, such as one of many whole photographs.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { openPicture } from '../../../src/images/pixels/decode.js';
import { fitPixels } from '../../../src/images/pixels/fit.js';
import { readImage, readPlainJpeg } from '../../../src/images/pixels/read-image.js';
import { native, type ResampleFilter } from '../../../src/native/addon.js';

interface Transformed {
  file: string;
  channels: 1 | 3;
  resize: number | null;
  /** Height and width. */
  crop: [number, number];
  interpolation: ResampleFilter;
  /** Where the expected pixels are in expected.bin, or their hash. */
  at?: number;
  sha256?: string;
  /** For decoders that may differ: in grey levels, the mean and the largest difference. */
  tolerance?: { mean: number; most: number };
}
interface Refused {
  file: string;
  error: string;
}

const folder = process.env.CRITMAP_GOLDEN ?? fileURLToPath(new URL('../../fixtures/images', import.meta.url));
const { versions, cases } = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as {
  versions: Record<string, string>;
  cases: (Transformed | Refused)[];
};
const expected = readFileSync(join(folder, 'expected.bin'));
const transformed = cases.filter((one): one is Transformed => 'crop' in one);
const refused = cases.filter((one): one is Refused => 'error' in one);
const bytesOf = (file: string) => readFileSync(join(folder, file));

const fitOf = ({ resize, interpolation, crop: [height, width] }: Transformed) => ({
  resize,
  interpolation,
  crop: { height, width },
});

/** In grey levels; a hash tells only whether there is any, which then counts as the most. */
function difference(one: Transformed, pixels: Uint8Array): { mean: number; most: number } {
  if (one.at === undefined) {
    const same = createHash('sha256').update(pixels).digest('hex') === one.sha256;
    return same ? { mean: 0, most: 0 } : { mean: 255, most: 255 };
  }
  const wanted = expected.subarray(one.at, one.at + one.crop[0] * one.crop[1] * one.channels);
  if (wanted.length !== pixels.length) return { mean: 255, most: 255 };
  let sum = 0;
  let most = 0;
  for (const [at, value] of wanted.entries()) {
    const apart = Math.abs(value - pixels[at]!);
    sum += apart;
    most = Math.max(most, apart);
  }
  return { mean: sum / wanted.length, most };
}

const row = ({ file, resize, crop, interpolation, channels }: Transformed, mean: number, most: number) =>
  `${file.padEnd(28)} ${String(resize ?? '-').padStart(4)} ${crop.join('x').padEnd(9)} ${interpolation.padEnd(9)} ${channels} ${mean.toFixed(4).padStart(8)} ${String(most).padStart(4)}`;

t.test('every kind of file has the pixels of torchvision on Pillow', async (t) => {
  t.comment(`made with ${JSON.stringify(versions)}; here ${native().info().jpeg ?? 'JPEG by sharp'}`);
  t.comment('file                       resize crop      filter    channels mean most (grey levels)');
  for (const one of transformed) {
    const pixels = await readImage(bytesOf(one.file), one.channels, fitOf(one));
    const { mean, most } = difference(one, pixels.data);
    t.comment(row(one, mean, most));
    const { mean: meanAllowed, most: mostAllowed } = one.tolerance ?? { mean: 0, most: 0 };
    if (mean > meanAllowed || most > mostAllowed) t.fail(row(one, mean, most));
  }
  t.ok(new Set(transformed.map(({ file }) => file)).size >= 40);
});

t.test('what cannot be read as Pillow reads it is refused with the reason', async (t) => {
  const fit = { resize: 12, interpolation: 'bilinear' as const, crop: { height: 8, width: 8 } };
  for (const { file, error } of refused) {
    await t.rejects(readImage(bytesOf(file), 3, fit), { message: new RegExp(error) }, file);
  }
});

t.test('JPEG files that are read in one go have the same pixels', async (t) => {
  let plain = 0;
  for (const one of transformed.filter(({ file }) => /\.jpg$/.test(file))) {
    const { channels, crop } = one;
    const out = new Uint8Array(crop[0] * crop[1] * channels);
    const digest = Buffer.alloc(32);
    if (!(await readPlainJpeg(join(folder, one.file), channels, fitOf(one), out, digest))) continue;
    plain++;
    const { mean, most } = difference(one, out);
    if (most > 0) t.fail(row(one, mean, most));
    if (!digest.equals(createHash('sha256').update(bytesOf(one.file)).digest())) t.fail(one.file);
  }
  t.equal(plain > 50, native().info().jpeg !== null, `${plain} cases`);
  const fit = { resize: 12, interpolation: 'bilinear' as const, crop: { height: 8, width: 8 } };
  for (const { file } of refused) {
    t.notOk(await readPlainJpeg(join(folder, file), 3, fit, new Uint8Array(192), null), file);
  }
});

t.test('sharp decodes JPEG to the same pixels, for builds without libjpeg-turbo', async (t) => {
  for (const one of transformed.filter(({ file }) => /\.jpg$/.test(file))) {
    const picture = await openPicture(bytesOf(one.file));
    const pixels = await fitPixels(await picture.decode(one.channels), fitOf(one));
    const { mean, most } = difference(one, pixels.data);
    if (most > 0) t.fail(row(one, mean, most));
  }
});
