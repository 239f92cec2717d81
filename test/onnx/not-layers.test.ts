/** What is a layer and what is not, and what layers are called, where exports make that hard to see. */
import { join } from 'node:path';
import t from 'tap';
import { loadModel } from '../../src/model/load.js';
import type { Node, Tensor } from '../../src/onnx/onnx_pb.js';
import { enginesAgree } from './engines-agree.js';
import { longs, node, value, weight, writeGraph } from './graphs.js';

const images = Float32Array.from({ length: 3 * 2 * 64 }, (_, i) => Math.sin(i * i));

const filled = (name: string, dims: number[], values: ArrayLike<number>): Tensor => ({
  ...weight(name, dims),
  rawData: new Uint8Array(Float32Array.from(values).buffer),
});

/** As PyTorch's newer exporter writes a node down. */
function scoped(of: Node, scopes: string[], call = ''): Node {
  const list = `[${['', ...scopes, 'operation'].map((scope) => `'${scope}'`).join(', ')}]`;
  return {
    ...of,
    name: `node_${of.output[0]}`,
    metadataProps: [
      { $typeName: 'critmap.onnx.Entry', key: 'pkg.torch.onnx.name_scopes', value: list },
      { $typeName: 'critmap.onnx.Entry', key: 'pkg.torch.onnx.fx_node', value: call },
    ],
  };
}

