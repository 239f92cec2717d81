import t from 'tap';
import { drawOf, imagesOfSlices, slicesOf } from '../../src/design/slices.js';
import type { Layer } from '../../src/onnx/layers.js';

const random = { kind: 'random', label: 'random' } as const;
const zero = { kind: 'zero', label: 'zero' } as const;
const layer = { op: 'Conv' } as Layer;
const norm = { op: 'LayerNormalization' } as Layer;

t.test('a crossed design has one slice, and a draw a trial', async (t) => {
  const design = { imagesPerDraw: 'all', trials: 3 } as const;
  t.strictSame(slicesOf(design, 256, 100), [{ slice: 0, from: 0, to: 100 }]);
  t.strictSame(
    [0, 1, 2].map((trial) => drawOf(design, { layer, reset: random, trial }, 0)),
    [0, 1, 2],
  );
  t.equal(imagesOfSlices(design, 1, 999), 999);
});

t.test('slices are cut from the sample, not from the chunk', async (t) => {
  const design = { imagesPerDraw: 8, trials: 1 };
  t.strictSame(slicesOf(design, 0, 20), [
    { slice: 0, from: 0, to: 8 },
    { slice: 1, from: 8, to: 16 },
    { slice: 2, from: 16, to: 20 },
  ]);
  t.strictSame(slicesOf(design, 20, 6), [
    { slice: 2, from: 0, to: 4 },
    { slice: 3, from: 4, to: 6 },
  ]);
  t.strictSame(slicesOf({ imagesPerDraw: 1000, trials: 1 }, 512, 256), [{ slice: 0, from: 0, to: 256 }]);
  t.equal(imagesOfSlices(design, 3, 20), 20);
  t.equal(imagesOfSlices(design, 2, 20), 16);
});

t.test('every slice has draws of its own; a reset without randomness has one for all', async (t) => {
  const design = { imagesPerDraw: 8, trials: 2 };
  const draws = [0, 1, 2].flatMap((slice) =>
    [0, 1].map((trial) => drawOf(design, { layer, reset: random, trial }, slice)),
  );
  t.strictSame(draws, [0, 1, 2, 3, 4, 5]);
  t.equal(drawOf(design, { layer, reset: zero, trial: 0 }, 7), 0);
  t.equal(
    drawOf(design, { layer: norm, reset: random, trial: 0 }, 7),
    0,
    'a norm starts the same every time',
  );
});
