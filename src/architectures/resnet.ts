/**
 * Residual networks with bottleneck blocks (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016,
 * arXiv:1512.03385) as torchvision and timm build them: stride in the 3x3 convolution ("v1.5"), their module names.
 */
import { GraphBuilder, type NetworkOptions, type Value } from './builder.js';

export interface ResNetOptions extends NetworkOptions {
  /** Blocks of each stage; default ResNet-50's. */
  blocks?: readonly number[];
  /** Channels of the first convolution and of the first stage's 3x3 ones; default 64. */
  width?: number;
}

const EXPANSION = 4;

/** A bottleneck ResNet over N x 3 x size x size images with random weights, as the bytes of an ONNX file. */
export function resnet(options: ResNetOptions = {}): Uint8Array<ArrayBuffer> {
  const { blocks = [3, 4, 6, 3], width = 64, size = 224, classes = 1000 } = options;
  const builder = new GraphBuilder(options);
  const images = { name: 'images', channels: 3 };
  const stem = builder.conv('conv1', images, width, 7, { stride: 2 });
  let x = builder.relu('relu', builder.norm('bn1', stem));
  x = builder.maxPool('maxpool', x, 3, 2);
  for (const [stage, count] of blocks.entries()) {
    for (let i = 0; i < count; i++) {
      const stride = i === 0 && stage > 0 ? 2 : 1;
      x = bottleneck(builder, `layer${stage + 1}.${i}`, x, width * 2 ** stage, stride);
    }
  }
  builder.head('fc', x, classes);
  return builder.model('resnet', images, size, classes);
}

function bottleneck(builder: GraphBuilder, name: string, from: Value, width: number, stride: number): Value {
  const step = (i: number, value: Value, channels: number, kernel: number, by = 1) =>
    builder.norm(`${name}.bn${i}`, builder.conv(`${name}.conv${i}`, value, channels, kernel, { stride: by }));
  let x = builder.relu(`${name}.relu1`, step(1, from, width, 1));
  x = builder.relu(`${name}.relu2`, step(2, x, width, 3, stride));
  x = step(3, x, EXPANSION * width, 1);
  const same = stride === 1 && from.channels === x.channels;
  const shortcut = same
    ? from
    : builder.norm(
        `${name}.downsample.1`,
        builder.conv(`${name}.downsample.0`, from, EXPANSION * width, 1, { stride }),
      );
  return builder.relu(`${name}.relu3`, builder.add(name, x, shortcut));
}
