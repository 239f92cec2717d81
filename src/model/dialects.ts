/**
 * Other names of networks that are known: what a checkpoint's tensors are renamed by where its own names do not give the
 * whole model, and these do.
 */
import type { Table } from '../weights/checkpoint-file.js';
import { asConvolutions, asVectors, type Join, joined } from './rearranged.js';
import { type Rename, renamed } from './rename.js';

export interface Dialect {
  /** Whose names they are. */
  readonly name: string;
  readonly renames: readonly Rename[];
  /** What is one tensor in the model, by the names after all renames. */
  readonly join?: Join;
  /** Matrices that are 1x1 convolutions in the model, by the names after all renames. */
  readonly convolutions?: RegExp;
  /** What has sides of 1 after its first, and is a vector in the model, by the names after all renames. */
  readonly vectors?: RegExp;
}

type Rule = readonly [RegExp, string];

const dialect = (name: string, rules: readonly Rule[], rest: Partial<Dialect> = {}): Dialect => ({
  name,
  renames: rules.map(([pattern, replacement]) => ({ text: name, pattern, replacement })),
  ...rest,
});

/** A rule for each number from 0, which the model counts from 1. */
const counted = (count: number, rule: (from: number, to: number) => Rule): Rule[] =>
  Array.from({ length: count }, (_, i) => rule(i, i + 1));

const transformers: readonly Rule[] = [
  [/\bconvnext\./g, ''],
  [/\bembeddings\.patch_embeddings\./g, 'stem.0.'],
  [/\bembeddings\.layernorm\./g, 'stem.1.'],
  [/\bencoder\.stages\.(\d+)\.layers\.(\d+)\./g, 'stages.$1.blocks.$2.'],
  [/\bencoder\.stages\.(\d+)\.downsampling_layer\./g, 'stages.$1.downsample.'],
  [/(\bblocks\.\d+)\.dwconv\./g, '$1.conv_dw.'],
  [/(\bblocks\.\d+)\.layernorm\./g, '$1.norm.'],
  [/(\bblocks\.\d+)\.pwconv([12])\./g, '$1.mlp.fc$2.'],
  [/(\bblocks\.\d+)\.layer_scale_parameter$/g, '$1.gamma'],
  [/\blayernorm\./g, 'head.norm.'],
  [/\bclassifier\./g, 'head.fc.'],
];

/** As the published code names them; timm's checkpoint_filter_fn has the same rules. */
const facebook: readonly Rule[] = [
  [/\bdownsample_layers\.0\./g, 'stem.'],
  [/\bstages\.(\d+)\.(\d+)\./g, 'stages.$1.blocks.$2.'],
  [/\bdownsample_layers\.(\d+)\./g, 'stages.$1.downsample.'],
  [/(\bblocks\.\d+)\.dwconv\./g, '$1.conv_dw.'],
  [/(\bblocks\.\d+)\.pwconv([12])\./g, '$1.mlp.fc$2.'],
  [/(?<!\bblocks\.\d+\.|\bhead\.)\bnorm\.(?=\w+$)/g, 'head.norm.'],
  [/\bhead\.(?=(?:weight|bias)$)/g, 'head.fc.'],
];

/** Stem, stages and the ways to them in one row: stages at odd places. */
const torchvision: readonly Rule[] = [
  [/\bfeatures\.0\./g, 'stem.'],
  ...Array.from({ length: 4 }, (_, stage): Rule[] => [
    [new RegExp(`\\bfeatures\\.${2 * stage}\\.`, 'g'), `stages.${stage}.downsample.`],
    [new RegExp(`\\bfeatures\\.${2 * stage + 1}\\.(\\d+)\\.`, 'g'), `stages.${stage}.blocks.$1.`],
  ]).flat(),
  [/(\bblocks\.\d+)\.block\.0\./g, '$1.conv_dw.'],
  [/(\bblocks\.\d+)\.block\.2\./g, '$1.norm.'],
  [/(\bblocks\.\d+)\.block\.3\./g, '$1.mlp.fc1.'],
  [/(\bblocks\.\d+)\.block\.5\./g, '$1.mlp.fc2.'],
  [/(\bblocks\.\d+)\.layer_scale$/g, '$1.gamma'],
  [/\bclassifier\.0\./g, 'head.norm.'],
  [/\bclassifier\.2\./g, 'head.fc.'],
];

/** Of a ConvNeXt: timm's small ones have convolutions in their MLPs, where all others have matrices. */
const convnexts = (name: string, rules: readonly Rule[]): Dialect[] => {
  const vectors = /\.gamma$/;
  const convolutions = /\.mlp\.fc[12]\.weight$/;
  return [dialect(name, rules, { vectors }), dialect(name, rules, { vectors, convolutions })];
};

