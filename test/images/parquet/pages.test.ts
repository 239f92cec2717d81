import { gzipSync } from 'node:zlib';
import t from 'tap';
import { boundedCompressors } from '../../../src/images/parquet/pages.js';

const page = Buffer.alloc(600, 7);
const packed = gzipSync(page);

t.test('pages are unpacked up to a bound on all of them together', async (t) => {
  const unpack = boundedCompressors(1300).GZIP!;
  for (const _ of [0, 1]) t.same(Buffer.from(unpack(packed, 600)), page);
  t.throws(() => unpack(packed, 600), new RangeError('pages of more than 1300 bytes'));
  t.same(Buffer.from(boundedCompressors(600).GZIP!(packed, 600)), page, 'each reading has its own');
});

t.test('a page that declares no size that can be is refused', async (t) => {
  for (const length of [-1, Number.NaN, 2 ** 40]) {
    t.throws(() => boundedCompressors(2 ** 30).GZIP!(packed, length), RangeError, String(length));
  }
});
