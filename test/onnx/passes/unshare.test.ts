import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import { loadModel } from '../../../src/model/load.js';
import { writeOnnx } from '../../../src/onnx/file.js';
import { indexGraph } from '../../../src/onnx/graph.js';
import { findLayers } from '../../../src/onnx/layers.js';
import { EntrySchema, type Graph, type Model, ModelSchema, NodeSchema } from '../../../src/onnx/onnx_pb.js';
import { unshare } from '../../../src/onnx/passes/unshare.js';
import { withFloats } from '../../../src/onnx/tensors.js';
import { fixture } from '../../fixtures.js';
import { readNpyFloats } from '../../npy-floats.js';
import { graph, node, value, weight } from '../graphs.js';

/** What torch.onnx.export does to parameters of equal value: one is stored, the others are its Identities. */
function merge(proto: Model, kept: string, merged: string): void {
  const graph = proto.graph as Graph;
  graph.initializer = graph.initializer.filter(({ name }) => name !== merged);
  const node = { opType: 'Identity', name: `Identity_${merged}`, input: [kept], output: [merged] };
  graph.node.unshift(create(NodeSchema, node));
}

t.test('an export that merged equal parameters has every statistic apart again', async (t) => {
  const proto = fromBinary(ModelSchema, readFileSync(fixture('bottleneck.onnx')));
  merge(proto, 'layer1.0.bn1.running_var', 'layer1.0.bn2.running_var');
  merge(proto, 'layer1.0.bn1.weight', 'layer1.0.bn2.weight');
  const path = join(t.testdir({}), 'merged.onnx');
  writeFileSync(path, toBinary(ModelSchema, proto));
  const model = await loadModel(path);
  t.notOk(model.file.graph.node.some(({ opType }) => opType === 'Identity'));
  const owned = model.layers.flatMap(({ norm }) => (norm ? Object.values(norm) : []));
  t.equal(new Set(owned).size, owned.length);
  t.ok(owned.includes('layer1.0.bn2.running_var'), 'under the name that PyTorch gave');

  const { data, shape } = readNpyFloats(fixture('bottleneck.npy'));
  const logits = async (bytes: Uint8Array) => {
    const session = await InferenceSession.create(bytes);
    const result = await session.run({
      [session.inputNames[0] as string]: new Tensor('float32', data, shape),
    });
    return result[session.outputNames[0] as string]?.data;
  };
  t.strictSame(await logits(writeOnnx(model.file)), await logits(readFileSync(path)), 'it computes the same');
});

t.test('a bias that two layers point at becomes two, and a tied module keeps its one', async (t) => {
  const proto = fromBinary(ModelSchema, readFileSync(fixture('tied.onnx')));
  const gemms = proto.graph?.node.filter(({ opType }) => opType === 'Gemm') ?? [];
  const [first, second] = gemms;
  t.equal(first?.input[1], second?.input[1], 'the fixture ties two weights');
  const bias = first?.input[2] as string;
  for (const node of gemms) if (node !== gemms[2]) node.input[2] = bias;
  const path = join(t.testdir({}), 'tied.onnx');
  writeFileSync(path, toBinary(ModelSchema, proto));
  const tied = await loadModel(path);
  t.equal(tied.layers[0]?.bias?.tensor, bias);
  t.equal(tied.file.graph.initializer.filter(({ name }) => name.startsWith(bias)).length, 1);

  // The same bias under two different weights: give the second Gemm a weight of its own.
  const graph = proto.graph;
  const weight = graph?.initializer.find(({ name }) => name === second?.input[1]);
  if (!graph || !weight || !second) throw new Error('the fixture has changed');
  graph.initializer.push({ ...weight, name: 'own.weight' });
  second.input[1] = 'own.weight';
  writeFileSync(path, toBinary(ModelSchema, proto));
  const apart = await loadModel(path);
  const [a, b] = apart.layers;
  t.equal(a?.bias?.tensor, bias);
  t.not(b?.bias?.tensor, bias);
  t.strictSame(apart.values(b?.bias?.tensor as string), apart.values(bias));
});

t.test('a module that is called again, its weight transposed again, keeps its one bias', async (t) => {
  const call = (i: number, x: string) => [
    node('Transpose', ['w'], `w${i}`, { perm: [1, 0] }),
    node('MatMul', [x, `w${i}`], `p${i}`),
    node('Add', ['bias', `p${i}`], `y${i}`),
  ];
  const made = graph({
    node: [...call(0, 'x'), ...call(1, 'y0')],
    initializer: [weight('w', [8, 8]), weight('bias', [8])],
  });
  unshare(made);
  t.strictSame(
    made.node.filter(({ opType }) => opType === 'Add').map(({ input }) => input[0]),
    ['bias', 'bias'],
  );
  t.strictSame(
    made.initializer.map(({ name }) => name),
    ['w', 'bias'],
  );
});

