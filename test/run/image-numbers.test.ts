import t from 'tap';
import { columns, ImageRows } from '../../src/native/columns.js';
import { addClassRow, classRows, imageNumbers, isClassRow } from '../../src/run/image-numbers.js';

/** An image each, of a cosine; null for one whose logits are not finite, with a NaN that has a sign, as processors make them. */
const negativeNaN = new Float64Array(new BigUint64Array([0xfff8_0000_0000_0001n]).buffer)[0]!;
function rowsOf(cosines: readonly (number | null)[]): ImageRows {
  const rows = cosines.flatMap((cosine) => {
    const isInvalid = cosine === null;
    const isHit = cosine !== null && cosine > 0.5 ? 1 : 0;
    const values: Partial<Record<string, number>> = {
      agree: isHit,
      top1: isHit,
      top5: 1,
      invalid: +isInvalid,
    };
    return columns.map(({ name }) => values[name] ?? (isInvalid ? negativeNaN : cosine));
  });
  return new ImageRows([{ rows: Float64Array.from(rows), first: 0, count: cosines.length }], true);
}
const floats = (text: string) => {
  const bytes = Buffer.from(text, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
};

const draws = [rowsOf([0.1, null, 1]), rowsOf([0.2, 0.25, 0.75])];

t.test('numbers of images are float32, a draw after the other, or means over draws', async (t) => {
  const single = [0.1, 0.2].map(Math.fround);
  t.strictSame(floats(imageNumbers(draws, 'cosine', false)), [
    single[0],
    Number.NaN,
    1,
    single[1],
    0.25,
    0.75,
  ]);
  t.strictSame(floats(imageNumbers(draws, 'cosine', true)), [
    Math.fround((0.1 + 0.2) / 2),
    Number.NaN,
    0.875,
  ]);
  t.strictSame(floats(imageNumbers(draws, 'agreement', false)), [0, 0, 1, 0, 0, 1]);
  const [, bits] = new Uint32Array(
    Uint8Array.from(Buffer.from(imageNumbers(draws, 'kl', false), 'base64')).buffer,
  );
  t.equal(bits, 0x7fc0_0000, 'one NaN for all');
});

t.test('sums of classes count every pass, and add up only what is valid', async (t) => {
  const slices = [
    { slice: 4, from: 0, to: 2 },
    { slice: 5, from: 2, to: 3 },
  ];
  const rows = classRows(draws, slices, Int32Array.of(7, 7, 7));
  t.strictSame(rows, [
    [4, 7, 4, 1, 0.1 + 0.2 + 0.25, 0, 0],
    [5, 7, 2, 0, 1.75, 2, 2],
  ]);
  t.ok(rows.every(isClassRow));
  addClassRow(rows[0]!, rows[1]!);
  t.strictSame(rows[0], [4, 7, 6, 1, 0.1 + 0.2 + 0.25 + 1.75, 2, 2]);
  t.strictSame(
    classRows(draws, slices, Int32Array.of(-1, 3, -1)),
    [[4, 3, 2, 1, 0.25, 0, 0]],
    'without a class',
  );
});
