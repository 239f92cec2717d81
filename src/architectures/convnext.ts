/**
 * ConvNeXt (Liu et al., "A ConvNet for the 2020s", CVPR 2022, arXiv:2201.03545) as timm builds it: timm's module
 * names and initial weights. In the blocks of the larger ones the MLP is two Linears over channels that come last;
 * timm's small ones (atto to nano) have 1x1 convolutions there.
 */
import { EPSILON, GraphBuilder, type NetworkOptions, type Value, type Variation } from './builder.js';
import { bytesOf, type Network } from './network.js';

export interface ConvNextOptions extends NetworkOptions, Pick<Variation, 'epsilon'> {
  /** Blocks of each stage; default ConvNeXt-T's. */
  depths?: readonly number[];
  /** Channels of each stage; default ConvNeXt-T's. */
  dims?: readonly number[];
  /** The MLPs are 1x1 convolutions; default false: Linears. */
  convMlp?: boolean;
}

/** What all convolutions and Linears start with; biases start at zero. */
const INIT = 'trunc-normal';
/** Initial scale of a block's branch. */
const LAYER_SCALE = 1e-6;
/** Pixels that the stem and the way to a next stage make one of, along an edge. */
const STEM = 4;
const DOWNSAMPLE = 2;

const CHANNELS_LAST = [0, 2, 3, 1];
const CHANNELS_FIRST = [0, 3, 1, 2];

/** A ConvNeXt over N x channels x size x size images. */
export function convnextNetwork(options: ConvNextOptions = {}): Network {
  const { depths = [3, 3, 9, 3], dims = [96, 192, 384, 768], convMlp = false } = options;
  const { size = 224, classes = 1000, channels = 3, epsilon = EPSILON } = options;
  const builder = new GraphBuilder(options);
  const images = { name: 'images', channels };
  let x: Value = images;
  for (const [i, dim] of dims.entries()) {
    const stage = `stages.${i}`;
    x =
      i === 0
        ? norm(builder, 'stem.1', shrink(builder, 'stem.0', x, dim, STEM))
        : shrink(
            builder,
            `${stage}.downsample.1`,
            norm(builder, `${stage}.downsample.0`, x),
            dim,
            DOWNSAMPLE,
          );
    for (let n = 0; n < (depths[i] ?? 0); n++) {
      const name = `${stage}.blocks.${n}`;
      x = builder.add(name, (convMlp ? convBranch : linearBranch)(builder, name, x), x);
    }
  }
  const pooled = builder.map('Flatten', 'head.flatten', builder.globalPool('head.global_pool', x));
  builder.classifier('head.fc', builder.layerNorm('head.norm', pooled, epsilon), classes, INIT);
  return builder.network('convnext', images, size, classes);
}

/** With random weights, as the bytes of an ONNX file. */
export function convnext(options?: ConvNextOptions): Uint8Array<ArrayBuffer> {
  return bytesOf(convnextNetwork(options));
}

function linearBranch(builder: GraphBuilder, name: string, from: Value): Value {
  const { channels } = from;
  let x = builder.transpose(name, depthwise(builder, name, from), CHANNELS_LAST);
  x = builder.layerNorm(`${name}.norm`, x, EPSILON);
  x = builder.gelu(`${name}.mlp.act`, builder.linear(`${name}.mlp.fc1`, x, 4 * channels, INIT));
  x = builder.linear(`${name}.mlp.fc2`, x, channels, INIT);
  const gamma = builder.scale(`${name}.gamma`, channels, LAYER_SCALE);
  const scaled = { name: builder.node('Mul', name, [x.name, gamma]), channels };
  return builder.transpose(name, scaled, CHANNELS_FIRST);
}

function convBranch(builder: GraphBuilder, name: string, from: Value): Value {
  const { channels } = from;
  const pointwise = { bias: true, init: INIT } as const;
  let x = norm(builder, `${name}.norm`, depthwise(builder, name, from));
  x = builder.conv(`${name}.mlp.fc1`, x, 4 * channels, 1, pointwise);
  x = builder.conv(`${name}.mlp.fc2`, builder.gelu(`${name}.mlp.act`, x), channels, 1, pointwise);
  const gamma = builder.scale(`${name}.gamma`, channels, LAYER_SCALE);
  const factor = builder.node('Unsqueeze', name, [gamma, builder.integers([1, 2])]);
  return { name: builder.node('Mul', name, [x.name, factor]), channels };
}

function depthwise(builder: GraphBuilder, name: string, from: Value): Value {
  const { channels } = from;
  return builder.conv(`${name}.conv_dw`, from, channels, 7, { groups: channels, bias: true, init: INIT });
}

/** A convolution over patches that do not overlap. */
function shrink(builder: GraphBuilder, module: string, from: Value, channels: number, patch: number): Value {
  return builder.conv(module, from, channels, patch, { stride: patch, pad: 0, bias: true, init: INIT });
}

/** A LayerNorm over the channels of N x channels x height x width. */
function norm(builder: GraphBuilder, module: string, from: Value): Value {
  const last = builder.transpose(module, from, CHANNELS_LAST);
  return builder.transpose(module, builder.layerNorm(module, last, EPSILON), CHANNELS_FIRST);
}
