import { create } from '@bufbuild/protobuf';
import t from 'tap';
import { holdersOf, moduleName } from '../../src/onnx/names.js';
import { NodeSchema } from '../../src/onnx/onnx_pb.js';

const scopes = (value: string) => ({ metadataProps: [{ key: 'pkg.torch.onnx.name_scopes', value }] });

/** What exporters leave, and the module it is of. */
const cases: [about: object, tensors: string[], name: string][] = [
  // PyTorch: parameters keep their names, unless they were folded.
  [{}, ['layer1.0.conv1.weight'], 'layer1.0.conv1'],
  [{}, ['onnx::MatMul_444', 'blocks.0.mlp.fc1.bias'], 'blocks.0.mlp.fc1'],
  [{}, ['encoder.attn.in_proj_weight', 'encoder.attn.in_proj_bias'], 'encoder.attn.in_proj'],
  [{}, ['conv.parametrizations.weight.original1'], 'conv'],
  [{}, ['conv.weight_v'], 'conv'],
  // A recurrent cell.
  [{}, ['r.weight_ih', 'r.bias_ih'], 'r.ih'],
  [{}, ['r.weight_hh', 'r.bias_hh'], 'r.hh'],
  [{}, ['multi_scale.conv.weight'], 'multi_scale.conv'],
  [{}, ['v_proj.weight'], 'v_proj'],
  [
    {
      metadataProps: [
        { key: 'pkg.torch.onnx.name_scopes', value: "['', 'net.rnn', 'linear_1']" },
        {
          key: 'pkg.torch.onnx.fx_node',
          value: '%linear_1 : = (args = (%tanh, %p_net_rnn_weight_hh_l0), kwargs = {})',
        },
      ],
    },
    ['val_277'],
    'net.rnn.hh_l0',
  ],
  [{ name: '/layer1/layer1.0/conv1/Conv' }, ['onnx::Conv_147', 'onnx::Conv_148'], 'layer1.0.conv1'],
  [{ name: '/stages.0/blocks/blocks.1/conv_dw/Conv' }, ['onnx::Conv_9'], 'stages.0.blocks.1.conv_dw'],
  [scopes("['', 'stem', 'stem.conv1', 'conv2d_1']"), ['view_2'], 'stem.conv1'],
  [{ name: 'node_conv', ...scopes("['', 'conv2d']") }, ['val_3'], 'node_conv'],
  // TensorFlow.
  [{}, ['StatefulPartitionedCall/net/conv1/Conv2D/ReadVariableOp:0'], 'net/conv1'],
  [{ name: 'StatefulPartitionedCall/net/fc/MatMul' }, ['const_fold_opt__31'], 'net/fc'],
  [{}, ['net/conv1/Conv2D_weights_fused_bn'], 'net/conv1'],
  [{}, ['block1/conv2d/kernel:0'], 'block1/conv2d'],
  [{ name: 'net/seq/dense/Tensordot/MatMul' }, ['new_weights__3'], 'net/seq/dense'],
  // PaddlePaddle.
  [{}, ['conv2d_0.w_0'], 'conv2d_0'],
  [{}, ['linear_0.w_0', 'linear_0.b_0'], 'linear_0'],
  // keras2onnx.
  [{ name: 'conv2d_4' }, ['W', 'B'], 'conv2d_4'],
  // Nothing but what they are called.
  [{ name: 'Conv_12' }, ['147'], 'Conv_12'],
  [{ name: 'Conv_12' }, ['my weights'], 'my weights'],
];

for (const [about, tensors, name] of cases) {
  t.test(
    `${[...Object.values(about).slice(0, 1), ...tensors].map(String).join(', ')} is ${name}`,
    async (t) => {
      t.equal(moduleName(create(NodeSchema, { opType: 'Conv', ...about }), tensors, new Set()), name);
    },
  );
}

t.test('a second layer of one name is numbered', async (t) => {
  const node = create(NodeSchema, { opType: 'Conv' });
  t.equal(moduleName(node, ['a.weight'], new Set(['a'])), 'a#2');
  t.equal(moduleName(node, ['a.weight'], new Set(['a', 'a#2'])), 'a#3');
});

t.test('attention that takes the weight of its qkv without calling it does not give it its own name', (t) => {
  const at = (name: string) => create(NodeSchema, { opType: 'MatMul', name });
  const [qkv, proj] = [at('/blocks.0/attn/MatMul'), at('/blocks.0/attn/proj/MatMul')];
  const name = (node: typeof qkv, shape: number[], nodes = [qkv, proj]) =>
    moduleName(node, ['onnx::MatMul_7'], new Set(), shape, holdersOf(nodes));
  t.equal(name(qkv, [12, 4]), 'blocks.0.attn.qkv');
  t.equal(name(proj, [12, 4]), 'blocks.0.attn.proj');
  t.equal(name(qkv, [12, 4], [qkv]), 'blocks.0.attn', 'it holds no other module, and is a Linear itself');
  t.equal(name(qkv, [8, 4]), 'blocks.0.attn', 'something else than three of each');
  t.end();
});
