import t from 'tap';
import { openImages } from '../../src/images/index.js';
import { shuffledOrder } from '../../src/images/sample.js';
import { shuffled } from '../../src/images/shuffled.js';
import { example } from '../fixtures.js';

const shape = { channels: 1, height: 28, width: 28 };

t.test(
  'an order has every position once, depends on the seed only, and is no order of the source',
  async (t) => {
    const order = [...shuffledOrder(1000, 7)];
    t.strictSame(
      [...order].sort((a, b) => a - b),
      [...Array(1000).keys()],
    );
    t.strictSame([...shuffledOrder(1000, 7)], order);
    t.notSame([...shuffledOrder(1000, 8)], order);
    const fixed = order.filter((at, i) => at === i).length;
    t.ok(fixed < 8, `${fixed} stay where they are`);
    // Of a source sorted by ten classes, 8 images that follow each other are of several.
    const classes = (from: number) =>
      new Set(order.slice(from, from + 8).map((at) => Math.floor(at / 100))).size;
    for (let from = 0; from < 1000; from += 8) t.ok(classes(from) > 1, `slice at ${from}`);
  },
);

t.test('shuffled images are the same images, with their labels and hashes', async (t) => {
  const images = await openImages(example('images.npz'), { shape, images: 60, dataSeed: 3 });
  t.teardown(() => images.close());
  const view = shuffled(images);
  const order = shuffledOrder(60, 3);
  const [plain, moved] = [new Uint8Array(60 * 784), new Uint8Array(60 * 784)];
  await images.readPixels(0, 60, plain);
  await view.readPixels(0, 60, moved);
  const hashes = [await images.hashes(), await view.hashes()];
  for (const [i, at] of order.entries()) {
    const pixels = (from: Uint8Array, image: number) =>
      Buffer.from(from.subarray(image * 784, (image + 1) * 784));
    t.ok(pixels(moved, i).equals(pixels(plain, at)), `image ${i}`);
    t.equal(view.labels![i], images.labels![at]);
    t.equal(view.indices[i], images.indices[at]);
    t.equal(hashes[1]![i], hashes[0]![at]);
  }
  const part = new Float32Array(5 * 784);
  const whole = new Float32Array(60 * 784);
  await view.read(20, 25, part);
  await view.read(0, 60, whole);
  t.strictSame(part, whole.slice(20 * 784, 25 * 784));
  t.equal(await view.fingerprint(), await images.fingerprint(), 'it is the same sample');
  await view.close();
  await images.readPixels(0, 60, plain);
  await t.rejects(view.readPixels(0, 60, moved, AbortSignal.abort(new Error('enough'))), {
    message: 'enough',
  });
});
