/**
 * Plans in float16 against the same plans in float32, each node computed by the processor and rounded to float16: what
 * a card computes, but for the order of its sums.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import t, { type Test } from 'tap';
import { convnext } from '../../src/architectures/convnext.js';
import { densenet } from '../../src/architectures/densenet.js';
import { resnet } from '../../src/architectures/resnet.js';
import { vit } from '../../src/architectures/vit.js';
import { planCells } from '../../src/design/cells.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import { native } from '../../src/native/addon.js';
import { ModelSchema } from '../../src/onnx/onnx_pb.js';
import { planSweep, type SweepPlan } from '../../src/plan/plan-sweep.js';
import { parseReset } from '../../src/resets/parse.js';
import { example, fixture } from '../fixtures.js';
import { inception, mobilenet, tied, vgg } from '../networks.js';
import { interpret, typedNodes } from './interpreter.js';
import { randomModel } from './random-graph.js';

const IMAGES = 6;
const FLOAT16 = 10;

/**
 * Of a row's largest logit. float16 rounds by 2^-11; a dozen products one after the other, whose roundings add like a
 * walk, and the sums between them leave some times that.
 */
const LOGITS = 20 * 2 ** -11;

/** Logits that no float16 has been on the way to are off by less. */
const ROUNDED = 2 ** -16;

const context = { seed: 0, init: 'auto', norm: 'keep' } as const;
const lively = { size: 32, classes: 10, vectors: 'random', init: 'kaiming-normal' } as const;
const calm = { ...lively, init: 'lecun-normal' } as const;
const networks = {
  'a bottleneck ResNet': resnet({ ...calm, size: 48, width: 12, blocks: [2, 1] }),
  'a vision transformer': vit({ ...lively, patch: 8, dim: 24, depth: 2, heads: 3 }),
  'a DenseNet, whose norms come first': densenet({ ...calm, size: 48, growth: 6, stem: 20, blocks: [2, 3] }),
  'a ConvNeXt': convnext({ ...lively, size: 48, depths: [1, 1], dims: [20, 32] }),
  'squeeze-excite': mobilenet(lively),
  'average-pool branches': inception({ ...calm, size: 36 }),
  'biases before BatchNorm': vgg(lively),
  'tied weights': tied(calm),
};

for (const [name, bytes] of Object.entries(networks)) {
  t.test(`${name} in float16 gives float32's logits, rounded`, async (t) => {
    // A transformer's fresh layers are small: their classes may be as close as float16 resolves.
    await check(t, await modelOf(t, bytes), `synthetic:${IMAGES}`, /ResNet/.test(name));
  });
}

t.test("the demo's model in float16 gives float32's logits, rounded", async (t) => {
  await check(t, await loadModel(example('resnet.onnx')), example('images.npz'), true);
});

for (const name of ['vit.dynamo-plain', 'bottleneck.dynamo-plain', 'exports/attending.dynamo']) {
  t.test(`${name}.onnx, with norms written out, in float16 gives float32's logits, rounded`, async (t) => {
    await check(t, await loadModel(fixture(`${name}.onnx`)), `synthetic:${IMAGES}`);
  });
}

t.test('random graphs in float16 give the logits of float32, rounded', async (t) => {
  const dir = t.testdir({});
  const count = Number(process.env.CRITMAP_HALF_GRAPHS ?? 12);
  let affected = 0;
  for (let seed = 1; seed <= count; seed++) {
    const path = join(dir, `${seed}.onnx`);
    writeFileSync(path, randomModel(seed));
    const model = await loadModel(path);
    const { wrong, rounded } = await differences(model, await imagesOf(model, `synthetic:${IMAGES}`), {
      someCells: true,
    });
    t.strictSame(wrong, [], `seed ${seed}`);
    if (rounded > ROUNDED) affected++;
  }
  // Some have no product but the last one.
  t.ok(affected > count / 2, `${affected} of ${count} are rounded`);
});

t.test('products and what lies between them are float16, all else is not', async (t) => {
  const kinds = async (model: Model) => {
    const found = { half: new Set<string>(), float: new Set<string>() };
    const { sessions } = await planOf(model, 'fp16');
    const nodes = sessions.flatMap(({ extract }) => typedNodes(fromBinary(ModelSchema, extract().bytes)));
    for (const { node, type } of nodes) {
      if (node.opType !== 'Cast') found[type === FLOAT16 ? 'half' : 'float'].add(node.opType);
    }
    return { half: [...found.half].sort(), float: [...found.float].sort() };
  };
  const ofResNet = await kinds(await modelOf(t, networks['a bottleneck ResNet']));
  t.strictSame(ofResNet.half, ['Add', 'Conv', 'LeakyRelu', 'MaxPool'], 'BatchNorm is folded away');
  t.strictSame(ofResNet.float, ['Flatten', 'Gemm', 'GlobalAveragePool', 'Mul'], 'Mul scales weights');
  const ofVit = await kinds(await modelOf(t, networks['a vision transformer']));
  for (const operator of ['Conv', 'MatMul']) t.ok(ofVit.half.includes(operator), operator);
  for (const operator of ['LayerNormalization', 'Softmax', 'Gemm', 'Erf']) {
    t.ok(ofVit.float.includes(operator), operator);
    t.notOk(ofVit.half.includes(operator), operator);
  }
  const written = await kinds(await loadModel(fixture('vit.dynamo-plain.onnx')));
  for (const operator of written.half) t.notMatch(operator, /Reduce|Sqrt|Pow|Reciprocal|Softmax|Exp|Erf/);
});

