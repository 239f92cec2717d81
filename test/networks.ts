/**
 * Small networks with what the shipped architectures lack: depthwise convolutions and squeeze-excite, branches with
 * average pooling, biases before BatchNorm, groups, hidden Linears, a module used twice. Bytes of ONNX files over
 * N x 3 x size x size images; channel counts on and off multiples of 16.
 */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { GraphBuilder, type NetworkOptions, type Value } from '../src/architectures/builder.js';
import { type Model, ModelSchema } from '../src/onnx/onnx_pb.js';
import { dimensions, floats, withFloats } from '../src/onnx/tensors.js';

const images = { name: 'images', channels: 3 };

/** As MobileNetV3 (Howard et al., 2019, arXiv:1905.02244): three inverted residuals, torchvision's names. */
export function mobilenet(options: NetworkOptions = {}): Uint8Array<ArrayBuffer> {
  const { size = 32, classes = 10 } = options;
  const builder = new GraphBuilder(options);
  const stem = builder.norm('features.0.1', builder.conv('features.0.0', images, 16, 3, { stride: 2 }));
  let x = builder.map('HardSwish', 'features.0.2', stem);
  x = invertedResidual(builder, 'features.1', x, { expanded: 20, channels: 16, kernel: 3, stride: 1 });
  x = invertedResidual(builder, 'features.2', x, { expanded: 48, channels: 24, kernel: 5, stride: 2 });
  x = invertedResidual(builder, 'features.3', x, { expanded: 64, channels: 24, kernel: 3, stride: 1 });
  const flat = builder.map('Flatten', 'flatten', builder.globalPool('avgpool', x));
  const hidden = builder.map('HardSwish', 'classifier.1', builder.gemm('classifier.0', flat, 40));
  builder.classifier('classifier.3', hidden, classes);
  return builder.model('mobilenet', images, size, classes);
}

interface InvertedResidual {
  expanded: number;
  channels: number;
  kernel: number;
  stride: number;
}

function invertedResidual(b: GraphBuilder, name: string, from: Value, options: InvertedResidual): Value {
  const { expanded, channels, kernel, stride } = options;
  const block = `${name}.block`;
  let x = b.norm(`${block}.0.1`, b.conv(`${block}.0.0`, from, expanded, 1));
  x = b.map('HardSwish', `${block}.0.2`, x);
  x = b.conv(`${block}.1.0`, x, expanded, kernel, { stride, groups: expanded });
  x = b.map('HardSwish', `${block}.1.2`, b.norm(`${block}.1.1`, x));
  x = squeezeExcite(b, `${block}.2`, x);
  x = b.norm(`${block}.3.1`, b.conv(`${block}.3.0`, x, channels, 1));
  return stride === 1 && from.channels === channels ? b.add(name, x, from) : x;
}

/** A gate per channel, computed from the means of all channels. */
function squeezeExcite(builder: GraphBuilder, name: string, from: Value): Value {
  const pooled = builder.globalPool(name, from);
  const squeezed = builder.conv(`${name}.fc1`, pooled, Math.ceil(from.channels / 4), 1, { bias: true });
  const hidden = builder.relu(`${name}.activation`, squeezed);
  const excited = builder.conv(`${name}.fc2`, hidden, from.channels, 1, { bias: true });
  const gate = builder.map('HardSigmoid', `${name}.scale`, excited, { alpha: { float: 1 / 6 } });
  return { name: builder.node('Mul', name, [gate.name, from.name]), channels: from.channels };
}

/**
 * As Inception-v3 (Szegedy et al., 2015, arXiv:1512.00567): the stem's start and one block of each of the first
 * three kinds; torchvision's names.
 */
