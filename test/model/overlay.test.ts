import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t, { type Test } from 'tap';
import { loadModel, withWeights } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import { writeOnnx } from '../../src/onnx/file.js';
import { type Graph, ModelSchema, NodeSchema, TensorSchema } from '../../src/onnx/onnx_pb.js';
import { fixture } from '../fixtures.js';
import { readNpyFloats } from '../npy-floats.js';

const weights = (name: string) => fixture(`weights/${name}`);
/** PyTorch's logits with the checkpoints' weights, written by `oracle/make_checkpoint_fixtures.py`. */
const answers: Record<string, number[][]> = JSON.parse(readFileSync(weights('weights.json'), 'utf8'));
const sha256 = (...data: (string | Buffer)[]) =>
  data.reduce((hash, one) => hash.update(one), createHash('sha256')).digest('hex');

/** How far the model's logits for a fixture's images are from the expected ones. */
async function distance(model: Model, images: string, expected: number[][] | undefined): Promise<number> {
  const session = await InferenceSession.create(writeOnnx(model.file));
  const { data, shape } = readNpyFloats(fixture(`${images}.npy`));
  const result = await session.run({ [model.io.input]: new Tensor('float32', data, shape) });
  const logits = result[model.io.output]?.data as Float32Array;
  await session.release();
  const flat = expected?.flat() ?? [];
  t.equal(logits.length, flat.length);
  return flat.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (logits[i] ?? Number.NaN))), 0);
}

const cases: [graph: string, files: string[], answer?: string][] = [
  ['bottleneck.onnx', ['bottleneck.safetensors']],
  ['bottleneck.onnx', ['bottleneck.legacy.pth']],
  ['bottleneck.onnx', ['bottleneck.strided.pth']],
  ['bottleneck.dynamo-plain.onnx', ['bottleneck.legacy.pth']],
  ['bottleneck.external.onnx', ['bottleneck.strided.pth']],
  ['vit.onnx', ['vit.strided.legacy.pth']],
  ['vit.folded.onnx', ['vit.strided.legacy.pth']],
  ['vit.dynamo-plain.onnx', ['vit.strided.legacy.pth']],
  ['tied.onnx', ['tied.pth']],
  ['tied.dynamo.onnx', ['tied.pth']],
  ['mlp.onnx', ['mlp.protocol4.pth']],
  ['mlp.onnx', ['mlp.deflated.pth']],
  ['mlp.onnx', ['mlp.pth.tar']],
  ['mlp.dynamo.onnx', ['mlp.ema.ckpt']],
  ['mlp.onnx', ['mlp.backbone.pth', 'mlp.linear.pth']],
  ['mlp.onnx', ['mlp.linear.pth', 'mlp.backbone.pth']],
  ['mlp.onnx', ['mlp.float16.safetensors'], 'mlp.float16'],
  ['mlp.onnx', ['mlp.float16.pth'], 'mlp.float16'],
  ['mlp.onnx', ['mlp.bfloat16.safetensors'], 'mlp.bfloat16'],
  ['mlp.onnx', ['mlp.bfloat16.pth'], 'mlp.bfloat16'],
  ['mlp.onnx', ['mlp.float64.safetensors'], 'mlp.float64'],
];
for (const [graph, files, answer] of cases) {
  t.test(`${graph} with ${files.join(' and ')} gives PyTorch's logits for those weights`, async (t) => {
    const name = graph.split('.')[0] ?? '';
    const plain = await loadModel(fixture(graph));
    const model = await loadModel(fixture(graph), { weights: files.map(weights) });
    t.ok((await distance(model, name, answers[answer ?? name])) < 1e-4);
    t.ok((await distance(plain, name, answers[answer ?? name])) > 1e-2, 'which are not those of the graph');
    t.strictSame(model.weights?.missing, []);
    t.strictSame(model.weights?.unexpected, []);
    t.strictSame(model.weights?.misfit, []);
  });
}

t.test('the model file, the model without weights and its other tensors stay as they were', async (t) => {
  const before = sha256(readFileSync(fixture('mlp.onnx')));
  const plain = await loadModel(fixture('mlp.onnx'));
  const values = Array.from(plain.values('fc1.weight'));
  const model = await loadModel(fixture('mlp.onnx'), { weights: [weights('mlp.protocol4.pth')] });
  t.notSame(Array.from(model.values('fc1.weight')), values);
  t.strictSame(Array.from(plain.values('fc1.weight')), values);
  t.equal(sha256(readFileSync(fixture('mlp.onnx'))), before);
  t.equal(plain.sha256, before);
});

