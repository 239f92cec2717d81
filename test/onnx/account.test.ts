/** Trained numbers that are in no layer are listed with the reason, and biases in fused nodes go with their layer. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import { describe } from '../../src/commands/inspect-model.js';
import { loadModel } from '../../src/model/load.js';
import { writeOnnx } from '../../src/onnx/file.js';
import { ModelSchema, type Node, type Tensor as Stored, TensorSchema } from '../../src/onnx/onnx_pb.js';
import { parseReset } from '../../src/resets/parse.js';
import { resetLayer } from '../../src/resets/reset.js';
import { enginesAgree } from './engines-agree.js';
import { graph, longs, node, value, weight, writeGraph } from './graphs.js';

const images = Float32Array.from({ length: 3 * 2 * 64 }, (_, i) => Math.sin(i * i));
const noise = (name: string, dims: number[]): Stored => {
  const stored = weight(name, dims);
  const values = Float32Array.from({ length: stored.rawData.length / 4 }, (_, i) =>
    Math.sin((i + name.length) ** 2),
  );
  return { ...stored, rawData: new Uint8Array(values.buffer) };
};
const flag = create(TensorSchema, { name: 'yes', dataType: 9, rawData: Uint8Array.of(1) });

/** A convolution, pooling to N x 4, what makes `x`, N x 4, of `f`, and a Linear. */
function write(path: string, nodes: Node[], stored: Stored[]): string {
  writeGraph(path, {
    node: [
      node('Conv', ['images', 'conv.weight'], 'c', { kernel_shape: [3, 3] }),
      node('GlobalMaxPool', ['c'], 'g'),
      node('Flatten', ['g'], 'f'),
      ...nodes,
      node('Gemm', ['x', 'fc.weight'], 'logits', { transB: 1 }),
    ],
    initializer: [weight('conv.weight', [4, 2, 3, 3], -30), weight('fc.weight', [3, 4], -5), ...stored],
    input: [value('images', [null, 2, 8, 8])],
    output: [value('logits', [null, 3])],
  });
  return path;
}

