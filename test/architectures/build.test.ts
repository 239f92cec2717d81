import { writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { bytesOf } from '../../src/architectures/network.js';
import { resnetNetwork } from '../../src/architectures/resnet.js';
import {
  architectures,
  buildModel,
  loadModel,
  modelInput,
  parseResets,
  withWeights,
} from '../../src/index.js';
import { parametersOf } from '../../src/model/parameters.js';
import { writeModel } from '../../src/onnx/encode.js';
import { writeOnnx } from '../../src/onnx/file.js';
import { floats } from '../../src/onnx/tensors.js';
import { safetensors } from '../weights/build-checkpoints.js';
import { logitsOf } from './inspect.js';

const few = { classes: 7, size: 32 };

t.test('a model is built by name; capitals, dashes and underscores make no difference', async (t) => {
  const model = await buildModel('resnet18', few);
  t.match(model.io, { input: 'images', batch: null, channels: 3, height: 32, width: 32, classes: 7 });
  t.equal(model.name, 'resnet18');
  t.equal(model.layers.length, 21);
  for (const name of ['ResNet-18', 'RESNET_18']) {
    t.equal((await buildModel(name, few)).file.sha256, model.file.sha256, name);
  }
  t.strictSame(JSON.parse(JSON.stringify(architectures())), architectures(), 'the list is plain data');
  const letters = architectures().map(({ name }) => name.replace(/[^a-z0-9]/g, ''));
  t.equal(new Set(letters).size, letters.length, 'no two names are the same without dashes');
});

t.test('it is the model that its file would be', async (t) => {
  const built = await buildModel('deit_tiny_distilled_patch16_224', { ...few, seed: 5 });
  const path = join(t.testdir({}), 'built.onnx');
  const file = await open(path, 'wx');
  await writeModel(file, built.file.proto);
  await file.close();
  const read = await loadModel(path);
  t.equal(read.file.sha256, built.file.sha256);
  t.strictSame(read.io, built.io);
  t.strictSame(read.layers, built.layers);
  t.strictSame(read.file.metadata, built.file.metadata);
  const [first] = built.layers;
  t.ok(first && read.values(first.weight.tensor).every((v, i) => v === built.values(first.weight.tensor)[i]));
});

t.test('weights drawn off the main thread are those drawn at once; other seeds give others', async (t) => {
  const { file } = await buildModel('resnet18', { ...few, seed: 3 });
  const network = resnetNetwork({ block: 'basic', blocks: [2, 2, 2, 2], ...few, seed: 3 });
  const path = join(t.testdir({}), 'at-once.onnx');
  writeFileSync(path, bytesOf(network));
  const atOnce = new Map((await loadModel(path)).file.graph.initializer.map((one) => [one.name, one]));
  const different = file.graph.initializer.filter((tensor) => {
    const other = atOnce.get(tensor.name);
    return !other || Buffer.compare(tensor.rawData, other.rawData) !== 0;
  });
  t.strictSame(
    different.map(({ name }) => name),
    [],
  );
  t.equal(atOnce.size, file.graph.initializer.length);

  const other = await buildModel('resnet18', { ...few, seed: 4 });
  t.not(other.file.sha256, file.sha256);
  const stem = ({ graph }: typeof file) =>
    floats(graph.initializer.find(({ name }) => name === 'conv1.weight')!);
  const [a, b] = [stem(file), stem(other.file)];
  t.ok(a.filter((value, i) => value === b[i]).length < a.length / 100, 'the values themselves are others');
});

t.test('it says how its images are normalised, and that its weights are random', async (t) => {
  const model = await buildModel('vit_tiny_patch16_224', few);
  t.match(modelInput(model), {
    shape: { channels: 3, height: 32, width: 32 },
    normalization: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  });
  t.strictSame([...model.file.metadata.keys()], ['critmap.mean', 'critmap.std'], 'what is read, no more');
  t.match(model.warnings, [/vit_tiny_patch16_224: its weights are random \(seed 0\)/]);
  // A colour image's means say nothing about one channel.
  const grey = await buildModel('vit_tiny_patch16_224', { ...few, channels: 1 });
  t.equal(modelInput(grey).shape.channels, 1);
  t.equal(modelInput(grey).normalization, undefined);
});

t.test('one of each kind takes the smallest images that it says it takes', async (t) => {
  for (const name of ['resnet18', 'densenet121', 'vit_tiny_patch32_224', 'convnext_atto']) {
    const size = architectures().find((one) => one.name === name)?.least ?? 0;
    const { file } = await buildModel(name, { classes: 7, size });
    const logits = await logitsOf(writeOnnx(file), [2, 3, size, size]);
    t.equal(logits.length, 14, name);
    t.ok(logits.every(Number.isFinite), `${name} at ${size}`);
  }
});

t.test('a name that is none names the nearest; impossible options are refused', async (t) => {
  const refused = async (name: string, options: object, message: RegExp) =>
    t.rejects(
      buildModel(name, options),
      { name: 'CritmapError', code: 'ERR_OPTION', message },
      String(message),
    );
  await refused('resnet51', {}, /"resnet51"; the nearest are resnet50, /);
  await refused('convnxt_tiny', {}, /the nearest are convnext_tiny, /);
  await refused('resnet50.a1_in1k', {}, /the nearest are resnet50, /);
  await refused('', {}, /there is no built-in architecture ""/);
  await refused('vit_small_patch32_224', { size: 100 }, /patches of 32 pixels .* sizes are 96 and 128/);
  await refused('vit_small_patch32_224', { size: 16 }, /size must be a whole number from 32 /);
  await refused('densenet121', { size: 28 }, /size must be a whole number from 29 /);
  await refused('resnet18', { size: 0.5 }, /size must be a whole number/);
  await refused('resnet18', { size: '32' }, /size must be a whole number/);
  await refused('resnet18', { classes: 0 }, /classes must be a whole number from 1 /);
  await refused('resnet18', { channels: Number.NaN }, /channels must be a whole number/);
  await refused('resnet18', { seed: -1 }, /seed must be a whole number from 0 /);
  await refused('resnet18', { classes: 1e9 }, /weights are 2052\.0 GB; .* 2 GB/);
  await refused('vit_tiny_patch16_224', { size: 16384 }, /beyond any model's input/);
  await refused('resnet18', { channels: 65536, size: 65536 }, /beyond any model's input/);
  await refused('resnet18', { epsilon: 1e-12 }, /epsilon goes with vision transformers and ConvNeXts/);
  await refused('convnext_atto', { epsilon: 1e-60 }, /epsilon must be a number above 0 and below 1/);
  await refused('vit_tiny_patch16_224', { epsilon: '1e-12' }, /epsilon must be a number/);
  await refused('deit_tiny_patch16_224', { singleHead: true }, /singleHead goes with distilled/);
  await t.rejects(buildModel('resnet18', { clases: 7 } as object), {
    name: 'TypeError',
    message: /"clases"/,
  });
  await t.rejects(buildModel(undefined as never), { name: 'TypeError', message: /must be a string/ });
});

/** A checkpoint of float16 zeros. */
function zeros(path: string, shapes: readonly (readonly [name: string, shape: readonly number[]])[]): string {
  let at = 0;
  const header = shapes.map(([name, shape]) => {
    const from = at;
    at += 2 * shape.reduce((product, size) => product * size, 1);
    return [name, { dtype: 'F16', shape, data_offsets: [from, at] }];
  });
  writeFileSync(path, safetensors(Object.fromEntries(header), Buffer.alloc(at)));
  return path;
}

t.test('the warning of random weights stays until a checkpoint has them all', async (t) => {
  const dir = t.testdir({});
  const built = await buildModel('convnext_atto', few);
  const all = parametersOf(built).map(({ names, shape }) => [names[0]!, shape] as const);
  const isHead = (name: string) => name.startsWith('head.fc.');
  const head = zeros(
    join(dir, 'head.safetensors'),
    all.filter(([name]) => isHead(name)),
  );
  const trunk = zeros(
    join(dir, 'trunk.safetensors'),
    all.filter(([name]) => !isHead(name)),
  );
  const partial = { allowPartial: true };
  const random = /the weights that are missing \(stem\.0\.weight, .* more\) are random \(seed 0\)/;
  const some = await withWeights(built, [head], partial);
  t.match(some.warnings, [random, /head\.safetensors: has 2 of the [0-9]+ parameters .*: missing stem/]);
  t.strictSame((await withWeights(built, [head, trunk])).warnings, []);
  const whole = await withWeights(some, [trunk], partial);
  t.notOk(
    whole.warnings.some((warning) => /are random/.test(warning)),
    'in two steps as well',
  );
  t.strictSame(whole.weights?.missing, []);
  t.equal(whole.name, 'head');

  const [reset] = await parseResets([`donor=${head}`], built);
  const donor = reset?.kind === 'interpolate' ? reset.donor : undefined;
  t.match(donor?.warnings, [/head\.safetensors: has 2 of/], 'a donor is not asked for what it has not');
  t.equal(donor?.warnings.length, 1);

  const error = await withWeights(built, [head]).catch((thrown) => thrown);
  t.match(error.message, /give a checkpoint of convnext_atto with these classes, channels and size$/);
  const most = await withWeights(built, [trunk]).catch((thrown) => thrown);
  t.match(
    most.message,
    /with these classes, channels and size, or load just what fits with --allow-partial$/,
  );

  const other = zeros(
    join(dir, 'other.safetensors'),
    all.map(([name, shape]) => [name, isHead(name) ? [23, ...shape.slice(1)] : shape] as const),
  );
  await t.rejects(withWeights(built, [other]), {
    message: /it has 23 classes: give --classes 23, or load/,
  });
});
