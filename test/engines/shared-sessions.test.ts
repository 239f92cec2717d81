/**
 * A card's plans, whose sessions are shared, on the processor: against the reference engine for whatever a sweep can be
 * asked for, on a ResNet, a vision transformer, a ConvNeXt and networks that have little to share; and how few sessions
 * and how little memory they take.
 */
import t, { type Test } from 'tap';
import { densenet } from '../../src/architectures/densenet.js';
import { resnet } from '../../src/architectures/resnet.js';
import { type Cell, planCells } from '../../src/design/cells.js';
import { chosenOf, groupLayers } from '../../src/design/groups.js';
import { planOnCards } from '../../src/engines/card-plan.js';
import { furthest } from '../../src/engines/check.js';
import type { Chunk } from '../../src/engines/chunk.js';
import type { EngineOptions } from '../../src/engines/engine.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openReferenceEngine } from '../../src/engines/reference.js';
import { modelInput, openImages } from '../../src/index.js';
import { membersOf, type Resettable } from '../../src/model/layer-group.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import { withTargets } from '../../src/model/targets.js';
import { cardMemory, fitsCard } from '../../src/plan/card-memory.js';
import { cardLimits, limitsOnCards } from '../../src/plan/limits.js';
import { planSweep } from '../../src/plan/plan-sweep.js';
import { parseReset } from '../../src/resets/parse.js';
import { chooseTargets, measureActivations } from '../../src/sweep/targets.js';
import { example, fixture } from '../fixtures.js';
import { inception, mobilenet, preActivation, tied } from '../networks.js';
import { writeResnet50 } from '../resnet50.js';
import { type Compared, HALF, imagesFor, keep, limitsOf, NEAR, resets, wave, written } from './card-plans.js';

const IMAGES = 5;
const lively = { size: 32, classes: 10, vectors: 'random', init: 'kaiming-normal' } as const;
const calm = { ...lively, init: 'lecun-normal' } as const;

const chunkOf = (model: Model): Chunk => imagesFor(model, IMAGES, wave);

/** What is too far from the reference engine, and that most cells are seen at all. */
async function compare(t: Test, model: Model, cells: readonly Cell[], options: Compared = {}) {
  const { context = keep, precision, near = NEAR } = options;
  const chunk = chunkOf(model);
  const limits = limitsOf(options);
  const given: EngineOptions = { cells, context, size: chunk, batch: IMAGES, threads: 1 };
  const reference = await openReferenceEngine(model, given);
  const shared = await openFastEngine(model, { ...given, limits, precision });
  try {
    const original = await reference.original(chunk, IMAGES);
    t.ok(furthest(await shared.original(chunk, IMAGES), original.logits).distance < near, 'untouched');
    let seen = 0;
    for (const cell of cells) {
      const wanted = await reference.changed(chunk, IMAGES, cell, 0);
      const off = furthest(await shared.changed(chunk, IMAGES, cell, 0), wanted.logits).distance;
      t.ok(off < near, `${cell.layer.name} ${cell.reset.label}: ${off}`);
      if (furthest(wanted, original.logits).distance > 10 * near) seen++;
    }
    t.ok(seen > 0.7 * cells.length, `${seen} of ${cells.length} cells are seen`);
  } finally {
    await reference.close();
    await shared.close();
  }
}

for (const name of ['resnet', 'vit', 'convnext']) {
  t.test(`${name}: shared sessions give the reference engine's logits`, async (t) => {
    const model = await loadModel(fixture(`cascades/${name}.onnx`));
    const { layers } = model;
    for (const sessions of [12, 2]) {
      for (const norm of ['keep', 'reset'] as const)
        await compare(t, model, planCells(layers, resets, 1), { sessions, context: { ...keep, norm } });
    }
    for (const norm of ['keep', 'reset'] as const) {
      const options = { sessions: 16, slower: 0.5, context: { ...keep, norm } };
      await compare(t, model, planCells(layers, resets, 1), options);
    }
    const groups: Resettable[] = ['cumulative-from-output', 'pairs', 'block', 'all'].flatMap((group) =>
      groupLayers(layers, group).map((one) => ({ name: `${group} ${one.name}`, members: membersOf(one) })),
    );
    await compare(t, model, planCells(groups, resets.slice(0, 1), 1), { sessions: 6 });
    const bias = chosenOf(layers, { parts: 'bias' });
    await compare(t, model, planCells(bias, resets.slice(2), 1), { context: { ...keep, parts: 'bias' } });
    const targets = withTargets(model, { include: 'norm', ...(name === 'vit' && { splitQkv: true }) });
    await compare(t, targets, planCells(targets.layers, [resets[0]!, resets[2]!], 1));
    const together = withTargets(model, { norm: 'with-layer' });
    const rows = chosenOf(together.layers, {}, together.behind);
    await compare(t, together, planCells(rows, resets.slice(0, 1), 1));
    if (name !== 'convnext')
      await compare(t, model, planCells(layers, resets.slice(0, 1), 1), { precision: 'fp16', near: HALF });
  });

  t.test(`${name}: blocks and layers are skipped, or give their mean, in shared sessions`, async (t) => {
    const model = await loadModel(fixture(`activations/${name}.onnx`));
    const size = modelInput(model).shape;
    const images = await openImages(fixture('activations/images.npy'), { shape: size });
    const replacing = await Promise.all(['skip', 'mean'].map(parseReset));
    for (const group of ['block', 'layer']) {
      const targets = await chooseTargets(model, size, { group, resets: replacing, design: { trials: 1 } });
      const activations = await measureActivations(model, images, targets.replacements);
      await compare(t, model, targets.cells, { context: { ...keep, activations } });
    }
    await images.close();
  });
}

