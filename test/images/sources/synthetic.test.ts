import { createHash } from 'node:crypto';
import t from 'tap';
import { openSynthetic } from '../../../src/images/sources/synthetic.js';

const SHAPE = { channels: 3, height: 32, width: 24 };

t.test('an image depends on its index and the shape, not on how many there are', async (t) => {
  const few = openSynthetic('synthetic:2', SHAPE);
  const many = openSynthetic('synthetic:10000000', SHAPE);
  t.equal(few.total, 2);
  t.equal(many.total, 10_000_000);
  t.same(await few.raw(1), await many.raw(1));
  t.notSame(await few.raw(0), await few.raw(1));
});

t.test('the pixels are what they were', async (t) => {
  // From the same formula over an independent Philox in Python; a change changes every synthetic result.
  const raw = await openSynthetic('synthetic:9', SHAPE).raw(5);
  t.same([...raw.subarray(0, 9)], [152, 126, 170, 128, 129, 135, 133, 98, 99]);
  t.equal(
    createHash('sha256').update(raw).digest('hex'),
    '69a7a7558b4bf557f2e924ed97030e6c26e76ffeee9929eb802e1d82693d5f8b',
  );
});

t.test('an image uses the range of a photograph and is smooth', async (t) => {
  const raw = await openSynthetic('synthetic:1', SHAPE).raw(0);
  const values = [...raw];
  t.equal(raw.length, 32 * 24 * 3);
  t.ok(Math.min(...values) < 60 && Math.max(...values) > 190);
  const steps = values.slice(3).map((value, at) => Math.abs(value - values[at]!));
  t.ok(steps.reduce((sum, step) => sum + step, 0) / steps.length < 40, 'neighbours are alike');
});

t.test('anything but a number of images from 1 is refused', async (t) => {
  for (const source of ['synthetic:', 'synthetic:0', 'synthetic:-1', 'synthetic:1e3', 'synthetic:10000001']) {
    t.throws(() => openSynthetic(source, SHAPE), {
      code: 'ERR_IMAGES',
      message: `${source}: is not a number of images; write synthetic:N with N from 1 to 10000000`,
    });
  }
});