export function inception(options: NetworkOptions = {}): Uint8Array<ArrayBuffer> {
  const { size = 32, classes = 10 } = options;
  const builder = new GraphBuilder(options);
  const conv = (
    module: string,
    from: Value,
    channels: number,
    kernel: number | [number, number],
    by = {},
  ) => {
    const norm = builder.norm(
      `${module}.bn`,
      builder.conv(`${module}.conv`, from, channels, kernel, by),
      1e-3,
    );
    return builder.relu(`${module}.relu`, norm);
  };
  let x = conv('Conv2d_1a_3x3', images, 12, 3, { stride: 2, pad: 0 });
  x = conv('Conv2d_2b_3x3', x, 16, 3);
  x = builder.concat('Mixed_5b', [
    conv('Mixed_5b.branch1x1', x, 16, 1),
    conv('Mixed_5b.branch5x5_2', conv('Mixed_5b.branch5x5_1', x, 12, 1), 16, 5),
    conv('Mixed_5b.branch3x3dbl_2', conv('Mixed_5b.branch3x3dbl_1', x, 16, 1), 24, 3),
    conv('Mixed_5b.branch_pool', builder.avgPool('Mixed_5b.branch_pool', x, 3, 1), 8, 1),
  ]);
  x = builder.concat('Mixed_6a', [
    conv('Mixed_6a.branch3x3', x, 20, 3, { stride: 2, pad: 0 }),
    builder.maxPool('Mixed_6a.branch_pool', x, 3, 2, 0),
  ]);
  const sevens = conv('Mixed_6b.branch7x7_2', conv('Mixed_6b.branch7x7_1', x, 12, 1), 12, [1, 7]);
  x = builder.concat('Mixed_6b', [
    conv('Mixed_6b.branch1x1', x, 16, 1),
    conv('Mixed_6b.branch7x7_3', sevens, 20, [7, 1]),
    conv('Mixed_6b.branch_pool', builder.avgPool('Mixed_6b.branch_pool', x, 3, 1), 16, 1),
  ]);
  builder.head('fc', x, classes);
  return builder.model('inception', images, size, classes);
}

/**
 * As torchvision's VGG with BatchNorm (Simonyan & Zisserman, 2014, arXiv:1409.1556): biases before norms, no global
 * pooling. The third convolution has 4 groups.
 */
export function vgg(options: NetworkOptions = {}): Uint8Array<ArrayBuffer> {
  const { size = 32, classes = 10 } = options;
  const builder = new GraphBuilder(options);
  let x: Value = images;
  let at = 0;
  for (const { channels, groups = 1 } of [{ channels: 16 }, { channels: 20 }, { channels: 24, groups: 4 }]) {
    x = builder.conv(`features.${at}`, x, channels, 3, { bias: true, groups });
    x = builder.relu(`features.${at + 2}`, builder.norm(`features.${at + 1}`, x));
    x = builder.maxPool(`features.${at + 3}`, x, 2, 2);
    at += 4;
  }
  const flat = builder.map('Flatten', 'flatten', x);
  const features = { name: flat.name, channels: x.channels * (size / 8) ** 2 };
  const hidden = builder.relu('classifier.1', builder.gemm('classifier.0', features, 32));
  builder.classifier('classifier.3', hidden, classes);
  return builder.model('vgg', images, size, classes);
}

/** Two modules that are used twice: `shared` has a bias and a norm for each use, `mix` neither. */
export function tied(options: NetworkOptions = {}): Uint8Array<ArrayBuffer> {
  const { size = 32, classes = 10 } = options;
  const builder = new GraphBuilder(options);
  let x = builder.norm('bn', builder.conv('stem', images, 20, 3, { stride: 2 }));
  for (const i of [1, 2]) {
    const y = builder.norm(`norm${i}`, builder.conv('shared', x, 20, 3, { bias: true }));
    x = builder.relu(`relu${i}`, builder.add(`step${i}`, x, y));
    x = builder.conv(`between${i}`, x, 20, 3, { stride: i });
    x = builder.relu(`mixed${i}`, builder.conv('mix', x, 20, 1));
  }
  builder.head('fc', x, classes);
  return builder.model('tied', images, size, classes);
}

/**
 * As a ResNet with pre-activation (He et al., 2016, arXiv:1603.05027) without norms: the shortcut's convolution goes
 * straight into the sum, and is wanted again by every layer beside it. `twin2` has the values of `twin1`, so that which
 * is which cannot be told in the graph that the runtime makes, and the model's own graph is cut.
 */