t.test("the model's hash is over its file and the weights' files; theirs are as published", async (t) => {
  const files = ['mlp.backbone.pth', 'mlp.linear.pth'].map(weights);
  const model = await loadModel(fixture('mlp.onnx'), { weights: files });
  const hashes = files.map((file) => sha256(readFileSync(file)));
  t.strictSame(
    model.weights?.files.map(({ sha256 }) => sha256),
    hashes,
  );
  t.equal(model.sha256, sha256([sha256(readFileSync(fixture('mlp.onnx'))), ...hashes].join()));
});

t.test('the mapping says which tensor of which file became which parameter', async (t) => {
  const files = ['mlp.backbone.pth', 'mlp.linear.pth'].map(weights);
  const { weights: loaded } = await loadModel(fixture('mlp.onnx'), { weights: files });
  t.match(loaded?.files, [
    { format: 'PyTorch zip', place: 'online_backbone: module.model.*' },
    { format: 'PyTorch zip', place: 'state_dict: module.*' },
  ]);
  t.strictSame(
    loaded?.mapping.map(({ parameter, file, key }) => [parameter, file, key]),
    [
      ['fc1.weight', 0, 'module.model.fc1.weight'],
      ['fc1.bias', 0, 'module.model.fc1.bias'],
      ['fc2.weight', 1, 'module.linear.weight'],
      ['fc2.bias', 1, 'module.linear.bias'],
    ],
  );
  const vit = await loadModel(fixture('vit.folded.onnx'), { weights: [weights('vit.strided.legacy.pth')] });
  t.match(
    vit.weights?.mapping.find(({ parameter }) => parameter === 'blocks.0.attn.qkv.weight'),
    { tensor: 'onnx::MatMul_138', shape: [36, 12], transposed: true, type: 'float32' },
  );
});

t.test('of two copies the averaged one is taken, and that is said', async (t) => {
  const model = await loadModel(fixture('mlp.onnx'), { weights: [weights('mlp.ema.ckpt')] });
  t.match(model.weights?.files[0]?.place, 'state_dict_ema');
  t.match(
    model.warnings.join(),
    /holds the model more than once: state_dict_ema is taken, not state_dict; --weights .*ckpt#state_dict takes/,
  );
  const { warnings } = await loadModel(fixture('mlp.onnx'), { weights: [weights('mlp.pth.tar')] });
  t.strictSame(warnings, [], 'an optimiser is no copy');
});

const refused: [title: string, graph: string, files: string[], message: RegExp][] = [
  [
    'a backbone without its head',
    'mlp.onnx',
    ['mlp.backbone.pth'],
    /backbone\.pth: has 2 of the 4 parameters of .*mlp\.onnx: missing fc2\.weight, fc2\.bias; .*--allow-partial/,
  ],
  ['another architecture', 'vit.onnx', ['mlp.protocol4.pth'], /none of its 4 tensors \(fc1\.weight, .*is a/],
  [
    'BatchNorm that was folded at export, by the older exporter',
    'bottleneck.folded.onnx',
    ['bottleneck.safetensors'],
    /bottleneck\.safetensors: has BatchNorm \(.*running_var\).*folded into the convolutions at export.*export the model again/,
  ],
  [
    'BatchNorm that was folded at export, by the newer exporter',
    'bottleneck.dynamo.onnx',
    ['bottleneck.safetensors'],
    /folded into the convolutions at export/,
  ],
];
for (const [title, graph, files, message] of refused) {
  t.test(`${title} is refused`, async (t) => {
    const wanted = { code: 'ERR_WEIGHTS', message };
    await t.rejects(loadModel(fixture(graph), { weights: files.map(weights) }), wanted);
  });
}

t.test('folded BatchNorm is refused even in part', async (t) => {
  const options = { weights: [weights('bottleneck.safetensors')], allowPartial: true };
  await t.rejects(loadModel(fixture('bottleneck.folded.onnx'), options), { message: /folded/ });
});

/** A safetensors file of float32 zeros. */
function zeros(t: Test, shapes: Record<string, number[]>): string {
  let at = 0;
  const header = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const from = at;
      at += 4 * shape.reduce((product, d) => product * d, 1);
      return [name, { dtype: 'F32', shape, data_offsets: [from, at] }];
    }),
  );
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const path = join(t.testdir(), 'zeros.safetensors');
  writeFileSync(path, Buffer.concat([length, text, Buffer.alloc(at)]));
  return path;
}

const whole = { 'fc1.weight': [16, 64], 'fc1.bias': [16], 'fc2.weight': [10, 16], 'fc2.bias': [10] };

