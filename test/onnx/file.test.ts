import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import { CritmapError } from '../../src/errors.js';
import { loadModel } from '../../src/model/load.js';
import { type OnnxFile, readOnnx, writeOnnx } from '../../src/onnx/file.js';
import { ModelSchema } from '../../src/onnx/onnx_pb.js';
import { floats } from '../../src/onnx/tensors.js';
import { fixture, truth } from '../fixtures.js';
import { readNpyFloats } from '../npy-floats.js';

async function logitsOf(bytes: Uint8Array, name: string): Promise<number[][]> {
  const session = await InferenceSession.create(bytes);
  const { data, shape } = readNpyFloats(fixture(`${name}.npy`));
  const input = session.inputNames[0] as string;
  const result = await session.run({ [input]: new Tensor('float32', data, shape) });
  const { data: logits, dims } = result[session.outputNames[0] as string] as Tensor;
  await session.release();
  const classes = dims[1] as number;
  return Array.from({ length: dims[0] as number }, (_, i) =>
    Array.from((logits as Float32Array).subarray(i * classes, (i + 1) * classes)),
  );
}

function close(found: number[][], expected: number[][]): boolean {
  return found.every((row, i) => row.every((value, j) => Math.abs(value - (expected[i]?.[j] ?? 0)) < 1e-4));
}

for (const name of ['bottleneck', 'bottleneck.external', 'depthwise', 'vit', 'mlp', 'tied']) {
  t.test(`${name}.onnx, read and written back, gives PyTorch's logits`, async (t) => {
    const base = name.split('.')[0] as string;
    const file = await readOnnx(fixture(`${name}.onnx`));
    t.ok(close(await logitsOf(writeOnnx(file), base), truth(base).logits));
  });
}

t.test("one layer's weights replaced by a donor's give PyTorch's result for that", async (t) => {
  const model = await loadModel(fixture('bottleneck.onnx'));
  const donor = await loadModel(fixture('bottleneck-donor.onnx'));
  for (const [layer, expected] of Object.entries(truth('bottleneck').donor ?? {})) {
    const tensor = model.layers.find(({ name }) => name === layer)?.weight.tensor as string;
    const before = Array.from(model.values(tensor));
    const bytes = writeOnnx(model.file, new Map([[tensor, donor.values(tensor)]]));
    t.ok(close(await logitsOf(bytes, 'bottleneck'), expected), layer);
    t.strictSame(Array.from(model.values(tensor)), before, 'the model in memory is untouched');
    t.ok(close(await logitsOf(writeOnnx(model.file), 'bottleneck'), truth('bottleneck').logits));
  }
});

t.test('what the schema does not know survives reading and writing', async (t) => {
  // Field 9999 of the model and field 777 of its first node, both of wire type 2, as a newer ONNX might add.
  const proto = fromBinary(ModelSchema, readFileSync(fixture('mlp.onnx')));
  const extra = new Uint8Array([3, 1, 2, 3]);
  proto.$unknown = [...(proto.$unknown ?? []), { no: 9999, wireType: 2, data: extra }];
  const node = proto.graph?.node[0];
  if (node) node.$unknown = [...(node.$unknown ?? []), { no: 777, wireType: 2, data: extra }];
  const path = join(t.testdir({}), 'm.onnx');
  writeFileSync(path, toBinary(ModelSchema, proto));

  const again = fromBinary(ModelSchema, writeOnnx(await readOnnx(path)));
  t.ok(again.$unknown?.some(({ no, data }) => no === 9999 && data.join() === extra.join()));
  t.ok(again.graph?.node[0]?.$unknown?.some(({ no, data }) => no === 777 && data.join() === extra.join()));
});

t.test('a Constant node can hold the weight as well', async (t) => {
  const file = await readOnnx(fixture('mlp.onnx'));
  const weight = file.graph.initializer.find(({ name }) => name.endsWith('weight'));
  if (!weight) throw new Error('the fixture has no weight');
  const proto = fromBinary(ModelSchema, writeOnnx(file));
  const graph = proto.graph;
  if (!graph) throw new Error('the fixture has no graph');
  const template = graph.node[0] as (typeof graph.node)[number];
  graph.initializer = graph.initializer.filter(({ name }) => name !== weight.name);
  graph.node.unshift({
    ...template,
    opType: 'Constant',
    name: 'c',
    input: [],
    output: [weight.name],
    attribute: [
      {
        $typeName: 'critmap.onnx.Attribute',
        name: 'value',
        type: 4,
        t: weight,
        f: 0,
        i: 0n,
        s: new Uint8Array(),
        floats: [],
        ints: [],
        strings: [],
        graphs: [],
      },
    ],
  });
  const path = join(t.testdir({}), 'm.onnx');
  writeFileSync(path, toBinary(ModelSchema, proto));
  const model = await loadModel(path);
  t.strictSame(
    model.layers.map(({ name }) => name),
    truth('mlp').layers.map(({ name }) => name),
  );
  t.ok(close(await logitsOf(writeOnnx(model.file), 'mlp'), truth('mlp').logits));
  const zeros = new Float32Array(floats(weight).length);
  t.notOk(
    close(await logitsOf(writeOnnx(model.file, new Map([[weight.name, zeros]])), 'mlp'), truth('mlp').logits),
  );
});

