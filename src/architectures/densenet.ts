/**
 * Densely connected networks (Huang et al., "Densely Connected Convolutional Networks", CVPR 2017,
 * arXiv:1608.06993) as torchvision and timm build them, under their module names: every layer reads the features of all
 * layers before it in its block.
 */
import { GraphBuilder, type NetworkOptions, type Value } from './builder.js';
import { bytesOf, type Network } from './network.js';

export interface DenseNetOptions extends NetworkOptions {
  /** Layers of each block; default DenseNet-121's. */
  blocks?: readonly number[];
  /** Channels that each layer adds; default 32. */
  growth?: number;
  /** Channels of the first convolution; default twice the growth. */
  stem?: number;
}

/** A layer's 1x1 convolution makes this many times the growth. */
const BOTTLENECK = 4;
/** torchvision's kaiming_normal_ with its default arguments. */
const init = { init: 'kaiming-normal' } as const;

/** A DenseNet over N x channels x size x size images. */
export function densenetNetwork(options: DenseNetOptions = {}): Network {
  const { blocks = [6, 12, 24, 16], growth = 32, stem = 2 * growth } = options;
  const { size = 224, classes = 1000, channels = 3 } = options;
  const builder = new GraphBuilder(options);
  const images = { name: 'images', channels };
  let x = builder.conv('features.conv0', images, stem, 7, { stride: 2, ...init });
  x = builder.relu('features.relu0', builder.norm('features.norm0', x));
  x = builder.maxPool('features.pool0', x, 3, 2);
  for (const [i, layers] of blocks.entries()) {
    x = denseBlock(builder, `features.denseblock${i + 1}`, x, layers, growth);
    if (i < blocks.length - 1) x = transition(builder, `features.transition${i + 1}`, x);
  }
  x = builder.relu('relu', builder.norm('features.norm5', x));
  builder.head('classifier', x, classes);
  return builder.network('densenet', images, size, classes);
}

/** With random weights, as the bytes of an ONNX file. */
export function densenet(options?: DenseNetOptions): Uint8Array<ArrayBuffer> {
  return bytesOf(densenetNetwork(options));
}

function denseBlock(builder: GraphBuilder, name: string, from: Value, layers: number, growth: number): Value {
  const features = [from];
  for (let i = 1; i <= layers; i++) {
    const layer = `${name}.denselayer${i}`;
    let x = i > 1 ? builder.concat(layer, features) : from;
    x = builder.relu(`${layer}.relu1`, builder.norm(`${layer}.norm1`, x));
    x = builder.conv(`${layer}.conv1`, x, BOTTLENECK * growth, 1, init);
    x = builder.relu(`${layer}.relu2`, builder.norm(`${layer}.norm2`, x));
    features.push(builder.conv(`${layer}.conv2`, x, growth, 3, init));
  }
  return builder.concat(name, features);
}

/** Half the channels and half the size. */
function transition(builder: GraphBuilder, name: string, from: Value): Value {
  const x = builder.relu(`${name}.relu`, builder.norm(`${name}.norm`, from));
  const halved = builder.conv(`${name}.conv`, x, Math.floor(x.channels / 2), 1, init);
  return builder.avgPool(`${name}.pool`, halved, 2, 2);
}