export const dialects: readonly Dialect[] = [
  // TensorFlow's ResNet as its converter to PyTorch nests it: stages 1 to 4, in a block convolutions and norms in turn.
  dialect('SimCLRv2', [
    [/\bnet\.0\.0\./g, 'conv1.'],
    [/\bnet\.0\.1\.0\./g, 'bn1.'],
    [/\bnet\.(\d)\.blocks\.(\d+)\./g, 'layer$1.$2.'],
    [/(layer\d\.\d+)\.net\.0\./g, '$1.conv1.'],
    [/(layer\d\.\d+)\.net\.1\.0\./g, '$1.bn1.'],
    [/(layer\d\.\d+)\.net\.2\./g, '$1.conv2.'],
    [/(layer\d\.\d+)\.net\.3\.0\./g, '$1.bn2.'],
    [/(layer\d\.\d+)\.net\.4\./g, '$1.conv3.'],
    [/(layer\d\.\d+)\.net\.5\.0\./g, '$1.bn3.'],
    [/\bprojection\.shortcut\./g, 'downsample.0.'],
    [/\bprojection\.bn\.0\./g, 'downsample.1.'],
  ]),
  // torchvision's first DenseNets.
  dialect('an older torchvision DenseNet', [[/\b(denselayer\d+\.(?:norm|conv))\.([12])\./g, '$1$2.']]),
  // Their MLP's layers were called linear_1 and linear_2 at first.
  dialect("torchvision's ViT", [
    [/\bencoder\.layers\.encoder_layer_(\d+)\./g, 'blocks.$1.'],
    [/\bln_([12])\./g, 'norm$1.'],
    [/\bself_attention\.in_proj_/g, 'attn.qkv.'],
    [/\bself_attention\.out_proj\./g, 'attn.proj.'],
    [/\bmlp\.(?:0|linear_1)\./g, 'mlp.fc1.'],
    [/\bmlp\.(?:3|linear_2)\./g, 'mlp.fc2.'],
    [/\bclass_token$/g, 'cls_token'],
    [/\bconv_proj\./g, 'patch_embed.proj.'],
    [/\bencoder\.pos_embedding$/g, 'pos_embed'],
    [/\bencoder\.ln\./g, 'norm.'],
    [/\bheads\.head\./g, 'head.'],
  ]),
  dialect("transformers' ResNet", [
    [/\bresnet\./g, ''],
    [/\bembedder\.embedder\.convolution\./g, 'conv1.'],
    [/\bembedder\.embedder\.normalization\./g, 'bn1.'],
    ...counted(4, (from, to) => [
      new RegExp(`\\bencoder\\.stages\\.${from}\\.layers\\.(\\d+)\\.`, 'g'),
      `layer${to}.$1.`,
    ]),
    ...counted(3, (from, to) => [
      new RegExp(`(\\blayer\\d\\.\\d+)\\.layer\\.${from}\\.convolution\\.`, 'g'),
      `$1.conv${to}.`,
    ]),
    ...counted(3, (from, to) => [
      new RegExp(`(\\blayer\\d\\.\\d+)\\.layer\\.${from}\\.normalization\\.`, 'g'),
      `$1.bn${to}.`,
    ]),
    [/\bshortcut\.convolution\./g, 'downsample.0.'],
    [/\bshortcut\.normalization\./g, 'downsample.1.'],
    [/\bclassifier\.1\./g, 'fc.'],
  ]),
  // The files' names, and those that the modules have since transformers 5.
  dialect(
    "transformers' ViT or DeiT",
    [
      [/\b(?:vit|deit)\./g, ''],
      [/\bembeddings\.cls_token$/g, 'cls_token'],
      [/\bembeddings\.distillation_token$/g, 'dist_token'],
      [/\bembeddings\.position_embeddings$/g, 'pos_embed'],
      [/\bembeddings\.patch_embeddings\.projection\./g, 'patch_embed.proj.'],
      [/\b(?:encoder\.layer|layers)\.(\d+)\./g, 'blocks.$1.'],
      [/\battention\.attention\.(q|k|v)(?:uery|ey|alue)\./g, 'attn.$1.'],
      [/\battention\.(q|k|v)_proj\./g, 'attn.$1.'],
      [/\battention\.(?:output\.dense|o_proj)\./g, 'attn.proj.'],
      [/\bintermediate\.dense\./g, 'mlp.fc1.'],
      [/\boutput\.dense\./g, 'mlp.fc2.'],
      [/\blayernorm_before\./g, 'norm1.'],
      [/\blayernorm_after\./g, 'norm2.'],
      [/\blayernorm\./g, 'norm.'],
      [/\bdistillation_classifier\./g, 'head_dist.'],
      [/\b(?:cls_)?classifier\./g, 'head.'],
    ],
    { join: { parts: ['.attn.q.', '.attn.k.', '.attn.v.'], whole: '.attn.qkv.' } },
  ),
  ...convnexts("transformers' ConvNeXt", transformers),
  ...convnexts("Facebook's ConvNeXt", facebook),
  ...convnexts("torchvision's ConvNeXt", torchvision),
];

/**
 * The tables by the names of the model that a dialect stands for.
 * @returns undefined where it changes nothing
 * @throws CritmapError (ERR_WEIGHTS) where two tensors of a dict would have one name
 */
export function translated(
  path: string,
  tables: readonly Table[],
  { renames, join, convolutions, vectors }: Dialect,
): readonly Table[] | undefined {
  const made = renamed(path, tables, renames);
  if (made.used.size === 0) return undefined;
  const whole = join ? made.tables.map((table) => joined(table, join)) : made.tables;
  const flat = vectors ? whole.map((table) => asVectors(table, vectors)) : whole;
  return convolutions ? flat.map((table) => asConvolutions(table, convolutions)) : flat;
}
