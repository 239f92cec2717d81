/**
 * Several slices of draws in one batch, as on a card: what is untouched, and what comes behind the layer that is reset,
 * is computed for all of them at once. Each image's logits are the reference engine's, whatever the batch.
 */
import t, { type Test } from 'tap';
import { densenet } from '../../src/architectures/densenet.js';
import { resnet } from '../../src/architectures/resnet.js';
import { type Cell, planCells } from '../../src/design/cells.js';
import { groupLayers } from '../../src/design/groups.js';
import { type SliceDesign, slicesOf } from '../../src/design/slices.js';
import { planOnCards } from '../../src/engines/card-plan.js';
import { furthest } from '../../src/engines/check.js';
import { batchesOf, type Chunk } from '../../src/engines/chunk.js';
import type { Engine, EngineOptions, Logits } from '../../src/engines/engine.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openReferenceEngine } from '../../src/engines/reference.js';
import { membersOf, type Resettable } from '../../src/model/layer-group.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import { withTargets } from '../../src/model/targets.js';
import { ownGraph } from '../../src/plan/base-graph.js';
import { dataflowOf } from '../../src/plan/dataflow.js';
import { imageRows } from '../../src/plan/image-rows.js';
import { cardLimits } from '../../src/plan/limits.js';
import { planSweep } from '../../src/plan/plan-sweep.js';
import { parseReset } from '../../src/resets/parse.js';
import { fixture } from '../fixtures.js';
import { counting, inception, mobilenet, positionsFirst, tied } from '../networks.js';
import { type Compared, HALF, imagesFor, keep, limitsOf, NEAR, resets, wave, written } from './card-plans.js';

/** The last slice, and the last batch, lack some. */
const IMAGES = 11;
const DESIGN: SliceDesign = { imagesPerDraw: 4, trials: 1 };
const BATCH = 8;
const calm = { size: 32, classes: 16, vectors: 'random', init: 'lecun-normal' } as const;

/** All cells' logits, and the original's. */
async function logitsOf(engine: Engine, chunk: Chunk, cells: readonly Cell[]): Promise<Logits[]> {
  const found: Logits[] = [];
  await engine.evaluate(chunk, cells, {
    wantsLogits: true,
    original(_rows, logits) {
      found[cells.length] = logits!();
    },
    cell({ index }, _rows, logits) {
      found[index] = logits!();
    },
  });
  return found;
}

const chunkOf = (model: Model, design: SliceDesign): Chunk => ({
  ...imagesFor(model, IMAGES, (at) => Math.abs(wave(at))),
  slices: slicesOf(design, 0, IMAGES),
});

interface InSlices extends Compared {
  design?: SliceDesign;
  batch?: number;
}

async function compare(t: Test, model: Model, cells: readonly Cell[], options: InSlices = {}) {
  const { context = keep, precision, near = NEAR } = options;
  const { design = DESIGN, batch = BATCH } = options;
  const chunk = chunkOf(model, design);
  const limits = limitsOf(options);
  const size = { height: chunk.height, width: chunk.width, channels: model.io.channels };
  const given: EngineOptions = { cells, context, design, size, batch, threads: 2 };
  const asked = batch / Number(design.imagesPerDraw);
  const { program } = await planSweep(model, {
    ...{ cells, context, size, batch, precision, limits, slices: asked, graph: 'model' },
  });
  t.equal(program.slices, asked, 'slices of a batch');
  const reference = await openReferenceEngine(model, given);
  const shared = await openFastEngine(model, { ...given, limits, precision });
  try {
    const wanted = await logitsOf(reference, chunk, cells);
    const found = await logitsOf(shared, chunk, cells);
    for (const [i, { logits }] of wanted.entries()) {
      const off = furthest(found[i]!, logits).distance;
      t.ok(off < near, `${cells[i]?.layer.name ?? 'untouched'} ${cells[i]?.reset.label}: ${off}`);
    }
    const [cell] = cells;
    const one = await shared.changed(chunk, 2, cell!, 1);
    t.ok(furthest(one, (await reference.changed(chunk, 2, cell!, 1)).logits).distance < near, 'one slice');
  } finally {
    await reference.close();
    await shared.close();
  }
}

for (const name of ['resnet', 'vit', 'convnext']) {
  t.test(`${name}: slices that share a batch give the reference engine's logits`, async (t) => {
    const model = await loadModel(fixture(`cascades/${name}.onnx`));
    const { layers } = model;
    for (const sessions of [12, 2]) await compare(t, model, planCells(layers, resets, 1), { sessions });
    await compare(t, model, planCells(layers, resets, 1), { sessions: 16, slower: 0.5 });
    const context = { ...keep, norm: 'reset' } as const;
    await compare(t, model, planCells(layers, resets.slice(0, 1), 1), { context });
    const groups: Resettable[] = ['pairs', 'block', 'all'].flatMap((group) =>
      groupLayers(layers, group).map((one) => ({ name: `${group} ${one.name}`, members: membersOf(one) })),
    );
    await compare(t, model, planCells(groups, resets.slice(0, 1), 1), { sessions: 6 });
    const targets = withTargets(model, { include: 'norm', ...(name === 'vit' && { splitQkv: true }) });
    await compare(t, targets, planCells(targets.layers, [resets[0]!, resets[2]!], 1));
    if (name !== 'convnext')
      await compare(t, model, planCells(layers, resets.slice(0, 1), 1), { precision: 'fp16', near: HALF });
  });
}

