/**
 * The fast engine against the reference engine, cell by cell and image by image, on small networks of every kind
 * that a plan treats differently; and against itself, bit by bit, with more threads and fewer cells.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { convnext } from '../../src/architectures/convnext.js';
import { densenet } from '../../src/architectures/densenet.js';
import { resnet } from '../../src/architectures/resnet.js';
import { vit } from '../../src/architectures/vit.js';
import { type Cell, planCells } from '../../src/design/cells.js';
import type { Chunk } from '../../src/engines/chunk.js';
import { floatsOf } from '../../src/engines/chunk.js';
import type { Engine, EngineOptions } from '../../src/engines/engine.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openReferenceEngine } from '../../src/engines/reference.js';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import type { Comparison } from '../../src/native/addon.js';
import { attributeInts } from '../../src/onnx/graph.js';
import { planSweep } from '../../src/plan/plan-sweep.js';
import type { ResetContext } from '../../src/resets/kinds.js';
import { parseReset } from '../../src/resets/parse.js';
import { readChunk } from '../../src/sweep/chunks-ahead.js';
import { comparisonOf } from '../comparison.js';
import { example } from '../fixtures.js';
import { inception, mobilenet, preActivation, storedTransposed, tied, vgg } from '../networks.js';

const IMAGES = 12;
/** 5, 5 and 2 images. */
const BATCH = 5;

/**
 * What float32 may leave. Its unit roundoff is 6e-8; a sum of some hundred terms in another order moves by a few of
 * these, a dozen layers one after the other by about 1e-6 of a row's largest logit: a thousandth of what invariant 1
 * allows. The published cross-entropy is linear in the reset logits, so its error, relative to its size, bounds
 * theirs; 1e-5 leaves room for a sum that happens to cancel.
 */
const LOGITS = 1e-5;
/** Logits here are about 10 in size and so off by about 1e-5; the metrics' slopes in them are about 1 at most. */
const METRICS = 1e-5;
/** Every cell must move the predictions (L1, of at most 2) by far more, or its agreement would prove nothing. */
const EFFECT = 100 * METRICS;

const flags = ['agree', 'invalidRows', 'top1', 'top5'] as const;
const numbers = ['cosine', 'l1', 'l2', 'kl', 'js', 'loss'] as const;
const columns = [...flags, ...numbers, 'publishedCrossEntropy'] as const;

const resets = await Promise.all(['random', 'zero', 'shuffle', 'noise=0.1'].map(parseReset));

/** Initialisations that give logits of 2 to 30 in size: tiny or saturated ones would hide differences. */
const lively = { size: 32, classes: 10, vectors: 'random', init: 'kaiming-normal' } as const;
const calm = { ...lively, init: 'lecun-normal' } as const;
const networks = {
  'a bottleneck ResNet': resnet({ ...calm, size: 48, width: 12, blocks: [2, 1] }),
  'a DenseNet': densenet({ ...calm, size: 48, growth: 6, stem: 20, blocks: [2, 3] }),
  'an Inception with average-pool branches': inception({ ...calm, size: 36 }),
  'a ConvNeXt with Linears': convnext({ ...lively, size: 48, depths: [1, 1], dims: [20, 32] }),
  'a ConvNeXt with 1x1 convolutions': convnext({
    ...lively,
    size: 48,
    depths: [1, 1],
    dims: [20, 32],
    convMlp: true,
  }),
  'a vision transformer': vit({ ...lively, patch: 8, dim: 24, depth: 2, heads: 3 }),
  'a vision transformer stored transposed': storedTransposed(
    vit({ ...lively, patch: 16, dim: 24, depth: 1, heads: 3 }),
  ),
  'depthwise convolutions with squeeze-excite': mobilenet(lively),
  'a VGG with biases before BatchNorm and a grouped convolution': vgg(lively),
  'tied weights': tied(calm),
  'a ResNet with pre-activation whose own graph is cut': preActivation(lively),
};

