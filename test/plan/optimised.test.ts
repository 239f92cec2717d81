import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { GraphBuilder } from '../../src/architectures/builder.js';
import { convnext } from '../../src/architectures/convnext.js';
import { densenet } from '../../src/architectures/densenet.js';
import { resnet } from '../../src/architectures/resnet.js';
import { vit } from '../../src/architectures/vit.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { openInFolder } from '../../src/native/scratch-file.js';
import { writeOnnx } from '../../src/onnx/file.js';
import { optimisedGraph } from '../../src/plan/optimised.js';
import { example, fixture } from '../fixtures.js';

const size = { channels: 3, height: 32, width: 32 };

t.test('every layer of the shipped and the fixture models is found in the optimised graph', async (t) => {
  for (const path of [
    example('resnet.onnx'),
    ...['bottleneck', 'depthwise', 'mlp', 'tied', 'vit'].map((name) => fixture(`${name}.onnx`)),
  ]) {
    const model = await loadModel(path);
    const { channels, height, width } = model.io;
    const own = { channels, height: height ?? 32, width: width ?? 32 };
    const source = await optimisedGraph(model, own, 2, 'keep');
    t.not(typeof source, 'string', `${path} ${source}`);
    if (typeof source !== 'string') t.equal(source.places.size, model.layers.length);
  }
});

t.test('it is the same graph with a file in a folder, and none when the folder cannot be had', async (t) => {
  const model = await loadModel(fixture('bottleneck.onnx'));
  const own = { ...size, ...modelInput(model).shape };
  const [nameless, named] = [
    await optimisedGraph(model, own, 2, 'keep'),
    await optimisedGraph(model, own, 2, 'keep', openInFolder),
  ];
  if (typeof nameless === 'string' || typeof named === 'string') throw new Error('no graph');
  // The runtime writes nodes and weights in an order of its own, which may be another one each time.
  const contents = ({ graph }: typeof named.proto) => ({
    nodes: graph!.node.map(({ opType }) => opType).sort(),
    weights: graph!.initializer
      .map(({ dims, rawData }) => `${dims}: ${Buffer.from(rawData).toString('base64')}`)
      .sort(),
  });
  t.strictSame(contents(named.proto), contents(nameless.proto));
  const before = process.env.TMPDIR;
  t.teardown(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
  process.env.TMPDIR = join(t.testdirName, 'none');
  await t.rejects(optimisedGraph(model, own, 2, 'keep', openInFolder), {
    code: 'ERR_NATIVE',
    message: /could not be kept for a moment/,
  });
});

t.test("a file that the runtime cannot write is the machine's fault, not the model's", async (t) => {
  const model = await loadModel(fixture('bottleneck.onnx'));
  const own = { ...size, ...modelInput(model).shape };
  let opened = 0;
  // What it is to write, the first one, is a device that is always full.
  const onFull = async () => {
    const file = await openInFolder();
    return opened++ === 0 ? { ...file, reference: '/dev/full' } : file;
  };
  await t.rejects(optimisedGraph(model, own, 2, 'keep', onFull), { code: 'ERR_NATIVE' });
});

t.test('every layer of every built-in kind of network is found in the optimised graph', async (t) => {
  const about = { size: 32, classes: 20, vectors: 'random' } as const;
  const blocks = [1, 2];
  const tokens = { ...about, patch: 8, dim: 48, depth: 2, heads: 3 };
  const stages = { ...about, depths: [1, 2], dims: [20, 48] };
  for (const [name, bytes] of Object.entries({
    basic: resnet({ ...about, width: 16, blocks, block: 'basic' }),
    bottleneck: resnet({ ...about, width: 16, blocks }),
    wide: resnet({ ...about, width: 16, blocks, groupWidth: 2 }),
    grouped: resnet({ ...about, width: 32, blocks, groups: 8, groupWidth: 1 / 4 }),
    densenet: densenet({ ...about, growth: 8, blocks }),
    vit: vit(tokens),
    distilled: vit({ ...tokens, distilled: true }),
    'ConvNeXt of Linears': convnext(stages),
    'ConvNeXt of convolutions': convnext({ ...stages, convMlp: true }),
    'ConvNeXt as it starts': convnext({ ...stages, convMlp: true, vectors: 'initial' }),
  })) {
    const path = join(t.testdir({}), 'model.onnx');
    writeFileSync(path, bytes);
    const model = await loadModel(path);
    const source = await optimisedGraph(model, size, 2, 'keep');
    t.equal(typeof source === 'string' ? source : source.places.size, model.layers.length, name);
  }
});

t.test('a factor per channel that the runtime folds into a convolution is part of its place', async (t) => {
  for (const bias of [true, false]) {
    const builder = new GraphBuilder({ vectors: 'random' });
    const images = { name: 'images', channels: 3 };
    const x = builder.conv('scaled', images, 20, 3, { bias });
    const gamma = builder.scale('gamma', 20, 1);
    const factor = builder.node('Unsqueeze', 'gamma', [gamma, builder.integers([1, 2])]);
    const mul = { name: builder.node('Mul', 'gamma', [x.name, factor]), channels: 20 };
    builder.head('fc', builder.relu('relu', mul), 10);
    const path = join(t.testdir({}), 'scaled.onnx');
    writeFileSync(path, builder.model('scaled', images, 32, 10));
    const model = await loadModel(path);
    const source = await optimisedGraph(model, size, 2, 'keep');
    if (typeof source === 'string') throw new Error(source);
    const [layer] = model.layers;
    const place = layer && source.places.get(layer);
    t.strictSame(place?.weight.factor, model.values('gamma'));
    t.strictSame(place?.bias?.factor, bias ? model.values('gamma') : undefined);
  }
});

t.test('a graph in which two layers have the same values is not used: they could be confused', async (t) => {
  const path = join(t.testdir({}), 'twins.onnx');
  writeFileSync(path, resnet({ size: 32, width: 16, blocks: [2], classes: 7, seed: 3 }));
  const model = await loadModel(path);
  const same = model.values('layer1.0.conv2.weight');
  writeFileSync(path, writeOnnx(model.file, new Map([['layer1.1.conv2.weight', same]])));
  const twins = await loadModel(path);
  const source = await optimisedGraph(twins, size, 2, 'keep');
  t.match(source, /layer1\.[01]\.conv2/);
});
