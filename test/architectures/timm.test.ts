/**
 * Every built-in architecture against timm's of that name: parameters, layers, what its weights expect of images,
 * and logits. The expected values are timm's own (`test/oracle/make_architecture_golden.py`).
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t, { type Test } from 'tap';
import { buildModel, parameterCount } from '../../src/architectures/build.js';
import { architectures, blueprintOf } from '../../src/architectures/registry.js';
import { writeOnnx } from '../../src/onnx/file.js';
import { indexGraph } from '../../src/onnx/graph.js';
import { findLayers } from '../../src/onnx/layers.js';
import { dimensions } from '../../src/onnx/tensors.js';
import { fixture } from '../fixtures.js';
import { imagesByRule, parameterByRule } from './weight-rule.js';

interface Logits {
  edge: number;
  logits: number[];
}
interface Golden extends Logits {
  parameters: number;
  tensors: number;
  tensorsHash: string;
  layers: number;
  layersHash: string;
  mean: number[];
  std: number[];
  cropPct: number;
  interpolation: string;
  size: number;
  grey: Logits | null;
}

const golden: Record<string, Golden> = JSON.parse(readFileSync(fixture('architectures.json'), 'utf8'));

/** All take minutes: `ARCHITECTURES=all npx tap test/architectures/timm.test.ts`. */
const computed =
  process.env.ARCHITECTURES === 'all'
    ? Object.keys(golden)
    : [
        'resnet18',
        'resnet50',
        'resnext50_32x4d',
        'densenet121',
        'vit_tiny_patch16_224',
        'vit_tiny_patch32_224',
        'deit_tiny_distilled_patch16_224',
        'convnext_atto',
        'convnext_tiny',
      ];

const IMAGES = 2;
const CLASSES = 7;
/** Of a row's largest logit. float32 sums of thousands of terms in another order, some hundred times. */
const CLOSE = 1e-4;

const digest = (lines: readonly string[]) =>
  createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 16);

t.test('the built-in architectures are those that timm was asked about', (t) => {
  t.strictSame(
    architectures()
      .map(({ name }) => name)
      .sort(),
    Object.keys(golden).sort(),
  );
  t.end();
});

t.test("all have timm's parameters, layers and preprocessing", (t) => {
  for (const [name, expected] of Object.entries(golden)) {
    const blueprint = blueprintOf(name);
    const network = blueprint.describe({});
    const stored = network.draws.map(({ tensor }) => tensor);
    const { graph } = network.proto;
    if (!graph) throw new Error(`${name} has no graph`);
    const whole = { ...graph, initializer: stored };
    const file = { path: name, proto: network.proto, graph: whole, sha256: '', metadata: new Map() };
    const layers = findLayers(file, indexGraph(whole)).map((layer) => layer.name);
    const tensors = stored.map((tensor) => `${tensor.name} ${dimensions(tensor).join('x')}`).sort();
    const found = {
      parameters: parameterCount(network),
      tensors: tensors.length,
      tensorsHash: digest(tensors),
      layers: layers.length,
      layersHash: digest(layers),
      mean: blueprint.mean,
      std: blueprint.std,
      cropPct: blueprint.cropPct,
      interpolation: blueprint.interpolation,
      size: blueprint.size,
    };
    const { edge: _edge, logits: _logits, grey: _grey, ...wanted } = expected;
    t.strictSame(found, wanted, name);
  }
  t.end();
});

for (const name of computed) {
  t.test(`${name} gives timm's logits for the same weights`, async (t) => {
    const expected = golden[name];
    if (!expected) throw new Error(`the fixture lacks ${name}`);
    await check(t, name, 3, expected);
    if (expected.grey) await check(t, name, 1, expected.grey);
  });
}

async function check(t: Test, name: string, channels: number, { edge, logits }: Logits): Promise<void> {
  const model = await buildModel(name, { classes: CLASSES, channels, size: edge });
  const { file } = model;
  const stored = file.graph.initializer.map(
    (tensor) => [tensor.name, parameterByRule(tensor.name, dimensions(tensor))] as const,
  );
  const session = await InferenceSession.create(writeOnnx(file, new Map(stored)), {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const shape = [IMAGES, channels, edge, edge];
  const output = await session.run({ images: new Tensor('float32', imagesByRule(shape), shape) });
  await session.release();
  const found = output.logits?.data as Float32Array;
  t.equal(found.length, IMAGES * CLASSES);
  for (let image = 0; image < IMAGES; image++) {
    const row = logits.slice(image * CLASSES, (image + 1) * CLASSES);
    const largest = Math.max(...row.map(Math.abs));
    const far = Math.max(...row.map((value, i) => Math.abs(value - (found[image * CLASSES + i] ?? 0))));
    t.ok(far <= CLOSE * largest, `image ${image} of ${channels} channels: off by ${far / largest}`);
  }
}
