/**
 * Residual networks with bottleneck blocks (He et al., 2015) as torchvision and timm build them: stride in the
 * 3x3 convolution ("v1.5"), their module names.
 */
import { GraphBuilder, type Value } from './builder.js';

export interface ResNetOptions {
  /** Blocks of each stage; default ResNet-50's. */
  blocks?: readonly number[];
  /** Edge of the images in pixels; default 224. */
  size?: number;
  /** Default 1000. */
  classes?: number;
  /** Of the random weights; default 0. */
  seed?: number;
}

const EXPANSION = 4;

/** A bottleneck ResNet over N x 3 x size x size images with random weights, as the bytes of an ONNX file. */
export function resnet(options: ResNetOptions = {}): Uint8Array<ArrayBuffer> {
  const { blocks = [3, 4, 6, 3], size = 224, classes = 1000, seed = 0 } = options;
  const builder = new GraphBuilder(seed);
  const images = { name: 'images', channels: 3 };
  let x = builder.relu('relu', builder.norm('bn1', builder.conv('conv1', images, 64, 7, 2)));
  x = builder.maxPool('maxpool', x, 3, 2);
  for (const [stage, count] of blocks.entries()) {
    const width = 64 * 2 ** stage;
    for (let i = 0; i < count; i++) {
      x = bottleneck(builder, `layer${stage + 1}.${i}`, x, width, i === 0 && stage > 0 ? 2 : 1);
    }
  }
  builder.head('fc', x, classes);
  return builder.model('resnet', images, size, classes);
}

function bottleneck(builder: GraphBuilder, name: string, from: Value, width: number, stride: number): Value {
  const step = (i: number, value: Value, channels: number, kernel: number, by = 1) =>
    builder.norm(`${name}.bn${i}`, builder.conv(`${name}.conv${i}`, value, channels, kernel, by));
  let x = builder.relu(`${name}.relu1`, step(1, from, width, 1));
  x = builder.relu(`${name}.relu2`, step(2, x, width, 3, stride));
  x = step(3, x, EXPANSION * width, 1);
  const same = stride === 1 && from.channels === x.channels;
  const shortcut = same
    ? from
    : builder.norm(
        `${name}.downsample.1`,
        builder.conv(`${name}.downsample.0`, from, EXPANSION * width, 1, stride),
      );
  return builder.relu(`${name}.relu3`, builder.add(name, x, shortcut));
}
