/** timm's convolutional networks; which of several families with the same names comes first counts. */
import { type Family, type Rule, UNKNOWN } from './family.js';
import { allTruncated, perGroup, plain, truncated } from './timm-rules.js';

/** torch.nn.init's fan-out, and the linear layers as PyTorch makes them. */
const residual: readonly Rule[] = [
  // Efficient channel attention, a convolution over channels.
  [/\.se\.conv$/, 'pytorch'],
  ['conv', 'kaiming-normal:fan-out', 'pytorch'],
  ['linear', 'pytorch'],
];
const residualZeroHead: readonly Rule[] = [
  [/\.attn\.conv$/, 'pytorch'],
  [/\.se\./, 'kaiming-normal:fan-out', 'zero'],
  ['conv', 'kaiming-normal:fan-out', 'pytorch'],
  ['linear', 'pytorch', 'zero'],
];
const smallHead: Rule = ['linear', 'normal:0.01'];
const byFanOut: Rule = ['conv', 'kaiming-normal:fan-out', 'pytorch'];

export const convolutional: readonly Family[] = [
  {
    name: 'pruned ResNets and EfficientNets',
    // Their layers are made again, of other sizes.
    signs: [
      'conv layer1.0.conv1 47x64x1x1',
      'conv layer1.0.conv1 45x64x1x1',
      'conv blocks.1.0.conv_pwl 12x48x1x1',
      'conv blocks.1.0.conv_pwl 17x54x1x1',
      'conv blocks.1.0.conv_pwl 12x27x1x1',
    ],
    rules: plain,
  },
  {
    name: 'LowFormers',
    signs: ['conv stages.#.#.main.point_conv.conv, linear pre_classifier.0'],
    rules: [['conv', 'pytorch'], truncated],
  },
  {
    name: 'CPUBones',
    signs: ['conv stages.#.#.main.point_conv.conv, linear head.pre_classifier.linear'],
    rules: plain,
  },
  { name: 'CSATv2', signs: ['conv stem_dct.conv_y'], rules: allTruncated },
  {
    name: 'GhostNets, Xceptions, ConvMixer, DPN, Inception-v4, NASNets',
    signs: [
      'blocks.#.#.ghost1.primary_conv.#',
      'blocks.#.#.ghost1.primary_rpr_conv.#.conv',
      'blocks.#.stack.conv1.conv_pw',
      'depthwise blocks.#.#.fn.#',
      'features.conv#_#.c1x1_a.conv',
      'features.#.branch#.#.conv, last_linear',
      'repeat.#.branch#.#.conv',
      'comb_iter_#_left.separable_#.pointwise_conv2d',
    ],
    rules: plain,
  },
  {
    name: 'EfficientNets and MobileNets',
    signs: [
      'conv conv_stem, blocks.#.#.conv_pwl',
      'conv conv_stem.conv, blocks.#.#.pw_exp.conv',
      'conv conv_stem, blocks.#.#.conv_pw',
      'conv conv_stem, blocks.#.#.pw_exp.conv',
      'features.#.conv_pwl.conv',
    ],
    rules: [
      [/\.attn\.(query|key|value|output)\.(proj|down_conv)$/, 'xavier-uniform'],
      [/\.routing_fn$/, 'uniform:fan-in+fan-out', 'zero'],
      // Kernels that are mixed for each image are rows of a matrix: their own fans cannot be seen.
      [['linear', /\.conv_(pw|dw|pwl)$/], UNKNOWN],
      perGroup,
      ['linear', 'uniform:fan-out', 'zero'],
    ],
  },
  {
    name: 'NFNets',
    signs: ['stages.#.#.conv1 +bias, conv stages.#.#.conv3 +bias, linear head.fc'],
    rules: [
      [/\.attn(_last)?\.conv$/, 'pytorch'],
      ['conv', 'kaiming-normal:fan-in/linear', 'zero'],
      smallHead,
    ],
  },
  {
    name: 'RegNets, ByobNets and MobileViTs',
    signs: [
      's#.b#.conv1.conv, head.fc',
      's#.b#.conv1, head.fc',
      'stages.#.#.conv1_1x1.conv',
      'stages.#.#.conv1_kxk.conv',
      'stages.#.#.conv_kxk.#.conv, head.fc',
      'stages.#.#.conv_kxk.conv, head.fc',
    ],
    rules: [
      [/\.self_attn\.(q|kv|qkv)$|(^|\.)head\.(q|k|v|qkv)$/, 'trunc-normal:fan-in'],
      // A key has 16 numbers.
      [/\.self_attn\.conv_lambda$/, 'trunc-normal:0.25', 'pytorch'],
      [/\.attn\.conv$/, 'pytorch'],
      // The global context's.
      [/\.attn\.conv_attn$/, 'kaiming-normal:fan-in', 'zero'],
      [/\.attn\.mlp_add\.fc2$/, 'zero'],
      perGroup,
      smallHead,
    ],
  },
  {
    name: 'FastViT',
    signs: ['token_mixer.mixer.conv_kxk.#.conv'],
    rules: [
      [/\.mlp\.|\.token_mixer\.(qkv|proj)$|(^|\.)head\.fc$/, 'trunc-normal:0.02'],
      ['all', 'pytorch'],
    ],
  },
  {
    name: 'TResNets',
    signs: ['body.layer#.#.conv1.conv'],
    rules: [
      ['conv', 'kaiming-normal:fan-out', 'pytorch'],
      ['linear', 'normal:0.01', 'pytorch'],
    ],
  },
  {
    name: 'CSPNets, DarkNets and pre-activated ResNets',
    signs: [
      'stages.#.conv_down.conv',
      'stages.#.conv_down.#.conv',
      'stages.#.conv_exp.conv',
      'stages.#.blocks.#.conv1, stages.#.blocks.#.downsample.conv',
    ],
    rules: [
      [/(^|\.)head\.fc$/, 'normal:0.01'],
      [/\.attn\d?\.fc\d$/, 'kaiming-normal:fan-out', 'zero'],
      byFanOut,
      smallHead,
    ],
  },
  {
    name: 'RDNets',
    signs: ['dense_stages.#.#.dense_block#.layers.layers.#'],
    rules: [
      [['conv', /\.fc$/], 'kaiming-normal:fan-out', 'pytorch'],
      ['conv', 'kaiming-normal:fan-in', 'pytorch'],
      ['linear', 'pytorch', 'zero'],
    ],
  },
  {
    name: 'VoVNets, HGNets and LCNets',
    signs: [
      'stages.#.blocks.#.conv_mid.#.conv_dw',
      'stages.#.blocks.#.conv_concat.conv',
      'stages.#.blocks.#.aggregation.#.conv',
      'stages.#.#.pw_conv.conv, stages.#.#.dw_conv.conv',
    ],
    rules: residualZeroHead,
  },
  {
    name: 'StarNets',
    signs: ['stages.#.#.dwconv2.conv, stages.#.#.g.conv'],
    rules: [['conv', 'trunc-normal:0.02', 'pytorch'], truncated],
  },
  {
    name: 'ConvNeXts and networks like them',
    signs: [
      'depthwise stages.#.blocks.#.conv_dw',
      'depthwise stages.#.blocks.#.conv',
      'depthwise token_mixer.dwconv*',
      'conv layers.#.blocks.#.modulation.f',
      'stages.#.blocks.#.spatial_mixing.partial_conv3',
      'conv stages.#.blocks.#.mlp.fc1, conv stages.#.downsample.conv, linear head.fc',
    ],
    rules: allTruncated,
  },
  {
    name: 'VGGs',
    signs: ['conv pre_logits.fc1, conv features.#'],
    rules: [['conv', 'kaiming-normal:fan-out', 'zero'], smallHead],
  },
  {
    name: 'DenseNets',
    signs: ['features.denseblock#.denselayer#.conv1'],
    rules: [
      ['conv', 'kaiming-normal:fan-in'],
      ['linear', 'pytorch', 'zero'],
    ],
  },
  {
    name: 'Inception-v3',
    signs: ['Mixed_5b.branch1x1.conv'],
    rules: [
      [/(^|\.)AuxLogits\.fc$/, 'trunc-normal:0.001', 'pytorch'],
      ['all', 'trunc-normal:0.1', 'pytorch'],
    ],
  },
  {
    name: 'ResNets and networks like them',
    signs: [
      'layer#.#.conv#*',
      'level#.tree#.conv1, base_layer.0',
      'features.#.conv1.0, features.#.conv6.0',
      'block#.rep.#.pointwise',
    ],
    rules: residual,
  },
];
