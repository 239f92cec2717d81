/** timm's networks with attention or mixing of tokens; which of several families with the same names comes first counts. */
import { type Family, type Rule, type Sketch, UNKNOWN } from './family.js';
import { allTruncated, perGroup, plain, truncated } from './timm-rules.js';

const head = /(^|\.)head(\.fc)?$/;
const transformer: readonly Rule[] = [['conv', 'pytorch'], truncated];
/** PyTorch's own, but for the classifier. */
const plainTruncatedHead: readonly Rule[] = [[/(^|\.)head(_dist)?(\.|$)/, 'trunc-normal:0.02'], ...plain];
/** Branches start the smaller, the deeper they are. */
const byDepth = (found: RegExpMatchArray) => `normal:${0.02 / Math.sqrt(2 * (Number(found[1]) + 1))}`;
const branch = /(?:^|\.)blocks\.(\d+)\.(?:attn\.proj|mlp\.fc2)$/;
/** Xavier's bound, on branches the smaller, the deeper. */
const xavierByDepth = (found: RegExpMatchArray, { fanIn, fanOut }: Sketch) =>
  `uniform:${Math.sqrt(6 / (fanIn + fanOut) / (2 * (Number(found[1]) + 1)))}`;
const byDepthRules: readonly Rule[] = [[branch, byDepth], ['conv', 'pytorch'], truncated];
/** Of a gated unit the half that gates starts near zero, with biases of one: no scheme is of both halves. */
const gatedHalf: Rule = [/\.fc1$/, UNKNOWN];
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

export const transformers: readonly Family[] = [
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
      'linear blocks.#.attn.qkv, parameter norm_pre.weight, !parameter norm.weight, !parameter fc_norm.weight, !linear head',
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
