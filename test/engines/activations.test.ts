/**
 * Layers, blocks and parts of blocks that are skipped or give their mean, on a ResNet, a vision transformer and a ConvNeXt:
 * both engines against PyTorch's forward hooks, and the demo's model against graphs made by hand
 * (oracle/make_activation_golden.py).
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { furthest } from '../../src/engines/check.js';
import type { Chunk } from '../../src/engines/chunk.js';
import type { Logits } from '../../src/engines/engine.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openReferenceEngine } from '../../src/engines/reference.js';
import { loadModel, modelInput, openImages } from '../../src/index.js';
import type { Reset } from '../../src/resets/kinds.js';
import { chooseTargets, measureActivations } from '../../src/sweep/targets.js';
import { example, fixture } from '../fixtures.js';
import { readNpyFloats } from '../npy-floats.js';

type Truth = { skip: number[][] | null; mean: number[][] };
type Answers = Record<'layer' | 'block' | 'part', Record<string, Truth>> & { logits: number[][] };

const skip: Reset = { kind: 'skip', label: 'skip' };
const mean: Reset = { kind: 'mean', label: 'mean' };
const design = { trials: 3 };
/** Of a row's largest logit: float32 of other kernels, a dozen layers long. */
const NEAR = 1e-4;

function chunkOf(path: string): Chunk {
  const { data, shape } = readNpyFloats(path);
  const [count = 0, , height = 0, width = 0] = shape;
  return { index: 0, count, images: data, height, width, labels: undefined };
}

/** By name and reset, the logits of both engines. */
async function computed(
  path: string,
  chunk: Chunk,
  data: string,
  group: string,
  resets: Reset[],
  layers?: string[],
) {
  const model = await loadModel(path);
  const size = { channels: model.io.channels, height: chunk.height, width: chunk.width };
  const targets = await chooseTargets(model, size, { group, resets, design, layers });
  const images = await openImages(data, { shape: modelInput(model).shape });
  const activations = await measureActivations(model, images, targets.replacements);
  await images.close();
  const context = { seed: 0, init: 'auto', norm: 'keep', activations } as const;
  const found = new Map<string, [Logits, Logits]>();
  const engines = await Promise.all(
    [openFastEngine, openReferenceEngine].map((open) =>
      open(model, { cells: targets.cells, context, size, batch: chunk.count, threads: 2 }),
    ),
  );
  for (const cell of targets.cells) {
    const [fast, reference] = [
      await engines[0]!.changed(chunk, chunk.count, cell, 0),
      await engines[1]!.changed(chunk, chunk.count, cell, 0),
    ];
    found.set(`${cell.layer.name} ${cell.reset.label}`, [fast, reference]);
  }
  for (const engine of engines) await engine.close();
  return { model, targets, activations, found };
}

const distance = (found: Logits, truth: readonly number[][]) =>
  furthest(found, Float32Array.from(truth.flat())).distance;

for (const name of ['resnet', 'vit', 'convnext']) {
  t.test(`${name}: layers and blocks are skipped, or give their mean, as PyTorch does it`, async (t) => {
    const answers: Answers = JSON.parse(readFileSync(fixture(`activations/${name}.json`), 'utf8'));
    const data = fixture('activations/images.npy');
    const chunk = chunkOf(data);
    const groupings = { layer: 'layer', block: 'block', part: 'blocks\\.\\d+\\.(?:attn|mlp)' };
    for (const [kind, group] of Object.entries(groupings) as ['layer' | 'block' | 'part', string][]) {
      const truths = Object.entries(answers[kind]);
      if (truths.length === 0) continue;
      // Layers that are in no block are groups of one, and have been compared as layers.
      const layers = truths.map(([one]) => (kind === 'layer' ? one : `${one}.*`));
      const { found, targets } = await computed(
        fixture(`activations/${name}.onnx`),
        chunk,
        data,
        group,
        [skip, mean],
        layers,
      );
      for (const [one, truth] of truths) {
        for (const label of ['skip', 'mean'] as const) {
          const wanted = truth[label];
          const both = found.get(`${one} ${label}`);
          const why = targets.leftOut.find((left) => left.name === one && left.reset === label)?.why;
          if (!wanted) {
            t.match(why, /shapes/, `${one} cannot be skipped`);
            t.notOk(both, 'and is not scored');
            continue;
          }
          if (!both) {
            t.fail(`${kind} ${one} ${label} lacks: ${why}`);
            continue;
          }
          const [fast, reference] = both;
          t.ok(
            distance(fast, wanted) < NEAR,
            `${kind} ${one} ${label}: ${distance(fast, wanted)} from PyTorch`,
          );
          t.ok(furthest(fast, reference.logits).distance < NEAR, 'the engines agree');
          t.ok(distance(fast, answers.logits) > 1e-2, 'and it is seen');
        }
      }
      t.equal(found.size + targets.leftOut.filter(({ reset }) => reset).length, 2 * truths.length);
    }
  });
}

t.test("the demo's residual blocks are skipped as a graph made by hand does it", async (t) => {
  const answers: { logits: number[][]; skip: Record<string, number[][]> } = JSON.parse(
    readFileSync(fixture('activations/demo.json'), 'utf8'),
  );
  const data = fixture('activations/demo.npy');
  const { found, targets, activations } = await computed(
    example('resnet.onnx'),
    chunkOf(data),
    data,
    'block',
    [skip],
    ['layer*'],
  );
  t.equal(targets.leftOut.length, 0);
  t.strictSame(
    [...found.keys()],
    Object.keys(answers.skip).map((block) => `${block} skip`),
  );
  for (const [block, wanted] of Object.entries(answers.skip)) {
    const [fast, reference] = found.get(`${block} skip`)!;
    t.ok(distance(fast, wanted) < NEAR, `${block}: ${distance(fast, wanted)} from the graph`);
    t.ok(
      distance(reference, wanted) < NEAR,
      `${block}: ${distance(reference, wanted)} with the reference engine`,
    );
    t.ok(distance(fast, answers.logits) > 1e-2, 'and it is seen');
    const { source, change } = activations!.of({ layer: { name: block }, reset: skip });
    t.match(source, /^layer[23]\.0$/.test(block) ? /downsample/ : /Relu/, 'a projection stays');
    t.ok(change! > 0.1);
  }
});
