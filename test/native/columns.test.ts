import t from 'tap';
import { native } from '../../src/native/addon.js';
import { columns, ImageRows, sumNames } from '../../src/native/columns.js';
import { rowsOf } from '../comparison.js';

const values = { agree: [1, 0, 1], invalid: [0, 1, 0], top1: [1, 0, 0], top5: [1, 0, 1] } as Record<
  string,
  number[]
>;
const number = (name: string, image: number) => values[name]?.[image] ?? [0.5, Number.NaN, 0.25][image]!;

t.test('sums run over valid rows only, and invalid ones are counted', async (t) => {
  const sums = rowsOf(3, number, true).sums();
  t.match(sums, { images: 3, invalid: 1, agreement: 2, cosine: 0.75, cosineSquares: 0.3125, kl: 0.75 });
  t.match(sums, { top1: 1, top5: 2, loss: 0.75 });
  t.strictSame(
    Object.keys(sums),
    sumNames.map(({ name }) => name),
  );
});

t.test('without labels nothing is said of them', async (t) => {
  const sums = rowsOf(3, number).sums();
  t.notOk('top1' in sums || 'loss' in sums);
  t.strictSame(
    Object.keys(sums),
    sumNames.filter(({ labelled }) => !labelled).map(({ name }) => name),
  );
});

t.test('rows of several batches are one, and a part of them has its own sums', async (t) => {
  const whole = rowsOf(7, (name, image) => (name === 'invalid' ? Number(image === 2) : image + 0.25));
  const rows = Float64Array.from({ length: 9 * columns.length }, (_, i) => {
    const { name } = columns[i % columns.length]!;
    const image = Math.floor(i / columns.length) - 1;
    return name === 'invalid' ? Number(image === 2) : image + 0.25;
  });
  const parts = [
    { rows, first: 1, count: 3 },
    { rows, first: 4, count: 4 },
  ];
  const split = new ImageRows(parts, false);
  t.equal(split.images, 7);
  t.strictSame(split.column('kl'), whole.column('kl'));
  t.strictSame(split.sums(), whole.sums());
  t.match(split.sums(2, 5), {
    images: 3,
    invalid: 1,
    cosine: 3.25 + 4.25,
    cosineSquares: 3.25 ** 2 + 4.25 ** 2,
  });
  t.match(split.sums(6), { images: 1, invalid: 0, l1: 6.25 });
  t.match(split.sums(3, 3), { images: 0, cosine: 0 });
});

t.test("the columns are the addon's", async (t) => {
  const logits = Float32Array.of(0, 1, 2, 0);
  const compared = native().compare(logits, logits, 2, Int32Array.of(1, 1));
  for (const { name } of columns) t.ok(name === 'invalid' || name in compared, name);
});