for (const [name, bytes] of Object.entries(networks)) {
  t.test(`${name}: the fast engine gives the reference engine's predictions`, async (t) => {
    await check(t, await modelOf(t, bytes), `synthetic:${IMAGES}`);
  });
}

for (const name of ['a vision transformer', 'depthwise convolutions with squeeze-excite'] as const) {
  t.test(`${name}: with tensors apart, as above 2 GB, both engines give the same`, async (t) => {
    const model = await modelOf(t, networks[name]);
    const cells = planCells(model.layers, resets, 1);
    const chunk = await chunkOf(model, `synthetic:${IMAGES}`);
    const options = { context: { seed: 0, init: 'auto', norm: 'keep' }, batch: BATCH, threads: 2 } as const;
    const [expected = []] = await evaluations(openReferenceEngine, model, chunk, [cells], options);
    const apart = { ...model, file: { ...model.file, apart: true } };
    const { sessions } = await planSweep(apart, {
      ...options,
      cells,
      size: { channels: 3, height: 32, width: 32 },
    });
    t.ok(
      sessions.some(({ extract }) => extract().shared.length > 0),
      'sessions share what is apart',
    );
    for (const open of [openReferenceEngine, openFastEngine]) {
      const [found = []] = await evaluations(open, apart, chunk, [cells], options);
      t.strictSame(differences(cells, found, expected), []);
    }
  });
}

const rules = ['quantize=int4', 'quantize=fp8', 'prune=0.4', 'prune-channels=0.3', 'lowrank=0.4'];
const still = ['prune=0', 'lowrank=1', 'noise=0'];

for (const name of [
  'a bottleneck ResNet',
  'a ConvNeXt with Linears',
  'a vision transformer stored transposed',
] as const) {
  t.test(`${name}: quantised, pruned and low-rank layers are the reference engine's`, async (t) => {
    const model = await modelOf(t, networks[name]);
    const chunk = await chunkOf(model, `synthetic:${IMAGES}`);
    const resets = await Promise.all([...rules, ...still].map(parseReset));
    const cells = planCells(model.layers, resets, 1);
    const options = { context: { seed: 0, init: 'auto', norm: 'keep' }, batch: BATCH, threads: 2 } as const;
    const [expected = []] = await evaluations(openReferenceEngine, model, chunk, [cells], options);
    const [found = []] = await evaluations(openFastEngine, model, chunk, [cells], options);
    t.strictSame(differences(cells, found, expected), []);
    const moved = cells.filter(({ reset }, i) => rules.includes(reset.label) && found[i]!.l1.some(Boolean));
    t.ok(moved.length > 0.9 * rules.length * model.layers.length, `${moved.length} cells have an effect`);
    const own = found.at(-1)!;
    for (const [i, { reset }] of cells.entries()) {
      if (!still.includes(reset.label)) continue;
      t.ok(bitsOf([found[i]!]).equals(bitsOf([own])), 'what is left as it is has the bits of the original');
    }
  });
}

t.test('a norm is reset with a layer whose weights are left as they are', async (t) => {
  const model = await modelOf(t, networks['a bottleneck ResNet']);
  const chunk = await chunkOf(model, `synthetic:${IMAGES}`);
  const layers = model.layers.filter(({ norm }) => norm).slice(0, 3);
  const cells = planCells(layers, [await parseReset('prune=0')], 1);
  const options = { context: { seed: 0, init: 'auto', norm: 'reset' }, batch: BATCH, threads: 2 } as const;
  const [expected = []] = await evaluations(openReferenceEngine, model, chunk, [cells], options);
  const [found = []] = await evaluations(openFastEngine, model, chunk, [cells], options);
  t.strictSame(differences(cells, found, expected), []);
  t.strictSame(withoutEffect(cells, found.slice(0, -1)), []);
});

t.test("the demo's ResNet: the fast engine gives the reference engine's predictions", async (t) => {
  await check(t, await loadModel(example('resnet.onnx')), example('images.npz'));
});

