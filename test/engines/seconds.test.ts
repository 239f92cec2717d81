/** Engines say what their time went to. */
import t from 'tap';
import { planCells } from '../../src/design/cells.js';
import type { Chunk } from '../../src/engines/chunk.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openReferenceEngine } from '../../src/engines/reference.js';
import { loadModel } from '../../src/index.js';
import { example } from '../fixtures.js';

const model = await loadModel(example('resnet.onnx'));
const cells = planCells(model.layers.slice(0, 3), [{ kind: 'random', label: 'random' }], 1);
const size = { height: 28, width: 28 };
const images = Float32Array.from({ length: 16 * 28 * 28 }, (_, i) => Math.cos(i * i));
const chunk: Chunk = { index: 0, count: 16, images, ...size, labels: undefined };

for (const [name, open, threads] of [
  ['fast', openFastEngine, 2],
  ['reference', openReferenceEngine, 1],
] as const) {
  t.test(
    `the ${name} engine has spent nothing at first, then less than the clock and its threads`,
    async (t) => {
      const context = { seed: 0, init: 'auto', norm: 'keep' } as const;
      const engine = await open(model, { cells, context, size, batch: 4, threads });
      t.strictSame(engine.seconds(), { upload: 0, reset: 0, inference: 0, metrics: 0 });
      const started = performance.now();
      await engine.evaluate(chunk, cells, { original() {}, cell() {} });
      const once = engine.seconds();
      await engine.evaluate(chunk, cells, { original() {}, cell() {} });
      const elapsed = (performance.now() - started) / 1000;
      await engine.close();
      const twice = engine.seconds();
      for (const stage of ['reset', 'inference', 'metrics'] as const) {
        t.ok(once[stage] > 0 && twice[stage] > once[stage], stage);
      }
      t.equal(twice.upload > 0, name === 'fast', 'the reference engine normalises as it infers');
      const { upload, reset, inference, metrics } = twice;
      t.ok(upload + reset + inference + metrics <= threads * elapsed);
      t.ok(inference > upload + metrics);
    },
  );
}
