/**
 * Vision transformers (Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, arXiv:2010.11929) as timm
 * builds them and torch.onnx writes them: class token, learned positions, norms before attention and MLP, timm's
 * module names and initial weights.
 */
import { EPSILON, GraphBuilder, type NetworkOptions, type Value, type Variation } from './builder.js';
import { bytesOf, type Network } from './network.js';

export interface VitOptions extends NetworkOptions, Variation {
  /** Edge of a patch in pixels; default 16. */
  patch?: number;
  /** Channels of a token; default 384, ViT-S's. */
  dim?: number;
  /** Blocks; default 12. */
  depth?: number;
  /** Attention heads; default 6. */
  heads?: number;
  /** Hidden channels of the MLPs; default four times `dim`. */
  hidden?: number;
  /**
   * A second token and head, as DeiT's distillation trains them (Touvron et al., ICML 2021, arXiv:2012.12877); the
   * logits are the two heads' mean. Default false.
   */
  distilled?: boolean;
}

/** timm's Linears; its convolution keeps PyTorch's default. */
const INIT = 'trunc-normal';
const STD = 0.02;
const TOKEN_STD = 1e-6;

/**
 * A vision transformer over N x channels x size x size images.
 * @throws RangeError when patches do not fill the image, or heads not the channels
 */
export function vitNetwork(options: VitOptions = {}): Network {
  const { patch = 16, dim = 384, depth = 12, heads = 6, hidden = 4 * dim, distilled = false } = options;
  const { size = 224, classes = 1000, channels = 3, epsilon = EPSILON, singleHead = false } = options;
  if (size % patch !== 0) throw new RangeError(`patches of ${patch} pixels do not fill ${size}`);
  if (dim % heads !== 0) throw new RangeError(`${heads} heads do not share ${dim} channels evenly`);
  const builder = new GraphBuilder(options);
  const images = { name: 'images', channels };
  const special = distilled ? ['cls_token', 'dist_token'] : ['cls_token'];
  const patches = (size / patch) ** 2;
  const tokens = special.length + patches;
  const norm = (module: string, from: Value) => builder.layerNorm(module, from, epsilon);
  let x = embed(builder, images, dim, patch, patches, special);
  for (let i = 0; i < depth; i++) {
    const name = `blocks.${i}`;
    const attended = attention(builder, `${name}.attn`, norm(`${name}.norm1`, x), heads, tokens);
    x = builder.add(name, x, attended);
    x = builder.add(name, x, mlp(builder, `${name}.mlp`, norm(`${name}.norm2`, x), hidden));
  }
  x = norm('norm', x);
  const token = (at: number) => ({
    name: builder.node('Gather', 'token', [x.name, builder.integers(at)], { axis: 1 }),
    channels: dim,
  });
  if (distilled && !singleHead) {
    const heads = ['head', 'head_dist'].map((head, at) => builder.gemm(head, token(at), classes, INIT).name);
    builder.logits('Mul', 'logits', [builder.node('Add', 'logits', heads), builder.scalar(0.5)]);
  } else {
    builder.classifier('head', token(0), classes, INIT);
  }
  return builder.network('vit', images, size, classes);
}

/** With random weights, as the bytes of an ONNX file. */
export function vit(options?: VitOptions): Uint8Array<ArrayBuffer> {
  return bytesOf(vitNetwork(options));
}

/** Patches as tokens, behind the special ones, plus their positions. */
function embed(
  builder: GraphBuilder,
  images: Value,
  dim: number,
  patch: number,
  patches: number,
  special: readonly string[],
): Value {
  const module = 'patch_embed';
  const convolution = { stride: patch, pad: 0, bias: true, init: 'pytorch' } as const;
  const grid = builder.conv(`${module}.proj`, images, dim, patch, convolution);
  const rows = builder.node('Reshape', module, [grid.name, builder.integers([0, dim, patches])]);
  const tokens = builder.node('Transpose', module, [rows], { perm: [0, 2, 1] });

  const count = builder.node('Shape', '', [tokens], { start: 0, end: 1 });
  const shape = builder.node('Concat', '', [count, builder.integers([1, dim])], { axis: 0 });
  const first = special.map((name) =>
    builder.node('Expand', '', [builder.parameter(name, [1, 1, dim], TOKEN_STD), shape]),
  );
  const all = builder.node('Concat', '', [...first, tokens], { axis: 1 });
  const positions = builder.parameter('pos_embed', [1, special.length + patches, dim], STD);
  return { name: builder.node('Add', '', [all, positions]), channels: dim };
}

/** softmax(q k^T / sqrt(d)) v in every head; q, k and v by one Linear. */
function attention(builder: GraphBuilder, module: string, from: Value, heads: number, tokens: number): Value {
  const { channels } = from;
  const width = channels / heads;
  const op = (opType: string, inputs: string[], attributes = {}) =>
    builder.node(opType, module, inputs, attributes);
  const joined = builder.linear(`${module}.qkv`, from, 3 * channels, INIT);
  const apart = op('Reshape', [joined.name, builder.integers([0, tokens, 3, heads, width])]);
  const stacked = op('Transpose', [apart], { perm: [2, 0, 3, 1, 4] });
  const [q = '', k = '', v = ''] = builder
    .split(module, stacked, 3, 0)
    .map((part) => op('Squeeze', [part, builder.integers([0])]));
  const scaled = op('Mul', [q, builder.scalar(1 / Math.sqrt(width))]);
  const scores = op('MatMul', [scaled, op('Transpose', [k], { perm: [0, 1, 3, 2] })]);
  const mixed = op('MatMul', [op('Softmax', [scores], { axis: -1 }), v]);
  const ordered = op('Transpose', [mixed], { perm: [0, 2, 1, 3] });
  const name = op('Reshape', [ordered, builder.integers([0, tokens, channels])]);
  return builder.linear(`${module}.proj`, { name, channels }, channels, INIT);
}

function mlp(builder: GraphBuilder, module: string, from: Value, hidden: number): Value {
  const wide = builder.gelu(`${module}.act`, builder.linear(`${module}.fc1`, from, hidden, INIT));
  return builder.linear(`${module}.fc2`, wide, from.channels, INIT);
}