t.test('the networks have what they are here for', async (t) => {
  const layersOf = async (name: keyof typeof networks) => (await modelOf(t, networks[name])).layers;
  const { layers, file } = await modelOf(t, networks['a bottleneck ResNet']);
  const shortcut = layers.find((layer) => layer.name === 'layer2.0.downsample.0');
  const node = file.graph.node.find(({ input }) => shortcut && input[1] === shortcut.weight.tensor);
  t.strictSame(shortcut?.weight.shape.slice(2), [1, 1]);
  t.strictSame(node && attributeInts(node, 'strides'), [2, 2], 'a strided 1x1 shortcut');
  t.equal(layers.at(-1)?.op, 'Gemm', 'a Gemm head');

  const [, , grouped] = await layersOf('a VGG with biases before BatchNorm and a grouped convolution');
  t.ok(grouped?.bias && grouped.norm, 'a bias before a norm');
  t.equal(grouped?.groups, 4);
  const mobile = await layersOf('depthwise convolutions with squeeze-excite');
  t.strictSame(
    mobile.filter(({ groups, weight }) => groups > 1 && groups === weight.shape[0]).map(({ name }) => name),
    ['features.1.block.1.0', 'features.2.block.1.0', 'features.3.block.1.0'],
  );
  const twice = (await layersOf('tied weights')).filter(({ uses }) => uses === 2);
  t.strictSame(
    twice.map(({ name, bias, norm }) => [name, bias !== null, norm !== null]),
    [
      ['shared', true, true],
      ['mix', false, false],
    ],
  );
  t.ok(
    (await layersOf('a vision transformer')).slice(1, -1).every(({ op, bias }) => op === 'MatMul' && bias),
    'Linears as MatMul and Add',
  );
  const own = await modelOf(t, networks['a ResNet with pre-activation whose own graph is cut']);
  const { why } = await planSweep(own, {
    cells: planCells(own.layers, resets, 1),
    context: { seed: 0, init: 'auto', norm: 'keep' },
    size: { channels: 3, height: 32, width: 32 },
    batch: 1,
  });
  t.match(why, /twin1/, "the runtime's graph does not serve");
  const stored = await layersOf('a vision transformer stored transposed');
  t.equal(stored.filter(({ weight }) => weight.layout.transposed).length, 4);
});

async function check(t: Test, model: Model, source: string): Promise<void> {
  const cells = planCells(model.layers, resets, 1);
  const chunk = await chunkOf(model, source);
  for (const norm of ['keep', 'reset'] as const) {
    const context: ResetContext = { seed: 0, init: 'auto', norm };
    const evaluate = async (open: OpenEngine, batch: number, threads: number) =>
      (await evaluations(open, model, chunk, [cells], { context, batch, threads }))[0]!;
    const expected = await evaluate(openReferenceEngine, BATCH, 1);
    t.strictSame(withoutEffect(cells, expected), [], `norm ${norm}: every cell has an effect`);
    const agreed = new Set(expected.flatMap(({ agree }) => [...agree]));
    t.strictSame(agreed, new Set([0, 1]), 'some predictions change, some do not');
    for (const batch of [BATCH, 1]) {
      const found = await evaluate(openFastEngine, batch, 2);
      t.strictSame(differences(cells, found, expected), [], `norm ${norm}, batch ${batch}`);
    }
  }

  const context: ResetContext = { seed: 0, init: 'auto', norm: 'keep' };
  const some = cells.filter((_, i) => i % 3 === 1);
  const rounds = [cells, some];
  const run = (threads: number, images = chunk) =>
    evaluations(openFastEngine, model, images, rounds, { context, batch: BATCH, threads });
  const [all = [], part = []] = await run(1);
  const bits = bitsOf(all);
  const partly = bitsOf([...some.map(({ index }) => all[index]!), all.at(-1)!]);
  t.ok(bitsOf(part).equals(partly), 'a part of the cells, evaluated later, has the same bits');
  for (const threads of [2, 3]) {
    const [found = []] = await run(threads);
    t.ok(bitsOf(found).equals(bits), `${threads} threads give the same bits as one`);
  }
  const normalised = { ...chunk, images: floatsOf(chunk, 0, chunk.count) };
  const [found = []] = await run(2, normalised);
  t.ok(bitsOf(found).equals(bits), 'images that are normalised before give the same bits');
}