t.test('the SHA-256 covers external data too', async (t) => {
  const dir = t.testdir({});
  copyFileSync(fixture('bottleneck.external.onnx'), join(dir, 'bottleneck.external.onnx'));
  const data = readFileSync(fixture('bottleneck.external.data'));
  writeFileSync(join(dir, 'bottleneck.external.data'), data);
  const { sha256 } = await readOnnx(join(dir, 'bottleneck.external.onnx'));
  data.writeUInt8(data.readUInt8(0) ^ 1, 0);
  writeFileSync(join(dir, 'bottleneck.external.data'), data);
  t.not((await readOnnx(join(dir, 'bottleneck.external.onnx'))).sha256, sha256);
});

t.test('bad model files get one line that names the file', async (t) => {
  const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 102490289\n';
  const dir = t.testdir({
    'notes.onnx': 'these are my notes\n'.repeat(20),
    'empty.onnx': '',
    'lfs.onnx': pointer,
    'page.onnx': '<!DOCTYPE html>\n<html lang="en">',
    lfs: { 'bottleneck.external.data': pointer },
  });
  const whole = readFileSync(fixture('bottleneck.onnx'));
  const at = (name: string) => join(dir, name);
  writeFileSync(at('cut.onnx'), whole.subarray(0, whole.length >> 1));
  mkdirSync(at('folder.onnx'));
  copyFileSync(fixture('bottleneck.external.onnx'), at('external.onnx'));
  copyFileSync(fixture('bottleneck.external.onnx'), at('lfs/external.onnx'));
  const bad: [file: string, says: RegExp][] = [
    ['missing.onnx', /no such file/],
    ['notes.onnx', /not an ONNX model/],
    ['empty.onnx', /empty/],
    ['cut.onnx', /cut off or damaged/],
    ['folder.onnx', /directory/],
    [
      'external.onnx',
      /external data of \S+ is in bottleneck\.external\.data, which does not exist; copy it beside external/,
    ],
    ['lfs.onnx', /lfs\.onnx is a Git LFS pointer, not the file itself; run git lfs pull/],
    ['page.onnx', /page\.onnx is a web page or XML; download the file itself/],
    ['lfs/external.onnx', /bottleneck\.external\.data, which is a Git LFS pointer.*git lfs pull/],
  ];
  for (const [file, says] of bad) {
    const error = await t.rejects(loadModel(at(file)), CritmapError);
    const message =
      (error as unknown as Error | undefined)?.message ?? (await messageOf(loadModel(at(file))));
    t.match(message, says);
    t.ok(message.includes(at(file)), `${file} is named: ${message}`);
    t.notMatch(message, /\n/, 'one line');
  }
});

t.test('a checkpoint in place of a model is named as one, with what to do', async (t) => {
  for (const name of ['mlp.float16.pth', 'bottleneck.legacy.pth', 'bottleneck.safetensors']) {
    const path = fixture(`weights/${name}`);
    const message = await messageOf(loadModel(path));
    t.equal(
      message,
      `${path} is a checkpoint; give it with --weights, and the network with --arch NAME or an ONNX file`,
    );
  }
});

t.test('external data that is cut off or outside the model folder is refused', async (t) => {
  const dir = t.testdir({ outside: {}, inside: {} });
  const inside = join(dir, 'inside', 'm.onnx');
  const move = async (location: string) => {
    const proto = fromBinary(ModelSchema, readFileSync(fixture('bottleneck.external.onnx')));
    for (const tensor of proto.graph?.initializer ?? []) {
      for (const entry of tensor.externalData) if (entry.key === 'location') entry.value = location;
    }
    writeFileSync(inside, toBinary(ModelSchema, proto));
    return messageOf(loadModel(inside));
  };
  copyFileSync(fixture('bottleneck.external.data'), join(dir, 'outside', 'w.data'));
  for (const location of ['../outside/w.data', '/etc/passwd', 'a/../../outside/w.data', '', '.']) {
    t.match(await move(location), /outside the model's folder/, location);
  }
  writeFileSync(join(dir, 'inside', 'short.data'), 'xx');
  t.match(await move('short.data'), /cut off/);
  // A hub's cache keeps data behind links into its own store, which are followed (external.test.ts); others are not.
  symlinkSync(join(dir, 'outside', 'w.data'), join(dir, 'inside', 'link.data'));
  t.match(await move('link.data'), /link\.data, a link out of the model's folder; copy what it names beside/);
});

t.test('a tensor that is not there cannot be replaced, nor one of another length', async (t) => {
  const file: OnnxFile = await readOnnx(fixture('mlp.onnx'));
  t.throws(() => writeOnnx(file, new Map([['nothing', new Float32Array(1)]])), RangeError);
  const name = file.graph.initializer[0]?.name as string;
  t.throws(() => writeOnnx(file, new Map([[name, new Float32Array(1)]])), RangeError);
});

async function messageOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'resolved',
    (error: Error) => error.message,
  );
}