t.test(
  'missing, misshapen and unexpected tensors are listed, and loaded in part when that is asked',
  async (t) => {
    const file = zeros(t, { ...whole, 'fc1.bias': [17], 'fc2.weight': [16, 10], 'fc3.weight': [2, 2] });
    const error = await loadModel(fixture('mlp.onnx'), { weights: [file] }).catch((thrown) => thrown);
    t.equal(error.code, 'ERR_WEIGHTS');
    t.match(error.message, /misshapen .*fc1\.bias \(17 in the file, 16 in the model\)/);
    t.match(error.message, /fc2\.weight \(16x10 in the file, 10x16 in the model\)/);
    t.match(error.message, /unexpected fc3\.weight/);

    const plain = await loadModel(fixture('mlp.onnx'));
    const model = await loadModel(fixture('mlp.onnx'), { weights: [file], allowPartial: true });
    t.ok(model.values('fc1.weight').every((value) => value === 0));
    t.strictSame(Array.from(model.values('fc1.bias')), Array.from(plain.values('fc1.bias')));
    t.match(model.weights, { missing: [], misfit: [String, String], unexpected: [{ key: 'fc3.weight' }] });
    t.match(model.warnings.join(), /has 2 of the [0-9]+ parameters .*: misshapen .*; unexpected fc3\.weight/);
  },
);

t.test('a later file whose head does not fit is not passed over for the earlier one', async (t) => {
  const head = zeros(t, { 'fc2.weight': [100, 16], 'fc2.bias': [10] });
  const files = [weights('mlp.protocol4.pth'), head];
  await t.rejects(loadModel(fixture('mlp.onnx'), { weights: files }), {
    message: /misshapen fc2\.weight \(100x16 in .*\.safetensors, 10x16 in the model\)/,
  });
  const swapped = await loadModel(fixture('mlp.onnx'), { weights: [...files].reverse() });
  t.ok((await distance(swapped, 'mlp', answers.mlp)) < 1e-4);
});

t.test('a head is not guessed where two have its shape', async (t) => {
  const { 'fc1.weight': weight, 'fc1.bias': bias } = whole;
  const heads = {
    'head.weight': [10, 16],
    'head.bias': [10],
    'head2.fc.weight': [10, 16],
    'head2.fc.bias': [10],
  };
  const file = zeros(t, { 'fc1.weight': weight, 'fc1.bias': bias, ...heads });
  await t.rejects(loadModel(fixture('mlp.onnx'), { weights: [file] }), { message: /missing fc2\.weight/ });
});