for (const [name, bytes] of Object.entries({
  'a bottleneck ResNet': resnet({ ...calm, size: 48, width: 12, blocks: [2, 1] }),
  'a DenseNet': densenet({ ...calm, size: 48, growth: 6, stem: 20, blocks: [2, 3] }),
  'an Inception': inception({ ...calm, size: 36 }),
  'squeeze-excite': mobilenet({ ...calm, init: 'kaiming-normal' }),
  'tied weights': tied(calm),
  'positions before images': positionsFirst(calm),
  'numbered images': counting(calm),
})) {
  t.test(`${name}: slices that share a batch give the reference engine's logits`, async (t) => {
    const model = await written(t, bytes);
    const design = { ...DESIGN, trials: 2 };
    const cells = planCells(model.layers, resets.slice(0, 2), design.trials);
    await compare(t, model, cells, { sessions: 5, design });
  });
}

t.test('rows that are in proportion to the batch are not always those of one image', async (t) => {
  const rowsIn = async (bytes: Uint8Array) => {
    const source = ownGraph(await written(t, bytes), 'keep');
    const { input, output } = source;
    const flow = dataflowOf(source.graph, input, output);
    const names = [input, ...flow.steps.flatMap(({ dynamic, makes }) => (dynamic ? makes : []))];
    const rows = await imageRows(source, flow, names, { channels: 3, height: 32, width: 32 });
    const of = (opType: string) =>
      flow.steps.filter(({ node }) => node.opType === opType).map(({ node }) => rows.get(node.output[0]!));
    return { ends: [input, output].map((name) => rows.get(name)), of };
  };
  const folded = await rowsIn(positionsFirst(calm));
  t.strictSame(folded.ends, [1, 1]);
  t.strictSame(folded.of('Conv'), [1, 1]);
  t.strictSame(folded.of('Gemm'), [undefined, undefined, 1]);
  // A root is NaN of negative numbers, which are the same whatever comes before them.
  const rooted = await rowsIn(positionsFirst({ ...calm, root: true }));
  t.strictSame(rooted.of('Gemm'), [undefined, undefined, 1]);
  const counted = await rowsIn(counting(calm));
  t.strictSame(counted.of('Range'), [undefined], 'a number of its own in every batch');
  t.strictSame(counted.of('Gemm'), [1, 1]);
});

t.test('what cannot be divided has one slice in a batch, and what is not drawn needs none', async (t) => {
  const model = await loadModel(fixture('cascades/resnet.onnx'));
  const steps = groupLayers(model.layers, 'cumulative-from-output');
  const random = resets.slice(0, 1);
  const slicesOf = async (cells: readonly Cell[], batch: number, slices: number) => {
    const size = { channels: 3, height: 32, width: 32 };
    const limits = cardLimits;
    const { program } = await planSweep(model, {
      ...{ cells, context: keep, size, batch, limits, slices, graph: 'model' },
    });
    return program.slices;
  };
  t.equal(await slicesOf(planCells(model.layers, random, 1), 8, 2), 2);
  t.equal(await slicesOf(planCells(steps, random, 1), 8, 2), 1, 'a cascade');
  t.equal(await slicesOf(planCells(model.layers, resets.slice(2), 1), 8, 2), 1, 'a constant');
  // 7 classes in 4 bytes each.
  t.equal(await slicesOf(planCells(model.layers, random, 1), 8, 8), 1, 'rows of 28 bytes');
});

t.test('a part of a sweep has the batches of the whole one', async (t) => {
  const model = await loadModel(fixture('cascades/resnet.onnx'));
  const both = await Promise.all(['random', 'zero'].map(parseReset));
  const room = { name: 'a card', bytes: 16e9 };
  const steps = groupLayers(model.layers, 'cumulative-from-output');
  for (const [layers, imagesPerDraw, batch, slices] of [
    [model.layers, 8, 256, 32],
    [steps, 8, 8, 1],
    [model.layers, 1, 1, 1],
  ] as const) {
    const whole = planCells(layers, both, 1);
    const zero = planCells(layers, both.slice(1), 1);
    for (const cells of [whole, zero]) {
      const size = { channels: 3, height: 32, width: 32 };
      const { plan, ...found } = await planOnCards(
        model,
        {
          ...{ cells, whole, context: keep, size, imagesPerDraw },
          ...{ batch: 256, smallerBatch: true, pixels: true },
        },
        room,
      );
      t.strictSame([found.batch, plan.slices], [batch, slices]);
    }
  }
});

t.test('slices are put into batches as they come, and one that lacks images ends its batch', (t) => {
  const batches = (imagesPerDraw: number | 'all', images: number, batch: number, slices: number) =>
    [...batchesOf(slicesOf({ imagesPerDraw, trials: 1 }, 0, images), batch, slices)].map((pieces) =>
      pieces.map(({ slice, from, to }) => [slice, from, to]),
    );
  t.strictSame(batches(2, 9, 6, 3), [
    [
      [0, 0, 2],
      [1, 2, 4],
      [2, 4, 6],
    ],
    [
      [3, 6, 8],
      [4, 8, 9],
    ],
  ]);
  t.strictSame(batches('all', 5, 2, 1), [[[0, 0, 2]], [[0, 2, 4]], [[0, 4, 5]]]);
  t.strictSame(batches(3, 6, 4, 2), [
    [
      [0, 0, 2],
      [0, 2, 3],
    ],
    [
      [1, 3, 5],
      [1, 5, 6],
    ],
  ]);
  t.strictSame(batches(2, 0, 4, 2), []);
  t.end();
});
