import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import t from 'tap';
import { readJpegHeader } from '../../../src/images/pixels/jpeg-header.js';
import { fixture } from '../../fixtures.js';

const header = (name: string) => readJpegHeader(readFileSync(fixture(`images/${name}`)));

t.test('a JPEG header says how large the picture is, and whether it must be held as a whole', async (t) => {
  t.match(header('odd.jpg'), { components: 3, scans: 'one' });
  t.match(header('grey.jpg'), { components: 1, scans: 'one' });
  t.match(header('cmyk.jpg'), { components: 4, scans: 'one' });
  t.match(header('progressive.jpg'), { components: 3, scans: 'several' });
  t.match(header('arithmetic-progressive.jpg'), { scans: 'several' });
  t.match(header('arithmetic.jpg'), { scans: 'one' });
  const photo = sharp(Buffer.alloc(64 * 48 * 3, 9), { raw: { width: 64, height: 48, channels: 3 } });
  const bytes = await photo.jpeg().toBuffer();
  t.same(readJpegHeader(bytes), { height: 48, width: 64, components: 3, scans: 'one' });
  // A sequential file whose first scan has one component of three.
  const scan = bytes.indexOf(Buffer.from([0xff, 0xda]));
  bytes[scan + 4] = 1;
  t.match(readJpegHeader(bytes), { components: 3, scans: 'several' });
});

t.test('a segment that is too short for its own length is empty, as for decoders', (t) => {
  const bytes = readFileSync(fixture('images/odd.jpg'));
  for (const length of [0, 1, 2]) {
    const comment = Buffer.from([0xff, 0xfe, 0, length]);
    const file = Buffer.concat([bytes.subarray(0, 2), comment, bytes.subarray(2)]);
    t.same(readJpegHeader(file), readJpegHeader(bytes));
  }
  t.end();
});

t.test('a file that ends before its picture is refused, one that ends later is left to the decoder', (t) => {
  const bytes = readFileSync(fixture('images/odd.jpg'));
  const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]));
  t.throws(() => readJpegHeader(bytes.subarray(0, frame)), { message: 'the file ends before the picture' });
  t.throws(() => readJpegHeader(bytes.subarray(0, frame + 6)), { message: /damaged or cut off/ });
  const scan = bytes.indexOf(Buffer.from([0xff, 0xda]));
  for (const end of [scan, scan + 6, scan - 5]) {
    t.match(readJpegHeader(bytes.subarray(0, end)), { components: 3 });
  }
  t.end();
});
