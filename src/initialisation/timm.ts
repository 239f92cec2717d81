/**
 * timm's families, as its freshly built models are (1.0): weights and biases of convolutions and linear layers. Where
 * torchvision has the same network under the same names it starts it likewise. `test/oracle/make_family_golden.py` asks
 * timm.
 */
import { type Family, type Rule, type Sketch, UNKNOWN } from './family.js';

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
/** The fan of one group, as in TensorFlow. */
const perGroup: Rule = ['conv', 'kaiming-normal:fan-out/groups', 'zero'];
const smallHead: Rule = ['linear', 'normal:0.01'];
const truncated: Rule = ['linear', 'trunc-normal:0.02'];
const transformer: readonly Rule[] = [['conv', 'pytorch'], truncated];
const allTruncated: readonly Rule[] = [['all', 'trunc-normal:0.02']];
const plain: readonly Rule[] = [['all', 'pytorch']];
/** PyTorch's own, but for the classifier. */
const plainTruncatedHead: readonly Rule[] = [[/(^|\.)head(_dist)?(\.|$)/, 'trunc-normal:0.02'], ...plain];
/** Branches start the smaller, the deeper they are. */
const byDepth = (found: RegExpMatchArray) => `normal:${0.02 / Math.sqrt(2 * (Number(found[1]) + 1))}`;
const branch = /(?:^|\.)blocks\.(\d+)\.(?:attn\.proj|mlp\.fc2)$/;
const head = /(^|\.)head(\.fc)?$/;
/** Xavier's bound, on branches the smaller, the deeper. */
const xavierByDepth = (found: RegExpMatchArray, { fanIn, fanOut }: Sketch) =>
  `uniform:${Math.sqrt(6 / (fanIn + fanOut) / (2 * (Number(found[1]) + 1)))}`;
const byDepthRules: readonly Rule[] = [[branch, byDepth], ['conv', 'pytorch'], truncated];
/** Of a gated unit the half that gates starts near zero, with biases of one: no scheme is of both halves. */
const gatedHalf: Rule = [/\.fc1$/, UNKNOWN];
const byFanOut: Rule = ['conv', 'kaiming-normal:fan-out', 'pytorch'];
const maxvit: readonly Rule[] = [
  [/\.mlp\.fc\d$/, 'xavier-uniform', 'normal:0.000001'],
  [/\.attn(_block|_grid)?\./, 'xavier-uniform'],
  perGroup,
  ['linear', 'pytorch'],
];
/** ConvNeXt's blocks, whose layers are convolutions, and attention's, which are linear. */
const maxxvit: readonly Rule[] = [
  [['conv', /\.mlp\.fc\d$/], 'kaiming-normal:fan-out/groups', 'zero'],
  ...maxvit,
];