/** A convolution to 4 x 8 x 8, what makes `x`, N x 4 x 8 x 8, of its `c`, pooling, and a Linear. */
function write(path: string, nodes: Node[], stored: Tensor[]): string {
  writeGraph(path, {
    node: [
      node('Conv', ['images', 'conv.weight'], 'c', { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      ...nodes,
      node('GlobalMaxPool', ['x'], 'g'),
      node('Flatten', ['g'], 'f'),
      node('Gemm', ['f', 'fc.weight'], 'logits', { transB: 1 }),
    ],
    initializer: [weight('conv.weight', [4, 2, 3, 3], -30), weight('fc.weight', [3, 4], -5), ...stored],
    input: [value('images', [null, 2, 8, 8])],
    output: [value('logits', [null, 3])],
  });
  return path;
}

const names = (layers: readonly { name: string }[]) => layers.map(({ name }) => name);

t.test(
  'a fixed kernel of means or differences is no layer, and a depthwise convolution is one',
  async (t) => {
    const path = join(t.testdir({}), 'm.onnx');
    const blur = [1, 2, 1, 2, 4, 2, 1, 2, 1].map((one) => one / 16);
    const sobel = [1, 0, -1, 2, 0, -2, 1, 0, -1];
    const attributes = { kernel_shape: [3, 3], pads: [1, 1, 1, 1], group: 4 };
    const kernels: [kernel: number[], isLayer: boolean][] = [
      [[...blur, ...blur, ...blur, ...blur], false],
      [[...blur, ...blur, ...blur, ...blur.slice(0, 8), 0.0626], true],
      [[...blur, ...blur, ...blur, ...blur].map((one) => 2 * one), true],
      [[...sobel, ...sobel, ...sobel, ...sobel], false],
      [[...sobel, ...sobel, ...sobel, ...sobel].map((one) => one / 8), false],
      [[...sobel, ...sobel, ...sobel, ...sobel.slice(0, 8), -1.5], true],
      [[...sobel, ...sobel, ...sobel, ...sobel].map((one) => Math.sin(one)), true],
    ];
    for (const [kernel, isLayer] of kernels) {
      const stored = [filled('stage.aa.filt', [4, 1, 3, 3], kernel)];
      const model = await loadModel(
        write(path, [node('Conv', ['c', 'stage.aa.filt'], 'x', attributes)], stored),
      );
      t.equal(model.layers.length, isLayer ? 3 : 2);
      const what = kernel.some((one) => one < 0) ? 'kernel of differences' : 'smoothing kernel';
      const why = `a fixed ${what}, the same in every channel`;
      t.strictSame(model.leftOut, isLayer ? [] : [{ name: 'x', op: 'Conv', why }]);
      if (!isLayer) {
        t.equal(model.warnings.length, 1);
        t.match(
          model.warnings[0],
          `1 operation(s) with a stored tensor are no layers and left out: x (Conv); ${why}`,
        );
      }
      await enginesAgree(t, model, images);
    }
  },
);

t.test(
  'a weight that is bounded or rounded in the graph is said to be computed from one tensor',
  async (t) => {
    const path = join(t.testdir({}), 'm.onnx');
    const nodes = [
      node('Relu', ['raw.weight'], 'w'),
      node('Conv', ['c', 'w'], 'x', { kernel_shape: [1, 1] }),
    ];
    const one = await loadModel(write(path, nodes, [weight('raw.weight', [4, 4, 1, 1])]));
    t.match(one.leftOut, [{ name: 'x', why: /computed in the graph from one tensor/ }]);
    nodes[0] = node('Mul', ['raw.weight', 'raw.mask'], 'w');
    const stored = [weight('raw.weight', [4, 4, 1, 1]), weight('raw.mask', [4, 4, 1, 1], -3)];
    const two = await loadModel(write(path, nodes, stored));
    t.match(two.leftOut, [{ name: 'x', why: 'its weight is computed from more than one tensor' }]);
  },
);

t.test('tables of relative positions are no layers, by name or by the Pad behind them', async (t) => {
  const path = join(t.testdir({}), 'm.onnx');
  // N x 4 x 8 x 8 by 8 x 15, padded to 16 and cut to 8.
  const table = (name: string, scopes: string[], padded: boolean) =>
    write(
      path,
      [
        scoped(node('MatMul', ['c', name], 'm'), scopes),
        node('Identity', ['m'], 'r'),
        ...(padded ? [node('Pad', ['r', 'pads'], 'p')] : [node('Relu', ['r'], 'p')]),
        node('Slice', ['p', 'from', 'to', 'axis'], 's'),
        node('Add', ['c', 's'], 'x'),
      ],
      [
        weight(name, [8, 15], -60),
        longs('pads', [0, 0, 0, 0, 0, 0, 0, 1]),
        longs('from', [0]),
        longs('to', [8]),
        longs('axis', [3]),
      ],
    );
  for (const [name, scopes, padded] of [
    ['blocks.0.attn.rel_pos_h', ['blocks.0.attn'], false],
    ['attn.pos_embed.height_rel', ['attn'], false],
    ['val_3', ['attn', 'attn.pos_embed'], false],
    ['val_3', ['attn'], true],
  ] as const) {
    const model = await loadModel(table(name, [...scopes], padded));
    t.strictSame(names(model.layers), ['conv', 'fc'], name);
    t.match(model.leftOut, [{ op: 'MatMul', why: 'a table of relative positions' }]);
  }
  const model = await loadModel(table('attn.mix.weight', ['attn'], false));
  t.strictSame(names(model.layers), ['conv', 'attn.mix', 'fc'], 'a Linear without a bias');
});

/** As Swin's second version computes position biases: two Linears of coordinates, which no image reaches. */
const positions: Node[] = [
  node('MatMul', ['coordinates', 'mlp.0.weight'], 'm0'),
  node('Add', ['m0', 'mlp.0.bias'], 'a0'),
  node('Relu', ['a0'], 'r0'),
  node('MatMul', ['r0', 'mlp.2.weight'], 'm2'),
  node('Reshape', ['m2', 'shape'], 'bias'),
  node('Add', ['c', 'bias'], 'x'),
];

t.test('Linears that no image reaches are layers, the first too', async (t) => {
  const path = join(t.testdir({}), 'm.onnx');
  const model = await loadModel(
    write(path, positions, [
      weight('coordinates', [64, 2], -60),
      weight('mlp.0.weight', [2, 6], -5),
      weight('mlp.0.bias', [6], -3),
      weight('mlp.2.weight', [6, 4], -12),
      longs('shape', [1, 4, 8, 8]),
    ]),
  );
  t.strictSame(names(model.layers), ['conv', 'mlp.0', 'mlp.2', 'fc']);
  t.strictSame(model.layers[1]?.weight.shape, [6, 2]);
  t.strictSame([model.leftOut, model.warnings], [[], []]);
  await enginesAgree(t, model, images);
});

t.test('what an export computed of such Linears is named', async (t) => {
  const path = join(t.testdir({}), 'm.onnx');
  const nodes = positions
    .slice(1)
    .map((one) => (one.output[0] === 'a0' ? node('Add', ['val_1', 'mlp.0.bias'], 'a0') : one));
  const model = await loadModel(
    write(path, nodes, [
      weight('val_1', [64, 6], -60),
      weight('mlp.0.bias', [6], -3),
      weight('mlp.2.weight', [6, 4], -12),
      longs('shape', [1, 4, 8, 8]),
    ]),
  );
  t.strictSame(names(model.layers), ['conv', 'mlp.2', 'fc']);
  t.match(model.warnings, [
    /1 layer\(s\) depend on no image and are no longer in the file.*\(mlp\.0\).*without folding/,
  ]);
  // Its bias too.
  const whole = nodes
    .slice(1)
    .map((one) => (one.opType === 'Relu' ? node('Relu', ['val_2'], one.output[0]!) : one));
  const { warnings } = await loadModel(
    write(path, whole, [
      weight('val_2', [64, 6], -60),
      weight('mlp.2.weight', [6, 4], -12),
      longs('shape', [1, 4, 8, 8]),
    ]),
  );
  t.match(warnings, [/1 layer\(s\) depend on no image.*\(one before .*without folding/]);
});

t.test(
  "a layer whose weight has lost its name has that of its own module, not of another's bias",
  async (t) => {
    const path = join(t.testdir({}), 'm.onnx');
    const last = { perm: [0, 2, 3, 1] };
    const linear = (scopes: string[], call: string) => [
      node('Transpose', ['c'], 't', last),
      scoped(node('MatMul', ['t', 'val_23'], 'm'), scopes, call),
      scoped(node('Add', ['m', 'patch_embed.norm.bias'], 'a'), scopes),
      node('Transpose', ['a'], 'x', { perm: [0, 3, 1, 2] }),
    ];
    const stored = [weight('val_23', [4, 4], -7), weight('patch_embed.norm.bias', [4], -1)];
    const cases: [scopes: string[], call: string, name: string][] = [
      // The weight of a module that is not called: the operation's own arguments name it.
      [
        ['b.0', 'b.0.attn'],
        '%linear : call_function[linear](args = (%x, %p_b_0_attn_qkv_weight, %cat))',
        'b.0.attn.qkv',
      ],
      [
        ['b.0', 'b.0.attn.proj'],
        '%linear : (args = (%x, %p_b_0_attn_proj_weight, %p_b_0_attn_proj_bias))',
        'b.0.attn.proj',
      ],
      [['b.0', 'b.0.attn.proj'], '', 'b.0.attn.proj'],
      // Under a module that left no trace of its own.
      [['patch_embed'], '', 'patch_embed.norm'],
      [['norm'], '', 'patch_embed.norm'],
    ];
    for (const [scopes, call, name] of cases) {
      const model = await loadModel(write(path, linear(scopes, call), stored));
      t.strictSame(names(model.layers), ['conv', name, 'fc']);
    }
  },
);

t.test("fresh weights that are equal are each module's own; trained ones are tied", async (t) => {
  const path = join(t.testdir({}), 'm.onnx');
  const identity = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  const trained = identity.map((_, i) => Math.sin(i + 1));
  const twice = (weights: [string, string], scopes: [string, string]) => [
    node('Transpose', ['c'], 't', { perm: [0, 2, 3, 1] }),
    scoped(node('MatMul', ['t', weights[0]], 'm1'), [scopes[0]]),
    node('Relu', ['m1'], 'r'),
    scoped(node('MatMul', ['r', weights[1]], 'm2'), [scopes[1]]),
    node('Transpose', ['m2'], 'x', { perm: [0, 3, 1, 2] }),
  ];
  const one = (name: string, values: number[]) => filled(name, [4, 4], values);
  // Stored once for two modules, or twice without names.
  for (const weights of [
    ['v.0.weight', 'v.0.weight'],
    ['val_1', 'val_2'],
  ] as [string, string][]) {
    for (const [values, scopes, uses] of [
      [identity, ['v.0', 'v.1'], [1, 1]],
      [identity, ['v.0', 'v.0'], weights[0] === weights[1] ? [2] : [1, 1]],
      [trained, ['v.0', 'v.1'], [2]],
    ] as [number[], [string, string], number[]][]) {
      const stored = [...new Set(weights)].map((name) => one(name, values));
      const model = await loadModel(write(path, twice(weights, scopes), stored));
      const between = model.layers.slice(1, -1);
      t.strictSame(
        between.map((layer) => layer.uses),
        uses,
        `${weights} in ${scopes}`,
      );
      t.equal(between[0]?.name, 'v.0');
      if (scopes[1] === 'v.1' && values === identity) t.equal(between[1]?.name, 'v.1');
      await enginesAgree(t, model, images);
    }
  }
});

t.test('an Einsum of queries with a table that the export computed is no grouped Linear', async (t) => {
  const path = join(t.testdir({}), 'm.onnx');
  const rows = (name: string) =>
    write(
      path,
      [
        node('Transpose', ['c'], 'q', { perm: [0, 2, 3, 1] }),
        node('Einsum', ['q', name], 'e', { equation: 'bhwc,hkc->bhwk' }),
        node('Transpose', ['e'], 'x', { perm: [0, 3, 1, 2] }),
      ],
      [weight(name, [8, 4, 4], -60)],
    );
  // The first of what PyTorch's newer exporter calls index, index_1, ... has no number.
  for (const name of ['val_7', 'index'])
    t.strictSame(names((await loadModel(rows(name))).layers), ['conv', 'fc'], name);
  const model = await loadModel(rows('groups.weight'));
  t.strictSame(names(model.layers), ['conv', 'groups', 'fc']);
  await enginesAgree(t, model, images);
});

t.test('a table of zeros and ones that an Einsum looks others up with is no layer', async (t) => {
  const path = join(t.testdir({}), 'm.onnx');
  const rows: [values: number[], isLayer: boolean][] = [
    [[0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0], false],
    [[0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0.5, 0, 0, 0], true],
  ];
  for (const [values, isLayer] of rows) {
    const stored = [filled('rel_pos.height_lookup', [4, 4], values)];
    const lookup = node('Einsum', ['c', 'rel_pos.height_lookup'], 'x', { equation: 'nchw,kc->nkhw' });
    const model = await loadModel(write(path, [lookup], stored));
    t.equal(names(model.layers).length, isLayer ? 3 : 2);
    t.strictSame(
      model.leftOut.map(({ why }) => why),
      isLayer ? [] : ['a table of zeros and ones that looks others up'],
    );
  }
});
