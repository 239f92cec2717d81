/** What an engine computes is the model, reset or not, or the sweep is refused. */
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import { planCells } from '../../src/design/cells.js';
import { checkEngine, furthest } from '../../src/engines/check.js';
import type { Chunk } from '../../src/engines/chunk.js';
import type { Engine } from '../../src/engines/engine.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openReferenceEngine } from '../../src/engines/reference.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import { writeOnnx } from '../../src/onnx/file.js';
import type { Layer } from '../../src/onnx/layers.js';
import { example } from '../fixtures.js';
import { longs, node, value, weight, writeGraph } from '../onnx/graphs.js';

const SIZE = 6;
const COUNT = 3;
const context = { seed: 0, init: 'auto', norm: 'keep' } as const;
const engines = { fast: openFastEngine, reference: openReferenceEngine };

/** BiT's stem: a convolution, zeros around it, and a max-pooling to which zeros are not what minus infinity is. */
function stem(path: string) {
  const negative = weight('conv.bias', [4]);
  negative.rawData = new Uint8Array(Float32Array.of(-40, -50, -60, -70).buffer);
  writeGraph(path, {
    node: [
      node('Conv', ['images', 'conv.weight', 'conv.bias'], 'convolved', { kernel_shape: [3, 3] }),
      node('Pad', ['convolved', 'pads', 'zero'], 'padded'),
      node('MaxPool', ['padded'], 'pooled', { kernel_shape: [3, 3], strides: [2, 2] }),
      node('Flatten', ['pooled'], 'flat'),
      node('Gemm', ['flat', 'fc.weight'], 'logits', { transB: 1 }),
    ],
    initializer: [
      weight('conv.weight', [4, 1, 3, 3]),
      negative,
      longs('pads', [0, 0, 1, 1, 0, 0, 1, 1]),
      { ...weight('zero', []), rawData: new Uint8Array(4) },
      weight('fc.weight', [5, 16]),
    ],
    input: [value('images', [null, 1, SIZE, SIZE])],
    output: [value('logits', [null, 5])],
  });
}

const images = Float32Array.from({ length: COUNT * SIZE * SIZE }, (_, i) => Math.sin(i));
const chunk: Chunk = { index: 0, count: COUNT, images, height: SIZE, width: SIZE, labels: undefined };

async function opened(model: Model, kind: keyof typeof engines, batch = 2) {
  return engines[kind](model, { cells: [], context, size: chunk, batch, threads: 1 });
}

t.test('zeros in front of a max-pooling stay zeros on both engines', async (t) => {
  const path = join(t.testdir({}), 'stem.onnx');
  stem(path);
  const model = await loadModel(path);
  const options = { graphOptimizationLevel: 'disabled', logSeverityLevel: 3 } as const;
  const session = await InferenceSession.create(writeOnnx(model.file), options);
  const { logits } = await session.run({ images: new Tensor('float32', images, [COUNT, 1, SIZE, SIZE]) });
  const expected = (logits!.data as Float32Array).subarray(0, 10);
  for (const kind of ['fast', 'reference'] as const) {
    const engine = await opened(model, kind);
    const found = await engine.original(chunk, 2);
    t.equal(found.classes, 5);
    for (const [i, wanted] of expected.entries()) {
      t.ok(Math.abs((found.logits[i] ?? 0) - wanted) < 1e-4, `${kind}: ${found.logits[i]} is ${wanted}`);
    }
    t.strictSame(await checkEngine(model, engine, [], chunk, { ...context, batch: 2, threads: 2 }), [], kind);
    await engine.close();
  }
});

t.test('an engine that gives other logits is refused, with what to do', async (t) => {
  const model = await loadModel(example('resnet.onnx'));
  const size = { height: 28, width: 28 };
  const noise = Float32Array.from({ length: 4 * 28 * 28 }, (_, i) => Math.cos(i * i));
  const four: Chunk = { index: 0, count: 4, images: noise, ...size, labels: undefined };
  const right = await openReferenceEngine(model, { cells: [], context, size, batch: 4, threads: 1 });
  t.teardown(() => right.close());
  const off = (name: Engine['name'], by: number): Engine => ({
    ...right,
    name,
    async original(...asked) {
      const { logits, classes } = await right.original(...asked);
      // The third image's.
      const row = logits.slice(2 * classes, 3 * classes).map(Math.abs);
      logits[2 * classes + 4]! += by * Math.max(...row);
      return { logits, classes };
    },
  });
  const check = (engine: Engine, precision?: 'fp32' | 'tf32') =>
    checkEngine(model, engine, [], four, { ...context, batch: 8, threads: 2, precision });
  t.strictSame(await check(right), []);
  t.strictSame(await check(off('fast', 5e-4)), []);
  await t.rejects(check(off('fast', 2e-3)), {
    name: 'CritmapError',
    code: 'ERR_MODEL',
    message:
      /resnet\.onnx: ONNX Runtime's optimiser makes another model of it: on image 2 the logit of class 4 is .* Try --engine reference/,
  });
  await t.rejects(check(off('reference', 2e-3)), {
    message: /without optimising \S+\. Export it in another way/,
  });
  t.strictSame(await check(off('fast', 2e-3), 'tf32'), [], 'TF32 is less exact');
  await t.rejects(check(off('fast', 0.2), 'tf32'), { code: 'ERR_MODEL' });
});