const transformers: readonly Family[] = [
  {
    name: 'CoAtNeXt',
    signs: ['depthwise stages.#.blocks.#.conv_dw, conv stages.#.blocks.#.attn.qkv'],
    rules: [
      [/(^|\.)stages\.[01]\.|(^|\.)head\.fc$/, 'pytorch'],
      ['all', 'normal:0.02'],
    ],
  },
  {
    name: 'MaxxViT-nano',
    signs: ['attn_grid.attn.qkv, depthwise stages.0.blocks.0.conv.conv_dw, !stages.3.blocks.1.conv.conv_dw'],
    rules: [
      [/(^|\.)head\.fc$/, 'pytorch'],
      ['all', 'normal:0.02'],
    ],
  },
  {
    name: 'MaxxViT',
    signs: ['attn_grid.attn.qkv, stages.#.blocks.#.conv.conv_dw'],
    rules: maxxvit,
  },
  {
    name: 'CoAtNets that end in convolutions',
    signs: ['stages.3.blocks.0.conv2_kxk, stages.#.blocks.#.attn.qkv'],
    rules: maxvit,
  },
  {
    name: 'MaxViT and CoAtNet',
    signs: [
      'attn_block.attn.qkv',
      'attn.attn_block.qkv',
      'stages.#.blocks.#.conv2_kxk, stages.#.blocks.#.attn.qkv',
    ],
    rules: [[/stages\.[23]\.blocks\.0\.shortcut\.expand$/, 'xavier-uniform'], ...maxvit],
  },
  {
    name: 'ConViT',
    signs: ['linear blocks.#.attn.pos_proj'],
    // Gated attention starts as a convolution: an identity, and distances.
    rules: [[/\.attn\.(v|pos_proj)$/, UNKNOWN], ...transformer],
  },
  {
    name: 'vision transformers with relative positions',
    signs: ['linear attn.rel_pos.mlp.fc1', 'linear shared_rel_pos.mlp.fc1', 'linear attn.meta_mlp.fc1'],
    rules: plain,
  },
  { name: 'TNT', signs: ['linear blocks.#.attn_in.qk'], rules: transformer },
  {
    name: 'Hiera with absolute windows',
    signs: ['linear blocks.#.attn.qkv, parameter pos_embed_win'],
    rules: [
      [/(?:^|\.)blocks\.(\d+)\.attn\.proj$/, xavierByDepth],
      [/(?:^|\.)blocks\.(\d+)\.mlp\.fc2$/, xavierByDepth, 'normal:0.000001'],
      [head, 'zero'],
      ['conv', 'lecun-normal'],
      [/\.mlp\.fc1$/, 'xavier-uniform', 'normal:0.000001'],
      ['linear', 'xavier-uniform'],
    ],
  },
  {
    name: 'Hiera',
    signs: ['linear blocks.#.attn.qkv, linear blocks.#.proj'],
    rules: [
      [branch, byDepth, 'constant:0.02'],
      [head, 'zero'],
      ['conv', 'normal:0.02', 'pytorch'],
      ['linear', 'normal:0.02', 'constant:0.02'],
    ],
  },
  { name: 'Swin transformers', signs: ['linear layers.#.blocks.#.attn.proj'], rules: transformer },
  { name: 'SwiftFormer', signs: ['stages.#.blocks.#.pwconv1, linear attn.to_query'], rules: allTruncated },
  {
    name: 'Gemma’s vision transformers',
    signs: ['linear blocks.#.attn.q_proj.linear, linear blocks.#.mlp.gate_proj.linear'],
    rules: [['all', 'trunc-normal:0.02/2std']],
  },
  {
    name: 'AIMv2',
    signs: ['linear blocks.#.mlp.fc1_g -bias, linear blocks.#.attn.proj -bias'],
    rules: [[/\.fc1_g$/, 'normal:0.000001'], ...transformer],
  },
  {
    name: 'NaFlexViT',
    signs: ['linear embeds.proj, linear blocks.#.attn.qkv'],
    rules: byDepthRules,
  },
  {
    name: 'BEiT and EVA',
    signs: [
      'linear blocks.#.attn.qkv, parameter blocks.#.gamma_1, !blocks.#.attn.proj_l',
      'linear blocks.#.attn.q_proj, linear blocks.#.mlp.fc1_x',
      // Rotary positions, which leave no parameter of their own in a graph.
      'linear blocks.#.attn.qkv, linear blocks.#.mlp.fc1_x',
      'linear attn_pool.kv, conv patch_embed.proj -bias',
      'linear blocks.#.attn.qkv, parameter norm_pre.weight, !parameter norm.weight, !parameter fc_norm.weight',
      'conv patch_embed.proj +bias 1408x3x14x14, parameter fc_norm.weight, !parameter blocks.#.mlp.norm.weight',
      'conv patch_embed.proj +bias 1408x3x14x14, linear head 1024x1408',
      'linear blocks.#.attn.qkv, linear blocks.#.mlp.fc1 1024x192',
      'linear blocks.#.attn.qkv, linear blocks.#.mlp.fc1 2048x384, linear blocks.#.mlp.fc2 384x1024',
      'linear blocks.#.attn.qkv, linear blocks.#.mlp.fc1 15360x1792',
    ],
    rules: [[head, 'normal:0.00002'], ...byDepthRules],
  },
  {
    name: 'gMixer',
    signs: ['linear mlp_tokens.fc1 384x196, linear mlp_tokens.fc2 196x192'],
    rules: [
      gatedHalf,
      [head, 'zero'],
      ['conv', 'lecun-normal'],
      [/\.mlp_(channels|tokens)\./, 'xavier-uniform', 'normal:0.000001'],
      ['linear', 'xavier-uniform'],
    ],
  },
  {
    name: 'MLP-Mixer and its kin',
    signs: ['linear mlp_channels.fc1', 'linear mlp_tokens.fc1'],
    rules: [
      [/\.gate\.proj$/, 'normal:0.000001', 'constant:1'],
      [head, 'zero'],
      ['conv', 'lecun-normal'],
      [/\.mlp_(channels|tokens)\./, 'xavier-uniform', 'normal:0.000001'],
      ['linear', 'xavier-uniform'],
    ],
  },
  {
    name: 'ViTamin',
    signs: ['patch_embed.backbone.stages.#.#.conv1_1x1'],
    rules: [[/\.pool\.proj$/, 'pytorch'], perGroup, truncated],
  },
  {
    name: 'Visformer',
    signs: ['conv stage#.#.attn.qkv'],
    rules: [['conv', 'kaiming-normal:fan-out'], truncated],
  },
  {
    name: 'MViTv2',
    signs: ['depthwise blocks.#.attn.pool_q'],
    rules: [
      ['conv', 'pytorch'],
      ['linear', 'trunc-normal:0.02/2std'],
    ],
  },
  { name: 'EdgeNeXt', signs: ['linear blocks.#.xca.qkv'], rules: [['all', 'trunc-normal:0.02/2std']] },
  { name: 'GC ViT', signs: ['global_block.blocks.conv1.conv_dw'], rules: plain },
  { name: 'PiT', signs: ['linear transformers.#.blocks.#.attn.qkv'], rules: plain },
  { name: 'NesT', signs: ['linear levels.#.transformer_encoder.#.attn.qkv'], rules: allTruncated },
  { name: 'Next-ViT', signs: ['linear blocks.#.e_mhsa.q'], rules: allTruncated },
  {
    name: 'PVT v2 and Twins',
    signs: ['blocks.#.attn.sr, blocks.#.mlp.dwconv', 'patch_embeds.#.proj, pos_block.#.proj.#'],
    rules: [perGroup, truncated],
  },
  {
    name: 'networks with attention whose other layers are PyTorch’s',
    signs: [
      'conv mixer.m.attn.qkvs.#.conv',
      'linear attn.qkv.linear',
      'depthwise token_mixer.conv1.c',
      'conv mixer.m.qkv.c',
      'depthwise token_mixer.conv.c, channel_mixer.conv1.c',
      'conv attn.qkv.linear',
    ],
    rules: plainTruncatedHead,
  },
  { name: 'EfficientViT (MIT)', signs: ['stages.#.blocks.#.context_module.main.qkv.conv'], rules: plain },
  {
    name: 'SAM’s vision transformers',
    signs: [
      'linear blocks.#.attn.qkv, conv neck.0',
      'linear blocks.#.attn.qkv, linear blocks.#.mlp.fc1, linear head.fc, conv patch_embed.proj 768x3x16x16',
    ],
    rules: plain,
  },
  {
    name: 'vision transformers with gated units',
    signs: ['linear blocks.#.attn.qkv, linear blocks.#.mlp.fc1 8192x1536'],
    rules: [gatedHalf, ...transformer],
  },
  {
    name: 'vision transformers',
    signs: [
      'linear blocks.#.attn.qkv',
      'linear blocks.#.attn.proj',
      'linear blocks.#.#.attn.qkv',
      'linear blocks.#.attns.#.attn.qkv',
      'linear factoratt_crpe.qkv',
      'linear network.#.#.attn.proj',
      'linear spatial_block.attn.qkv',
      'linear blocks.#.in_proj, linear blocks.#.attn_out_proj',
      'linear blocks.#.in_proj, linear blocks.#.out_proj',
      'stages.#.blocks.#.token_mixer.qkv, head_dist',
      'conv token_mixer.talking_head1',
    ],
    rules: [
      [['conv', /(^|\.)backbone\.(stem|stages|layer\d|conv1)\./], 'kaiming-normal:fan-out', 'pytorch'],
      ...transformer,
    ],
  },
];

const convolutional: readonly Family[] = [
  {
    name: 'pruned ResNets and EfficientNets',
    // Their layers are made again, of other sizes.
    signs: [
      'conv layer1.0.conv1 47x64x1x1',
      'conv layer1.0.conv1 45x64x1x1',
      'conv blocks.1.0.conv_pwl 12x48x1x1',
      'conv blocks.1.0.conv_pw 54x16x1x1',
      'conv blocks.1.0.conv_pw 27x24x1x1',
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

export const timm: readonly Family[] = [...transformers, ...convolutional].map((family) => ({
  ...family,
  name: `timm's ${family.name}`,
}));