for (const [name, bytes] of Object.entries({
  'a bottleneck ResNet': resnet({ ...calm, size: 48, width: 12, blocks: [2, 1] }),
  'a DenseNet': densenet({ ...calm, size: 48, growth: 6, stem: 20, blocks: [2, 3] }),
  'an Inception': inception({ ...calm, size: 36 }),
  'squeeze-excite': mobilenet(lively),
  'tied weights': tied(calm),
  'norms first': preActivation(lively),
})) {
  t.test(`${name}: shared sessions give the reference engine's logits`, async (t) => {
    const model = await written(t, bytes);
    await compare(t, model, planCells(model.layers, resets.slice(0, 2), 1), { sessions: 5 });
  });
}

t.test('a norm that is reset with its layer, of few channels and not folded', async (t) => {
  const model = await loadModel(fixture('exports/upsampling.torchscript.donor.onnx'));
  const context = { ...keep, norm: 'reset' } as const;
  await compare(t, model, planCells(model.layers, resets, 1), { context });
});

t.test("the demo's model: every bit is the same in a part of a sweep", async (t) => {
  const model = await loadModel(example('resnet.onnx'));
  const cells = planCells(model.layers, resets.slice(0, 2), 2);
  await compare(t, model, cells);
  const chunk = chunkOf(model);
  const logitsOf = async (some: readonly Cell[]) => {
    const engine = await openFastEngine(model, {
      ...{
        cells: some,
        whole: cells,
        context: keep,
        size: chunk,
        batch: IMAGES,
        threads: 1,
        limits: cardLimits,
      },
    });
    const found = await engine.changed(chunk, IMAGES, some.at(-1)!, 0);
    await engine.close();
    return Buffer.from(found.logits.buffer);
  };
  const last = { ...cells.at(-3)!, index: 0 };
  t.ok((await logitsOf([last])).equals(await logitsOf(cells.slice(0, -2))));
});

t.test(
  'a ResNet-50 takes few sessions and little memory, and a small card gets a batch that fits',
  async (t) => {
    const model = await loadModel(writeResnet50(t.testdir({})));
    const given = {
      cells: planCells(model.layers, resets.slice(0, 1), 3),
      context: keep,
      size: { channels: 3, height: 224, width: 224 },
      batch: 128,
      smallerBatch: false,
      pixels: true,
    };
    const room = (gigabytes: number) => ({ name: 'a card', bytes: gigabytes * 1e9 });
    const started = performance.now();
    const { plan, memory } = await planOnCards(model, given, room(80));
    const seconds = (performance.now() - started) / 1000;
    t.ok(plan.sessions.length <= 12, `${plan.sessions.length} sessions`);
    t.ok(memory.total <= 4e9, `${memory.total} bytes`);
    const least = plan.macs.least.reduce((sum, macs) => sum + macs, 0);
    t.ok(plan.macs.suffixes <= 1.05 * least, `${plan.macs.suffixes / least} times the least`);
    t.ok(seconds < 10, `planned in ${seconds} s`);
    const { total, ...parts } = memory;
    t.equal(
      Object.values(parts).reduce((sum, bytes) => sum + bytes, 0),
      total,
    );
    t.ok(memory.tensors + memory.values > 2 * 4 * 25e6, 'weights are there');

    for (const [gigabytes, batch] of [
      [80, 256],
      [8, 256],
      [5, 128],
      [3, 64],
    ] as const) {
      const most = { ...given, batch: 256, smallerBatch: true };
      const found = await planOnCards(model, most, room(gigabytes));
      t.equal(found.batch, batch, `${gigabytes} GB`);
      t.ok(fitsCard(found.memory, gigabytes * 1e9));
    }
    await t.rejects(planOnCards(model, { ...given, smallerBatch: true }, room(1)), {
      code: 'ERR_NATIVE',
      message:
        /a card has room for 1.0 GB, and a sweep with 1 image a batch takes about 1\.\d GB \(.*fewer --layers/,
    });
    await t.rejects(planOnCards(model, given, room(3)), {
      message: /give a smaller --batch \((64|32) may fit\)/,
    });

    const last = await planSweep(model, { ...given, graph: 'model', limits: limitsOnCards('nhwc') });
    const trained = last.sessions.filter(({ constantConvolutions }) => constantConvolutions);
    t.ok(last.sessions.length <= 24, `${last.sessions.length} sessions with channels last`);
    t.equal(trained.length, last.cuts.length - 1, 'one for each segment');
    t.ok(last.macs.suffixes <= 1.1 * least, `${last.macs.suffixes / least} times the least`);
    t.ok(cardMemory(last, { pixels: true, columns: 11 }).total <= 5e9);

    const before = await planSweep(model, { ...given, graph: 'model' });
    t.ok(before.sessions.length > 60, 'without sharing every layer has a session');
  },
);