type OpenEngine = (model: Model, options: EngineOptions) => Promise<Engine>;

/** Per round the comparison of every cell of it, then the original's with itself; one engine does all rounds. */
async function evaluations(
  open: OpenEngine,
  model: Model,
  chunk: Chunk,
  rounds: readonly (readonly Cell[])[],
  options: Pick<EngineOptions, 'context' | 'batch' | 'threads'>,
): Promise<Comparison[][]> {
  const { height, width } = chunk;
  const engine = await open(model, { ...options, cells: rounds[0] ?? [], size: { height, width } });
  try {
    const found: Comparison[][] = [];
    for (const cells of rounds) {
      const originals: Comparison[] = [];
      const byCell = new Map<Cell, Comparison>();
      await engine.evaluate(chunk, cells, {
        original: (rows) => void originals.push(comparisonOf(rows)),
        cell: (cell, rows) => void byCell.set(cell, comparisonOf(rows)),
      });
      found.push([...cells.map((cell) => byCell.get(cell)!), ...originals]);
    }
    return found;
  } finally {
    await engine.close();
  }
}

function withoutEffect(cells: readonly Cell[], found: readonly Comparison[]): string[] {
  const still = cells.filter((_, i) => !(Math.max(...found[i]!.l1) > EFFECT));
  return still.map((cell) => `${nameOf(cell)}: L1 at most ${Math.max(...found[cells.indexOf(cell)]!.l1)}`);
}

/** The first of what is not as it must be, one line each. */
function differences(
  cells: readonly Cell[],
  found: readonly Comparison[],
  expected: readonly Comparison[],
): string[] {
  const lines: string[] = [];
  for (const [at, wanted] of expected.entries()) {
    const got = found[at]!;
    const size = Math.max(...wanted.publishedCrossEntropy.map(Math.abs));
    const compare = (column: (typeof columns)[number], bound: (value: number) => number) => {
      for (const [i, value] of wanted[column]!.entries()) {
        const other = got[column]?.[i] ?? Number.NaN;
        if (Math.abs(other - value) <= bound(value)) continue;
        lines.push(`${nameOf(cells[at])}, image ${i}: ${column} ${other}, reference ${value}`);
      }
    };
    if (got.images !== wanted.images || got.agreement !== wanted.agreement || got.invalid !== wanted.invalid)
      lines.push(`${nameOf(cells[at])}: other counts`);
    for (const column of flags) compare(column, () => 0);
    // KL and loss have no upper limit: where they are large, their error is relative to them.
    for (const column of numbers) compare(column, (value) => METRICS * Math.max(1, value));
    compare('publishedCrossEntropy', () => LOGITS * size);
  }
  return lines.slice(0, 10);
}

const nameOf = (cell: Cell | undefined) => (cell ? `${cell.layer.name} ${cell.reset.label}` : 'the original');

function bitsOf(found: readonly Comparison[]): Buffer {
  const arrays = found.flatMap((comparison) => columns.map((column) => comparison[column]!));
  return Buffer.concat(
    arrays.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
  );
}

async function modelOf(t: Test, bytes: Uint8Array): Promise<Model> {
  const path = join(t.testdir({}), 'model.onnx');
  writeFileSync(path, bytes);
  return loadModel(path);
}

/** The first images of a source as one chunk, with made-up labels. */
async function chunkOf(model: Model, source: string): Promise<Chunk> {
  const set = await openImages(source, { ...modelInput(model), images: IMAGES, labels: 'none' });
  const chunk = await readChunk(set, 0, IMAGES);
  await set.close();
  return { ...chunk, labels: Int32Array.from({ length: IMAGES }, (_, i) => (7 * i) % 10) };
}
