/** On a card float32 must be float32: what rounds factors to TF32 is refused, other orders of summation are not. */
import t from 'tap';
import { checkEngine } from '../../src/engines/check.js';
import { type Chunk, floatsOf } from '../../src/engines/chunk.js';
import type { Engine } from '../../src/engines/engine.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openReferenceEngine } from '../../src/engines/reference.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import { example } from '../fixtures.js';

const context = { seed: 0, init: 'auto', norm: 'keep' } as const;
const size = { height: 28, width: 28 };
const images = Float32Array.from({ length: 4 * 28 * 28 }, (_, i) => Math.cos(i * i));
const chunk: Chunk = { index: 0, count: 4, images, ...size, labels: undefined };

/** To 10 bits of fraction, as a tensor core takes a factor. */
function tf32(values: Float32Array): Float32Array {
  const bits = new Uint32Array(Float32Array.from(values).buffer);
  return new Float32Array(bits.map((one) => (one + 0x1000) & ~0x1fff).buffer);
}

const check = (model: Model, engine: Engine, cards?: number[], precision?: 'tf32') =>
  checkEngine(model, engine, [], chunk, { ...context, batch: 4, threads: 2, cards, precision });

t.test("a card's float32 is no TF32", async (t) => {
  for (const name of ['resnet.onnx', 'resnet-init.onnx']) {
    const model = await loadModel(example(name));
    const options = { cells: [], context, size, batch: 4, threads: 1 };
    for (const open of [openFastEngine, openReferenceEngine]) {
      const engine = await open(model, options);
      t.teardown(() => engine.close());
      t.strictSame(await check(model, engine, [0]), [], 'other orders of summation');
    }
    const right = await openReferenceEngine(model, options);
    t.teardown(() => right.close());
    // The least that TF32 comes to, with weights and activations as they are.
    const ofImages: Engine = {
      ...right,
      original: (asked, count) =>
        right.original({ ...asked, images: tf32(floatsOf(asked, 0, asked.count)) }, count),
    };
    // As many bits, of every factor.
    const ofAll = await openFastEngine(model, { ...options, precision: 'fp16' });
    t.teardown(() => ofAll.close());
    for (const engine of [ofImages, ofAll]) {
      await t.rejects(check(model, engine, [0]), {
        code: 'ERR_MODEL',
        message:
          /onnx: the card computes with fewer bits than float32 has: on image \d .* \d+ times as far as rounding the images moves it\. --precision tf32 allows that/,
      });
      t.strictSame(await check(model, engine, [0], 'tf32'), []);
    }
    t.strictSame(await check(model, ofImages), [], 'near enough for the processor');
  }
});