t.test('BatchNorm that was folded into a convolution with a bias of its own is refused', async (t) => {
  const graph = fixture('bottleneck.folded.onnx');
  const { layers } = await loadModel(graph);
  // As VGG with BatchNorm: every weight and bias that the graph has, and norms besides.
  const shapes: Record<string, number[]> = {};
  for (const { name, weight, bias } of layers) {
    shapes[`${name}.weight`] = weight.shape;
    if (bias) shapes[`${name}.bias`] = bias.shape;
  }
  const [width = 0] = layers[0]?.weight.shape ?? [];
  for (const allowPartial of [false, true]) {
    const file = zeros(t, { ...shapes, 'bn1.running_var': [width] });
    await t.rejects(loadModel(graph, { weights: [file], allowPartial }), {
      code: 'ERR_WEIGHTS',
      message: /has BatchNorm \(bn1\.running_var\) .*folded.*\(conv1.*docs\/export\.md/,
    });
  }
  const head = zeros(t, { ...shapes, 'projector.1.running_var': [1000] });
  const model = await loadModel(graph, { weights: [head], allowPartial: true });
  t.match(
    model.warnings.join(),
    /1 tensor that .* has no place for is left out: projector\.1\.running_var/,
    "a norm of no layer's width is not one",
  );
});

/** A fixture with its graph changed. */
function edited(t: Test, name: string, edit: (graph: Graph) => void): string {
  const proto = fromBinary(ModelSchema, readFileSync(fixture(name)));
  if (!proto.graph) throw new Error(`${name} has no graph`);
  edit(proto.graph);
  const path = join(t.testdir(), name);
  writeFileSync(path, toBinary(ModelSchema, proto));
  return path;
}

t.test('norms that were stored once for two modules get the weights of each', async (t) => {
  const path = edited(t, 'bottleneck.onnx', (graph) => {
    // Under the name of the second one, as an exporter that goes by value may leave it.
    const first = graph.node.find(({ name }) => name === '/layer1/layer1.0/bn1/BatchNormalization');
    for (const i of [1, 4]) {
      const kept = first?.input[i]?.replace('bn1', 'bn2') ?? '';
      if (!first || !graph.initializer.some(({ name }) => name === kept)) throw new Error(`no ${kept}`);
      graph.initializer = graph.initializer.filter(({ name }) => name !== first.input[i]);
      first.input[i] = kept;
    }
  });
  const model = await loadModel(path, { weights: [weights('bottleneck.safetensors')] });
  t.ok((await distance(model, 'bottleneck', answers.bottleneck)) < 1e-4);
});

t.test('a parameter that several operations read is replaced for all of them', async (t) => {
  const path = edited(t, 'vit.onnx', (graph) => {
    const add = graph.node.find(({ input }) => input.includes('pos_embed'));
    const [output = ''] = add?.output ?? [];
    for (const node of graph.node) node.input = node.input.map((name) => (name === output ? 'twice' : name));
    const again = { opType: 'Add', name: 'again', input: [output, 'pos_embed'], output: ['twice'] };
    graph.node.splice(graph.node.indexOf(add!) + 1, 0, create(NodeSchema, again));
  });
  const file = weights('vit.strided.legacy.pth');
  const given = await loadModel(fixture('vit.onnx'), { weights: [file] });
  const model = await loadModel(path, { weights: [file] });
  const places = model.file.graph.node.flatMap(({ input }) => input.filter((one) => /^pos_embed/.test(one)));
  t.equal(new Set(places).size, 2, 'the fixture has it twice');
  for (const place of places) t.strictSame(model.values(place), given.values('pos_embed'), place);
});

t.test('a constant that an exporter folded is not missed in a checkpoint, a parameter is', async (t) => {
  const scaled = (name: string) =>
    edited(t, 'mlp.onnx', (graph) => {
      const at = graph.node.findIndex(({ opType }) => opType === 'Relu');
      const relu = graph.node[at]!;
      const ones = new Uint8Array(Float32Array.from({ length: 16 }, () => 1).buffer);
      graph.initializer.push(create(TensorSchema, { name, dataType: 1, dims: [16n], rawData: ones }));
      const mul = { opType: 'Mul', name: 'scale', input: [relu.input[0]!, name], output: ['scaled'] };
      relu.input[0] = 'scaled';
      graph.node.splice(at, 0, create(NodeSchema, mul));
    });
  const options = { weights: [weights('mlp.protocol4.pth')] };
  for (const name of ['mul_12', 'val_3', 'Mul__12', 'expand', '/Constant_output_0']) {
    const model = await loadModel(scaled(name), options);
    t.ok((await distance(model, 'mlp', answers.mlp)) < 1e-4, name);
  }
  for (const name of ['block.gamma', 'layer_scale']) {
    await t.rejects(loadModel(scaled(name), options), { message: new RegExp(`missing ${name}`) });
  }
});

t.test('weights in two steps: both files are told of, and what the first step warned of', async (t) => {
  const plain = await loadModel(fixture('mlp.onnx'));
  const partial = { allowPartial: true };
  const backbone = await withWeights(plain, [weights('mlp.backbone.pth')], partial);
  t.equal(backbone.name, 'mlp.backbone', 'a checkpoint gives the name');
  const model = await withWeights(backbone, [weights('mlp.linear.pth')], partial);
  t.ok((await distance(model, 'mlp', answers.mlp)) < 1e-4);
  t.equal(model.name, 'mlp.backbone');
  t.strictSame(
    model.weights?.mapping.map(({ parameter, file }) => [parameter, file]),
    [
      ['fc1.weight', 0],
      ['fc1.bias', 0],
      ['fc2.weight', 1],
      ['fc2.bias', 1],
    ],
  );
  t.match(model.weights?.files, [{ path: /backbone/ }, { path: /linear/ }]);
  t.strictSame(model.weights?.missing, []);
  t.match(model.warnings, [/mlp\.backbone\.pth: has 2 of/, /mlp\.linear\.pth: has 2 of/]);
});

t.test('a model is called after its first checkpoint, unless it was given a name', async (t) => {
  const file = weights('mlp.pth.tar');
  t.equal((await loadModel(fixture('mlp.onnx'), { weights: [file] })).name, 'mlp');
  const float16 = weights('mlp.float16.safetensors');
  t.equal((await loadModel(fixture('mlp.onnx'), { weights: [float16, file] })).name, 'mlp.float16');
  t.equal((await loadModel(fixture('mlp.onnx'), { weights: [float16], name: 'mine' })).name, 'mine');
  const named = await loadModel(fixture('mlp.onnx'), { name: 'mine' });
  t.equal((await withWeights(named, [float16])).name, 'mine');
});