t.test('what is trained and in no layer is listed with the reason', async (t) => {
  const path = join(t.testdir({}), 'm.onnx');
  const inner = (name: string) =>
    graph({
      node: [node('MatMul', ['f', name], 'y')],
      initializer: [weight(name, [4, 4])],
      output: [value('y', [null, 4])],
    });
  const cases: Record<string, { nodes: Node[]; stored: Stored[]; elsewhere: [string, number, RegExp][] }> = {
    'a Linear under spectral norm': {
      nodes: [node('Div', ['orig', 'sigma'], 'w'), node('MatMul', ['f', 'w'], 'x')],
      stored: [weight('orig', [4, 4]), weight('sigma', [1])],
      elsewhere: [['orig', 16, /^x \(MatMul\): its weight is computed in the graph/]],
    },
    'a pruning mask': {
      nodes: [node('Mul', ['orig', 'mask'], 'w'), node('MatMul', ['f', 'w'], 'x')],
      stored: [weight('orig', [4, 4]), weight('mask', [4, 4])],
      elsewhere: [
        ['orig', 16, /computed in the graph/],
        ['mask', 16, /computed in the graph/],
      ],
    },
    'a mask of torch.nn.utils.prune, which is not trained': {
      nodes: [node('Mul', ['m.weight_orig', 'm.weight_mask'], 'w'), node('MatMul', ['f', 'w'], 'x')],
      stored: [weight('m.weight_orig', [4, 4]), weight('m.weight_mask', [4, 4])],
      elsewhere: [['m.weight_orig', 16, /computed in the graph/]],
    },
    'vectors of spectral norm, which are not trained': {
      nodes: [
        node('MatMul', ['m.weight_orig', 'm.weight_v'], 'wv'),
        node('MatMul', ['m.weight_u', 'wv'], 'sigma'),
        node('Div', ['m.weight_orig', 'sigma'], 'w'),
        node('MatMul', ['f', 'w'], 'x'),
      ],
      stored: [weight('m.weight_orig', [4, 4]), weight('m.weight_u', [4]), weight('m.weight_v', [4])],
      elsewhere: [['m.weight_orig', 16, /computed in the graph/]],
    },
    "weight norm's direction and gain, which are trained, by an export with Constant nodes of its own kinds":
      {
        nodes: [
          node('Constant', [], 'axes', { value_ints: [1] }),
          node('Abs', ['m.weight_v'], 'absolute'),
          node('Squeeze', ['absolute', 'none'], 'same'),
          node('Unsqueeze', ['m.weight_g', 'axes'], 'column'),
          node('Mul', ['same', 'column'], 'w'),
          node('MatMul', ['f', 'w'], 'x'),
        ],
        stored: [weight('m.weight_v', [4, 4]), weight('m.weight_g', [4]), longs('none', [])],
        elsewhere: [
          ['m.weight_v', 16, /computed in the graph \(a norm/],
          ['m.weight_g', 4, /computed in the graph \(a norm/],
        ],
      },
    'rows of a joint weight': {
      nodes: [
        node('Slice', ['in_proj_weight', 'from', 'to', 'axis'], 'rows'),
        node('Transpose', ['rows'], 'w', { perm: [1, 0] }),
        node('MatMul', ['f', 'w'], 'x'),
      ],
      stored: [weight('in_proj_weight', [12, 4]), longs('from', [4]), longs('to', [8]), longs('axis', [0])],
      elsewhere: [['in_proj_weight', 48, /its weight is some rows of a larger one/]],
    },
    'a Linear for each head, its input channels between its output channels': {
      nodes: [node('Einsum', ['f', 'heads'], 'y', { equation: 'nc,hcd->nhd' }), node('Flatten', ['y'], 'x')],
      stored: [weight('heads', [2, 4, 2])],
      elsewhere: [['heads', 16, /input channels lie between its output channels \(nc,hcd->nhd\)/]],
    },
    LoRA: {
      nodes: [
        node('MatMul', ['down', 'up'], 'low'),
        node('Add', ['base', 'low'], 'w'),
        node('MatMul', ['f', 'w'], 'x'),
      ],
      stored: [weight('base', [4, 4]), weight('down', [4, 2]), weight('up', [2, 4])],
      elsewhere: [
        ['base', 16, /computed in the graph/],
        ['down', 8, /computed in the graph/],
        ['up', 8, /computed in the graph/],
      ],
    },
    'layers inside of an If': {
      nodes: [node('If', ['yes'], 'x', { then_branch: inner('a.weight'), else_branch: inner('b.weight') })],
      stored: [flag],
      elsewhere: [
        ['a.weight', 16, /inside of another graph/],
        ['b.weight', 16, /inside of another graph/],
      ],
    },
    'embeddings, scales and slopes': {
      nodes: [
        node('Add', ['f', 'pos_embed'], 'p'),
        node('Mul', ['p', 'ls.gamma'], 's'),
        node('PRelu', ['s', 'act.weight'], 'x'),
      ],
      stored: [weight('pos_embed', [1, 4]), weight('ls.gamma', [4]), weight('act.weight', [4])],
      elsewhere: [
        ['pos_embed', 4, /^p \(Add\): added to activations/],
        ['ls.gamma', 4, /^s \(Mul\): multiplied/],
        ['act.weight', 4, /^x \(PRelu\): slopes/],
      ],
    },
  };
  for (const [name, { nodes, stored, elsewhere }] of Object.entries(cases)) {
    const model = await loadModel(write(path, nodes, stored));
    const { account } = describe(model);
    const rest = elsewhere.reduce((sum, [, elements]) => sum + elements, 0);
    const layers = model.layers.reduce((sum, { parameters }) => sum + parameters, 0);
    t.strictSame(
      [account.layers.parameters, account.norms.parameters, account.total],
      [layers, 0, layers + rest],
    );
    t.match(
      account.elsewhere.map(({ tensor, parameters, why }) => [tensor, parameters, why]),
      elsewhere,
      name,
    );
    const percents = [account.layers, account.norms, ...account.elsewhere].map(({ percent }) => percent);
    t.ok(Math.abs(percents.reduce((sum, one) => sum + one, 0) - 100) < 1e-9, `${name}: ${percents}`);
    const isLayerElsewhere = /norm|mask|LoRA|If|rows|head/.test(name);
    t.equal(
      model.warnings.some((one) => /operation\(s\) .* left out: (.*, )?[xy] \(/.test(one)),
      isLayerElsewhere,
      name,
    );
  }
});

t.test("norms have their scales and shifts; a norm's statistics are not trained", async (t) => {
  const vectors = ['scale', 'shift', 'mean', 'variance'];
  const model = await loadModel(
    write(
      join(t.testdir({}), 'm.onnx'),
      [
        node('BatchNormalization', ['f', ...vectors], 'b'),
        node('LayerNormalization', ['b', 'ln.weight', 'ln.bias'], 'x'),
      ],
      [...vectors, 'ln.weight', 'ln.bias'].map((name) => weight(name, [4])),
    ),
  );
  t.match(model.account(), { total: 72 + 12 + 16, layers: 84, norms: 16, elsewhere: [] });
});

t.test(
  "a norm of groups has the scale and shift behind it, and not an exporter's ones and zeros",
  async (t) => {
    const filled = (name: string, value: number): Stored => ({
      ...weight(name, [2]),
      rawData: new Uint8Array(new Float32Array(2).fill(value).buffer),
    });
    const nodes = [
      node('Reshape', ['f', 'groups'], 'r'),
      node('InstanceNormalization', ['r', '/norm/Constant_1_output_0', '/norm/Constant_2_output_0'], 'n'),
      node('Reshape', ['n', 'rows'], 'b'),
      node('Mul', ['b', 'norm.weight'], 'm'),
      node('Add', ['m', 'norm.bias'], 'x'),
    ];
    const stored = [
      filled('/norm/Constant_1_output_0', 1),
      filled('/norm/Constant_2_output_0', 0),
      noise('norm.weight', [4]),
      noise('norm.bias', [4]),
      longs('groups', [0, 2, -1]),
      longs('rows', [0, 4]),
    ];
    const { account } = describe(await loadModel(write(join(t.testdir({}), 'm.onnx'), nodes, stored)));
    t.equal(account.norms.parameters, 8);
    t.strictSame(account.elsewhere, []);
  },
);

t.test("biases that ONNX Runtime's optimiser put into other nodes are their layer's", async (t) => {
  const path = join(t.testdir({}), 'm.onnx');
  const microsoft = (one: Node): Node => ({ ...one, domain: 'com.microsoft' });
  const fields = {
    node: [
      node('Conv', ['images', 'conv.weight'], 'c', { kernel_shape: [3, 3] }),
      node('Reshape', ['c', 'shape'], 'f'),
      node('Transpose', ['f'], 't', { perm: [0, 2, 1] }),
      node('MatMul', ['t', 'fc1.weight'], 'm1'),
      microsoft(node('BiasGelu', ['m1', 'fc1.bias'], 'g1')),
      node('MatMul', ['g1', 'fc2.weight'], 'm2'),
      microsoft(node('SkipLayerNormalization', ['m2', 't', 'ln.weight', 'ln.bias', 'fc2.bias'], 'n')),
      node('ReduceMean', ['n'], 'r', { axes: [1], keepdims: 0 }),
      node('Gemm', ['r', 'fc.weight'], 'logits', { transB: 1 }),
    ],
    initializer: [
      longs('shape', [0, 4, 36]),
      ...Object.entries({
        'conv.weight': [4, 2, 3, 3],
        'fc1.weight': [4, 6],
        'fc1.bias': [6],
        'fc2.weight': [6, 4],
        'fc2.bias': [4],
        'ln.weight': [4],
        'ln.bias': [4],
        'fc.weight': [3, 4],
      }).map(([name, dims]) => noise(name, dims)),
    ],
    input: [value('images', [null, 2, 8, 8])],
    output: [value('logits', [null, 3])],
  };
  const opsets = [
    { domain: '', version: 17n },
    { domain: 'com.microsoft', version: 1n },
  ];
  writeFileSync(
    path,
    toBinary(ModelSchema, create(ModelSchema, { irVersion: 8n, opsetImport: opsets, graph: graph(fields) })),
  );
  const model = await loadModel(path);
  t.strictSame(
    model.layers.map(({ name, bias }) => [name, bias?.tensor ?? null]),
    [
      ['conv', null],
      ['fc1', 'fc1.bias'],
      ['fc2', 'fc2.bias'],
      ['fc', null],
    ],
  );
  t.match(model.account(), { total: 72 + 30 + 28 + 8 + 12, norms: 8, elsewhere: [] });
  await enginesAgree(t, model, images);
  // A reset of both is the model without them, as ONNX Runtime runs it.
  const zero = await parseReset('zero');
  const { tensors } = await resetLayer(model, model.layers[2]!, zero, 0, {
    seed: 0,
    init: 'auto',
    norm: 'keep',
  });
  t.strictSame([...tensors.keys()], ['fc2.weight', 'fc2.bias']);
  const without = structuredClone(fields.initializer).map((tensor) =>
    /^fc2/.test(tensor.name) ? { ...tensor, rawData: new Uint8Array(tensor.rawData.length) } : tensor,
  );
  const other = join(t.testdirName, 'other.onnx');
  writeFileSync(
    other,
    toBinary(
      ModelSchema,
      create(ModelSchema, {
        ...{ irVersion: 8n, opsetImport: opsets },
        graph: graph({ ...fields, initializer: without }),
      }),
    ),
  );
  const run = async (bytes: Uint8Array | string) => {
    const session = await InferenceSession.create(bytes as string, { logSeverityLevel: 3 });
    const { logits } = await session.run({ images: new Tensor('float32', images, [3, 2, 8, 8]) });
    await session.release();
    return [...(logits!.data as Float32Array)];
  };
  t.strictSame(await run(writeOnnx(model.file, tensors)), await run(other));
});

t.test('a bias of two layers in one fused node is left where it is', async (t) => {
  const model = await loadModel(
    write(
      join(t.testdir({}), 'm.onnx'),
      [
        node('MatMul', ['f', 'a.weight'], 'a'),
        node('MatMul', ['f', 'b.weight'], 'b'),
        {
          ...node('SkipLayerNormalization', ['a', 'b', 'n.weight', 'n.bias', 'bias'], 'x'),
          domain: 'com.microsoft',
        },
      ],
      [
        ...['a.weight', 'b.weight'].map((name) => weight(name, [4, 4])),
        ...['n.weight', 'n.bias', 'bias'].map((name) => weight(name, [4])),
      ],
    ),
  );
  t.ok(model.layers.every(({ bias }) => bias === null));
  t.match(model.account().elsewhere, [{ tensor: 'bias', why: /read by x \(SkipLayerNormalization\)/ }]);
});