t.test(
  'a model that mixes the images of a batch is refused as that, and warned of where it gets one',
  async (t) => {
    const path = join(t.testdir({}), 'mixing.onnx');
    const settings = { ...context, threads: 1 };
    for (const [nodes, by] of [
      [
        [node('ReduceMean', ['z'], 'm', { axes: [0] }), node('Sub', ['z', 'm'], 'y')],
        / node m \(ReduceMean\)/,
      ],
      [[node('Softmax', ['z'], 'y', { axis: 0 })], / node y \(Softmax\)/],
      // No axis tells this one.
      [
        [
          node('Transpose', ['z'], 't', { perm: [1, 0] }),
          node('ReduceMax', ['t'], 'm', { axes: [1] }),
          node('Transpose', ['m'], 'u', { perm: [1, 0] }),
          node('Sub', ['z', 'u'], 'y'),
        ],
        /batch\. If/,
      ],
    ] as const) {
      writeGraph(path, {
        node: [
          node('Conv', ['images', 'conv.weight'], 'c', { kernel_shape: [6, 6] }),
          node('Flatten', ['c'], 'z'),
          ...nodes,
        ],
        initializer: [weight('conv.weight', [4, 1, 6, 6], -70)],
        input: [value('images', [null, 1, 6, 6])],
        output: [value('y', [null, 4])],
      });
      const model = await loadModel(path);
      const isKnown = !by.test('batch. If');
      t.equal(
        model.warnings.some((text) => by.test(text) && /--batch 1/.test(text)),
        isKnown,
        `${by}`,
      );
      for (const kind of ['fast', 'reference'] as const) {
        const engine = await opened(model, kind);
        await t.rejects(checkEngine(model, engine, [], chunk, { ...settings, batch: 2 }), {
          code: 'ERR_MODEL',
          message: /depend on the other images of the batch.*model\.eval\(\).*--batch 1/,
        });
        await t.rejects(checkEngine(model, engine, [], chunk, { ...settings, batch: 2 }), { message: by });
        await engine.close();
        const one = await opened(model, kind, 1);
        t.strictSame(await checkEngine(model, one, [], chunk, { ...settings, batch: 1 }), [], kind);
        await one.close();
      }
    }
  },
);

t.test('what is not finite must be the same', async (t) => {
  const { NaN: nan, POSITIVE_INFINITY: infinite } = Number;
  const distance = (found: number[], expected: number[]) =>
    furthest({ logits: Float32Array.from(found), classes: 2 }, Float32Array.from(expected)).distance;
  t.equal(distance([nan, 1, infinite, 0], [nan, 1, infinite, 0]), 0);
  t.equal(distance([1, 1], [nan, 1]), infinite);
  t.equal(distance([nan, 1], [1, 1]), infinite);
  t.equal(distance([infinite, 1], [-infinite, 1]), infinite);
  t.equal(distance([0, 0], [0, 0]), 0, 'a row of zeros');
  t.equal(distance([1, 0], [0, 0]), infinite);
  t.equal(distance([4, 1], [4, 2]), 0.25);
  // More than a call takes as arguments.
  const classes = 200_000;
  const row = new Float32Array(classes).fill(4);
  t.equal(furthest({ logits: row.with(150_000, 1), classes }, row.with(150_000, 2)).distance, 0.25);
});

t.test('a plan that resets another layer than it says is refused', async (t) => {
  const model = await loadModel(example('resnet.onnx'));
  const size = { height: 28, width: 28 };
  const noise = Float32Array.from({ length: 4 * 28 * 28 }, (_, i) => Math.cos(i * i));
  const four: Chunk = {
    ...{ index: 0, count: 4, images: noise, ...size, labels: undefined },
    slices: [
      { slice: 3, from: 0, to: 2 },
      { slice: 4, from: 2, to: 4 },
    ],
  };
  const design = { imagesPerDraw: 2, trials: 1 };
  // Two layers of one shape, each with the other's weights, as where a weight was taken for another.
  const shape = ({ weight }: Layer) => weight.shape.join();
  const a = model.layers.find((one) =>
    model.layers.some((other) => other !== one && shape(other) === shape(one)),
  )!;
  const b = model.layers.findLast((other) => shape(other) === shape(a))!;
  const taking = (layer: Layer, { weight, bias, norm }: Layer): Layer => ({ ...layer, weight, bias, norm });
  const wrong = taking(a, b);
  const layers = model.layers.map((layer) => (layer === a ? wrong : layer === b ? taking(b, a) : layer));
  const confused = { ...model, layers };
  const resets = {
    random: { kind: 'random', label: 'random' },
    zero: { kind: 'zero', label: 'zero' },
  } as const;
  for (const reset of Object.values(resets)) {
    for (const kind of ['fast', 'reference'] as const) {
      const cells = planCells([a], [reset], 1);
      const options = { context, design, size, batch: 2, threads: 1 };
      const settings = { ...context, design, batch: 2, threads: 1 };
      const right = await engines[kind](model, { ...options, cells });
      t.strictSame(await checkEngine(model, right, cells, four, settings), [], kind);
      await right.close();
      const other = planCells([wrong], [reset], 1);
      const engine = await engines[kind](confused, { ...options, cells: other });
      // As it believes.
      const deceived: Engine = {
        ...engine,
        changed: (chunk, count, cell, slice) => engine.changed(chunk, count, other[cell.index]!, slice),
      };
      await t.rejects(checkEngine(model, deceived, cells, four, settings), {
        code: 'ERR_MODEL',
        message: new RegExp(
          `resnet\\.onnx: the ${kind} engine does not compute what the model's own graph does with ${a.name} reset \\(${reset.label}\\): on image`,
        ),
      });
      await engine.close();
    }
  }
});