t.test('one product of several modules’ equal fresh weights becomes a layer of each', async (t) => {
  const scoped = (module: string, one: ReturnType<typeof node>) => {
    const value = `['', '${module}', 'linear']`;
    one.metadataProps = [create(EntrySchema, { key: 'pkg.torch.onnx.name_scopes', value })];
    return one;
  };
  const fresh = (name: string) => withFloats(weight(name, [3, 4]), new Float32Array(12));
  const joined = (tensor: Graph['initializer'][number]) =>
    graph({
      node: [
        scoped('a.pos_proj', node('MatMul', ['x', 'val_9'], 'p')),
        scoped('a.pos_proj', node('Add', ['p', 'a.pos_proj.bias'], 'ya')),
        scoped('b.pos_proj', node('Add', ['p', 'b.pos_proj.bias'], 'yb')),
        node('Add', ['ya', 'yb'], 'y'),
      ],
      initializer: [tensor, weight('a.pos_proj.bias', [4]), weight('b.pos_proj.bias', [4], 5)],
    });
  const made = joined(fresh('val_9'));
  unshare(made);
  t.strictSame(
    made.node.map(({ opType, input }) => [opType, ...input]),
    [
      ['MatMul', 'x', 'val_9'],
      ['Add', 'p', 'a.pos_proj.bias'],
      ['MatMul', 'x', 'val_9#2'],
      ['Add', 'p#2', 'b.pos_proj.bias'],
      ['Add', 'ya', 'yb'],
    ],
  );
  const proto = { sha256: '', path: '', proto: create(ModelSchema), graph: made, metadata: new Map() };
  t.strictSame(
    findLayers(proto, indexGraph(made)).map(({ name, bias }) => [name, bias?.tensor]),
    [
      ['a.pos_proj', 'a.pos_proj.bias'],
      ['b.pos_proj', 'b.pos_proj.bias'],
    ],
  );
  const trained = joined(weight('val_9', [3, 4]));
  unshare(trained);
  t.equal(trained.node.filter(({ opType }) => opType === 'MatMul').length, 1, 'a tied weight stays one');
});

t.test('copies of a weight become one unless a graph inside of a node reads them', async (t) => {
  const inner = graph({ node: [node('Identity', ['onnx::3'], 'i')], output: [value('i', [])] });
  const made = graph({
    node: [
      ...[0, 1, 2, 3].map((i) => node('MatMul', ['x', `onnx::${i}`], `y${i}`)),
      node('If', ['yes'], 'z', { then_branch: inner }),
    ],
    initializer: [
      weight('onnx::0', [8, 8]),
      weight('onnx::1', [8, 8], 2),
      weight('onnx::2', [8, 8]),
      weight('onnx::3', [8, 8]),
    ],
  });
  unshare(made);
  t.strictSame(
    made.node.slice(0, 4).map(({ input }) => input[1]),
    ['onnx::0', 'onnx::1', 'onnx::0', 'onnx::3'],
  );
});

// A comparison of each with each takes minutes.
t.test('a hundred thousand weights of one shape, and owners of one bias, take seconds', async (t) => {
  const count = 100_000;
  const names = Array.from({ length: count }, (_, i) => `onnx::${i}`);
  // They differ at their ends.
  const initializer = names.map((name, i) => {
    const tensor = weight(name, [5, 5]);
    new Float32Array(tensor.rawData.buffer)[24] = i >> 1;
    return tensor;
  });
  const made = graph({
    node: names.map((name, i) => node('Gemm', ['x', name, 'bias'], `y${i}`)),
    initializer: [...initializer, weight('bias', [5])],
  });
  const began = process.cpuUsage();
  unshare(made);
  t.ok(process.cpuUsage(began).user < 60e6);
  t.equal(made.initializer.filter(({ name }) => name.startsWith('onnx::')).length, count / 2);
  t.equal(made.initializer.filter(({ name }) => name.startsWith('bias')).length, count / 2);
});

t.test('so does one weight that a hundred thousand nodes use', async (t) => {
  const made = graph({
    node: Array.from({ length: 100_000 }, (_, i) => node('Conv', ['x', 'w'], `y${i}`)),
    initializer: [weight('w', [4, 4, 1, 1])],
  });
  const began = process.cpuUsage();
  unshare(made);
  const { user } = process.cpuUsage(began);
  t.ok(user < 10e6, `${user / 1e6} s`);
});
