import { readFileSync } from 'node:fs';
import t from 'tap';
import { checkImages } from '../../src/images/check.js';
import { Crops } from '../../src/images/crops.js';
import { openImages } from '../../src/images/index.js';
import type { ImageSource } from '../../src/images/sources/source.js';
import { surveyImages } from '../../src/images/survey.js';
import { fixture } from '../fixtures.js';

const SHAPE = { channels: 3, height: 8, width: 8 };
const FIT = { resize: 8, interpolation: 'bilinear' as const, crop: { height: 8, width: 8 } };

/** Two images, of which the second cannot be decoded. */
function failing(failure: unknown): Crops {
  const source: ImageSource = {
    kind: 'folder',
    content: 'files',
    total: 2,
    size: null,
    names: ['a.png', 'b.png'],
    labels: null,
    classNames: null,
    layout: 'image files',
    nameOf: (index) => ['a.png', 'b.png'][index]!,
    raw: async (index) => Uint8Array.of(index),
    decode: async (_, index) => {
      if (index === 1) throw failure;
      return { data: new Uint8Array(192), height: 8, width: 8, channels: 3 };
    },
    close: async () => {},
  };
  return new Crops(source, SHAPE, FIT);
}

t.test('an image that cannot be decoded is a bad one', async (t) => {
  const { bad } = await checkImages(failing(new Error('its data is damaged')), Uint32Array.of(0, 1));
  t.same(bad, [{ index: 1, name: 'b.png', problem: 'its data is damaged' }]);
});

t.test('a machine without memory is no bad image', async (t) => {
  const native = Object.assign(new RangeError('not enough memory for this call'), { code: 'ERR_MEMORY' });
  const failures = [
    native,
    new Error('not enough memory for this call', { cause: native }),
    new RangeError('Array buffer allocation failed'),
    new Error('vips_tracked: out of memory --- size 512MB'),
    Object.assign(new Error('ENOMEM: not enough memory, read'), { code: 'ENOMEM' }),
  ];
  for (const failure of failures) {
    await t.rejects(checkImages(failing(failure), Uint32Array.of(0, 1)), {
      code: 'ERR_IMAGES',
      message: 'b.png: there is not enough memory; close other programs or give the machine more memory',
    });
  }
});

t.test('every kind that is read is surveyed, and what is not is unknown', async (t) => {
  const set = await openImages('synthetic:3', { shape: SHAPE });
  t.teardown(() => set.close());
  const files = [
    Buffer.from('no image'),
    readFileSync(fixture('images/rgb.bmp')),
    readFileSync(fixture('images/orientation-6.tif')),
  ];
  const survey = (from: number) =>
    surveyImages({ ...set, count: files.length - from, encoded: async (at) => files[at + from]! });
  t.match(await survey(0), {
    formats: { unknown: 1, 'bmp 24 bits': 1, 'tiff srgb': 1 },
    // The TIFF lies on its side.
    sizes: { width: { least: 13, most: 23 }, height: { least: 18, most: 21 } },
  });
  files.length = 1;
  t.same(await survey(0), { formats: { unknown: 1 }, sizes: null });
});
