/**
 * Residual networks (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, arXiv:1512.03385) as
 * torchvision and timm build them, under their module names: stride in the 3x3 convolution ("v1.5"). Also the wide
 * ones (Zagoruyko and Komodakis, BMVC 2016, arXiv:1605.07146) and ResNeXt (Xie et al., CVPR 2017,
 * arXiv:1611.05431). BatchNorm scales start at 1, also the last one of a block.
 */
import { GraphBuilder, type NetworkOptions, type Value } from './builder.js';
import { bytesOf, type Network } from './network.js';

export interface ResNetOptions extends NetworkOptions {
  /** Two 3x3 convolutions, or a 3x3 one between two 1x1 ones; default `bottleneck`. */
  block?: 'basic' | 'bottleneck';
  /** Blocks of each stage; default ResNet-50's. */
  blocks?: readonly number[];
  /** Channels of the first convolution and of the first stage's 3x3 ones; default 64. */
  width?: number;
  /** Groups of a bottleneck's 3x3 convolution; default 1. */
  groups?: number;
  /** Channels of each of these groups, as a share of the stage's width; default 1. */
  groupWidth?: number;
}

/** A bottleneck's output channels per channel of its stage. */
const EXPANSION = 4;

/** A ResNet over N x channels x size x size images. */
export function resnetNetwork(options: ResNetOptions = {}): Network {
  const { block = 'bottleneck', blocks = [3, 4, 6, 3], width = 64 } = options;
  const { size = 224, classes = 1000, channels = 3, groups = 1, groupWidth = 1 } = options;
  const builder = new GraphBuilder(options);
  const images = { name: 'images', channels };
  const stem = builder.conv('conv1', images, width, 7, { stride: 2 });
  let x = builder.relu('relu', builder.norm('bn1', stem));
  x = builder.maxPool('maxpool', x, 3, 2);
  for (const [stage, count] of blocks.entries()) {
    const planes = width * 2 ** stage;
    for (let i = 0; i < count; i++) {
      const residual = new Residual(builder, `layer${stage + 1}.${i}`, i === 0 && stage > 0 ? 2 : 1);
      x =
        block === 'basic'
          ? residual.basic(x, planes)
          : residual.bottleneck(x, planes, Math.floor(planes * groupWidth) * groups, groups);
    }
  }
  builder.head('fc', x, classes);
  return builder.network('resnet', images, size, classes);
}

/** With random weights, as the bytes of an ONNX file. */
export function resnet(options?: ResNetOptions): Uint8Array<ArrayBuffer> {
  return bytesOf(resnetNetwork(options));
}

/** One block: some convolutions, and around them a shortcut that has a convolution where shapes change. */
class Residual {
  constructor(
    private readonly builder: GraphBuilder,
    private readonly name: string,
    private readonly stride: number,
  ) {}

  basic(from: Value, planes: number): Value {
    const x = this.#relu(1, this.#step(1, from, planes, 3, { stride: this.stride }));
    return this.#join(from, this.#step(2, x, planes, 3), 2);
  }

  bottleneck(from: Value, planes: number, inner: number, groups: number): Value {
    let x = this.#relu(1, this.#step(1, from, inner, 1));
    x = this.#relu(2, this.#step(2, x, inner, 3, { stride: this.stride, groups }));
    return this.#join(from, this.#step(3, x, EXPANSION * planes, 1), 3);
  }

  #step(i: number, from: Value, channels: number, kernel: number, options = {}): Value {
    const { builder, name } = this;
    return builder.norm(`${name}.bn${i}`, builder.conv(`${name}.conv${i}`, from, channels, kernel, options));
  }

  #relu(i: number, from: Value): Value {
    return this.builder.relu(`${this.name}.relu${i}`, from);
  }

  #join(from: Value, x: Value, last: number): Value {
    const { builder, name, stride } = this;
    const same = stride === 1 && from.channels === x.channels;
    const projected = () => builder.conv(`${name}.downsample.0`, from, x.channels, 1, { stride });
    const shortcut = same ? from : builder.norm(`${name}.downsample.1`, projected());
    return this.#relu(last, builder.add(name, x, shortcut));
  }
}