export function preActivation(options: NetworkOptions = {}): Uint8Array<ArrayBuffer> {
  const { size = 32, classes = 10 } = options;
  const builder = new GraphBuilder(options);
  let x = builder.conv('stem', images, 16, 3, { stride: 2 });
  for (const [name, channels] of [
    ['block1', 32],
    ['block2', 64],
  ] as const) {
    const active = builder.relu(`${name}.relu1`, x);
    const shortcut = builder.conv(`${name}.downsample`, active, channels, 1);
    const hidden = builder.conv(`${name}.conv1`, active, channels, 3);
    x = builder.add(
      name,
      builder.conv(`${name}.conv2`, builder.relu(`${name}.relu2`, hidden), channels, 1),
      shortcut,
    );
  }
  for (const name of ['twin1', 'twin2']) x = builder.conv(name, builder.relu(`${name}.relu`, x), 64, 1);
  builder.head('fc', x, classes);
  const proto: Model = fromBinary(ModelSchema, builder.model('pre-activation', images, size, classes));
  const tensors = proto.graph?.initializer ?? [];
  const [first, second] = ['twin1', 'twin2'].map((name) =>
    tensors.find((one) => one.name === `${name}.weight`),
  );
  if (!first || !second) throw new Error('there are no twins');
  second.rawData = first.rawData.slice();
  return toBinary(ModelSchema, proto);
}

/**
 * Positions before images, both folded into rows, as torch.nn.MultiheadAttention has them: rows in proportion to the
 * batch in which no image is a piece. With `root` images come as their roots, which is NaN of what is negative.
 */
export function positionsFirst({
  root = false,
  ...options
}: NetworkOptions & { root?: boolean } = {}): Uint8Array<ArrayBuffer> {
  const { size = 32, classes = 10 } = options;
  const builder = new GraphBuilder(options);
  const channels = 16;
  const to = (name: string, shape: readonly number[]) =>
    builder.node('Reshape', '', [name, builder.integers(shape)]);
  const given = root ? builder.map('Sqrt', 'root', images) : images;
  const grid = builder.conv('stem', given, channels, 3, { stride: 4 });
  const positions = (size / 4) ** 2;
  const tokens = builder.node('Transpose', '', [to(grid.name, [0, channels, positions])], {
    perm: [2, 0, 1],
  });
  const rows = { name: to(tokens, [-1, channels]), channels };
  const inner = builder.gemm('second', builder.relu('relu', builder.gemm('first', rows, channels)), channels);
  const back = builder.node('Transpose', '', [to(inner.name, [positions, -1, channels])], {
    perm: [1, 2, 0],
  });
  const square = to(back, [0, channels, size / 4, size / 4]);
  builder.head('fc', builder.relu('last', builder.conv('conv', { name: square, channels }, 24, 3)), classes);
  return builder.model('positions-first', images, size, classes);
}

/** Images are counted, and each is looked up by its number: rows in proportion to the batch that a slice has otherwise. */
export function counting(options: NetworkOptions = {}): Uint8Array<ArrayBuffer> {
  const { size = 32, classes = 10 } = options;
  const builder = new GraphBuilder(options);
  const [zero, one] = [builder.integers(0), builder.integers(1)];
  const count = builder.node('Gather', 'count', [builder.node('Shape', 'count', [images.name]), zero]);
  const numbers = builder.node('Range', 'count', [zero, count, one]);
  let x: Value = images;
  for (const name of ['conv1', 'conv2', 'conv3'])
    x = builder.relu(name, builder.conv(name, x, 16, 3, { stride: 2 }));
  const flat = builder.map('Flatten', 'flatten', builder.globalPool('pool', x));
  const found = builder.node('Gather', 'found', [flat.name, numbers]);
  const hidden = builder.gemm('hidden', { name: found, channels: 16 }, 16);
  builder.classifier('fc', builder.relu('relu', hidden), classes);
  return builder.model('counting', images, size, classes);
}

/** With the matrices that a Transpose turns stored as it leaves them: what an exporter's constant folding does. */
export function storedTransposed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const proto: Model = fromBinary(ModelSchema, bytes);
  const { graph } = proto;
  if (!graph) throw new Error('there is no graph');
  const stored = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const turned = new Map<string, string>();
  for (const { opType, input, output } of graph.node) {
    const tensor = stored.get(input[0] ?? '');
    if (opType !== 'Transpose' || !tensor) continue;
    const [rows = 0, columns = 0] = dimensions(tensor);
    const values = floats(tensor);
    tensor.dims.reverse();
    const other = values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)] ?? 0);
    stored.set(tensor.name, withFloats(tensor, other));
    turned.set(output[0] ?? '', tensor.name);
  }
  graph.initializer = [...stored.values()];
  graph.node = graph.node
    .filter(({ output }) => !turned.has(output[0] ?? ''))
    .map((node) => ({ ...node, input: node.input.map((name) => turned.get(name) ?? name) }));
  return toBinary(ModelSchema, proto);
}