t.test('what is too large for float16 makes invalid rows', async (t) => {
  const model = await loadModel(example('resnet.onnx'));
  const images = await imagesOf(model, example('images.npz'));
  const classes = 10;
  const [first, , , middle] = model.layers;
  // A weight that is too large itself; weights that fit, whose sums of products do not.
  for (const [layer, word] of [
    [first!, 'constant=1e6'],
    [middle!, 'constant=1e3'],
  ] as const) {
    const cells = planCells([layer], [await parseReset(word)], 1);
    const invalid = async (precision: 'fp32' | 'fp16') => {
      const plan = await planSweep(model, { ...optionsOf(model, precision), cells });
      const { original, cells: found } = await interpret(plan, images, precision === 'fp16');
      return [original, ...found].map((logits) => native().compare(original, logits, classes).invalid);
    };
    t.strictSame(await invalid('fp32'), [0, 0], `${word} in ${layer.name}, float32`);
    t.strictSame(await invalid('fp16'), [0, IMAGES], `${word} in ${layer.name}, float16`);
  }
});

t.test('the engine runs a plan in float16', async (t) => {
  const model = await loadModel(example('resnet.onnx'));
  const images = await imagesOf(model, example('images.npz'));
  const { cells, ...options } = optionsOf(model, 'fp16');
  const { height, width } = options.size;
  const chunk = { index: 0, count: IMAGES, images, height, width, labels: undefined };
  const evaluate = async (precision: 'fp32' | 'fp16') => {
    const engine = await openFastEngine(model, { ...options, cells, threads: 1, batch: 4, precision });
    const agreed: number[] = [];
    await engine.evaluate(chunk, cells, {
      original: (rows) => void agreed.push(rows.sums().invalid),
      cell: (_, rows) => void agreed.push(...rows.column('cosine')),
    });
    await engine.close();
    return agreed;
  };
  const [exact, half] = [await evaluate('fp32'), await evaluate('fp16')];
  t.equal(half.length, 1 + cells.length * IMAGES);
  const off = Math.max(...half.map((value, i) => Math.abs(value - exact[i]!)));
  t.ok(off > 0 && off < LOGITS, `cosines are off by up to ${off}`);
});

async function check(t: Test, model: Model, source: string, close = false): Promise<void> {
  const { wrong, rounded } = await differences(model, await imagesOf(model, source), { close });
  t.strictSame(wrong, []);
  t.ok(rounded > ROUNDED, `logits are off by up to ${rounded}`);
}

/**
 * The first rows of logits that are further from float32's than they may be, or have another best class; and how far
 * logits are off at most.
 * @param close whether classes that are as close as float16 may move them count too
 */
async function differences(model: Model, images: Float32Array, { someCells = false, close = false } = {}) {
  const exact = await interpret(await planOf(model, 'fp32', someCells), images);
  const half = await interpret(await planOf(model, 'fp16', someCells), images, true);
  const wrong: string[] = [];
  const rows = [
    { name: 'the original', found: half.original, expected: exact.original },
    ...half.cells.map((found, i) => ({ name: `cell ${i}`, found, expected: exact.cells[i]! })),
  ];
  let rounded = 0;
  for (const { name, found, expected } of rows) {
    const classes = expected.length / IMAGES;
    for (let row = 0; row < IMAGES; row++) {
      const [a, b] = [found, expected].map((all) => all.subarray(row * classes, (row + 1) * classes));
      const largest = Math.max(...b!.map(Math.abs));
      const off = Math.max(...a!.map((value, i) => Math.abs(value - b![i]!))) / largest;
      rounded = Math.max(rounded, off);
      if (!(off <= LOGITS)) wrong.push(`${name}, image ${row}: logits are off by ${off}`);
      // A class that is better by more than the logits may be off stays the best.
      const [best = 0, second = 0] = [...b!].sort((x, y) => y - x);
      if ((close || best - second > 2 * LOGITS * largest) && top(a!) !== top(b!))
        wrong.push(`${name}: top-1`);
    }
  }
  return { wrong: wrong.slice(0, 10), rounded };
}

const top = (row: Float32Array) => row.indexOf(Math.max(...row));

function planOf(model: Model, precision: 'fp32' | 'fp16', someCells = false): Promise<SweepPlan> {
  return planSweep(model, optionsOf(model, precision, someCells));
}

function optionsOf(model: Model, precision: 'fp32' | 'fp16', someCells = false) {
  const layers = model.layers.filter((_, i) => !someCells || i % 3 === 0);
  return {
    cells: planCells(layers, [{ kind: 'random', label: 'random' }], 1),
    context,
    size: modelInput(model).shape,
    batch: IMAGES,
    graph: 'model' as const,
    precision,
  };
}

async function imagesOf(model: Model, source: string): Promise<Float32Array> {
  const set = await openImages(source, { ...modelInput(model), images: IMAGES, labels: 'none' });
  const { channels, height, width } = set.shape;
  const images = new Float32Array(IMAGES * channels * height * width);
  await set.read(0, IMAGES, images);
  await set.close();
  return images;
}

async function modelOf(t: Test, bytes: Uint8Array): Promise<Model> {
  const path = join(t.testdir({}), 'model.onnx');
  writeFileSync(path, bytes);
  return loadModel(path);
}
