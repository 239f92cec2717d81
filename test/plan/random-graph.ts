/**
 * Random small models of the operators that vision models are made of: branches, concatenations, squeeze-excite
 * gates, tied and constant-node weights, shapes computed from the image, nodes out of order. Seeded.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  GraphSchema,
  ModelSchema,
  type Node,
  OperatorSetSchema,
  type Tensor,
  TensorSchema,
} from '../../src/onnx/onnx_pb.js';
import { FLOAT, withFloats } from '../../src/onnx/tensors.js';
import { node, value } from '../onnx/graphs.js';

const SIZE = 6;

/** Seeded uniforms in [0, 1). */
export function uniforms(seed: number): () => number {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A 4-D tensor of the graph. */
interface Value {
  name: string;
  channels: number;
}

type AttributeValue = number | number[] | Tensor;

class Builder {
  readonly nodes: Node[] = [];
  readonly tensors: Tensor[] = [];
  #named = 0;

  constructor(readonly random: () => number) {}

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)] as T;
  }

  node(opType: string, input: string[], attributes: Record<string, AttributeValue> = {}, name = ''): string {
    const output = `${opType.toLowerCase()}_${this.#named++}_out`;
    this.nodes.push(Object.assign(node(opType, input, output, attributes), { name: name || output }));
    return output;
  }

  tensor(name: string, dims: number[], spread = 0.5, centre = 0): string {
    const values = Float32Array.from(
      { length: dims.reduce((product, d) => product * d, 1) },
      () => centre + spread * (2 * this.random() - 1),
    );
    this.tensors.push(
      withFloats(create(TensorSchema, { name, dims: dims.map(BigInt), dataType: FLOAT }), values),
    );
    return name;
  }

  conv(from: Value, channels: number, kernel: number, groups = 1, bias = this.random() < 0.4): Value {
    const module = `m${this.#named++}`;
    const weight = this.tensor(`${module}.weight`, [channels, from.channels / groups, kernel, kernel]);
    // Some exporters put a weight into a Constant node.
    if (this.random() < 0.15) this.toConstantNode(weight);
    const inputs = [from.name, weight, ...(bias ? [this.tensor(`${module}.bias`, [channels])] : [])];
    const pad = (kernel - 1) / 2;
    const attributes = { kernel_shape: [kernel, kernel], pads: [pad, pad, pad, pad], group: groups };
    const value = { name: this.node('Conv', inputs, attributes), channels };
    return this.random() < 0.5 ? this.norm(value) : value;
  }

  norm({ name, channels }: Value): Value {
    const module = `n${this.#named++}`;
    const inputs = [
      name,
      this.tensor(`${module}.weight`, [channels], 0.4, 1),
      this.tensor(`${module}.bias`, [channels]),
      this.tensor(`${module}.running_mean`, [channels]),
      this.tensor(`${module}.running_var`, [channels], 0.4, 1),
    ];
    return { name: this.node('BatchNormalization', inputs), channels };
  }

  toConstantNode(name: string): void {
    const at = this.tensors.findIndex((tensor) => tensor.name === name);
    const [value] = this.tensors.splice(at, 1);
    if (!value) return;
    this.nodes.push(Object.assign(node('Constant', [], name, { value }), { name }));
  }
}

/** A random model of 4 to 12 blocks over 2 x 6 x 6 images with 5 classes, as the bytes of an ONNX file. */
export function randomModel(seed: number): Uint8Array {
  const random = uniforms(seed);
  const b = new Builder(random);
  const values: Value[] = [b.conv({ name: 'images', channels: 2 }, 4, 3)];
  const one = () => (random() < 0.6 ? (values.at(-1) as Value) : b.pick(values));
  const blocks = 4 + Math.floor(random() * 9);
  for (let i = 0; i < blocks; i++) values.push(block(b, one(), values));
  const last = values.at(-1) as Value;
  const pooled = b.node('GlobalAveragePool', [last.name]);
  const flat = b.node('Flatten', [pooled]);
  const head = b.tensor('head.weight', [5, last.channels]);
  const bias = b.tensor('head.bias', [5]);
  const transB = random() < 0.7;
  if (transB) b.nodes.push(headNode('Gemm', [flat, head, bias], true));
  else {
    const turned = b.node('Transpose', [head], { perm: [1, 0] });
    const product = b.node('MatMul', [flat, turned]);
    b.nodes.push(headNode('Add', [product, bias], false));
  }
  // The format asks for sorted nodes; a reader should not depend on it.
  if (random() < 0.3) b.nodes.sort(() => random() - 0.5);
  const graph = create(GraphSchema, {
    name: 'random',
    node: b.nodes,
    initializer: b.tensors,
    input: [value('images', [null, 2, SIZE, SIZE])],
    output: [value('logits', [null, 5])],
  });
  const opsetImport = [create(OperatorSetSchema, { domain: '', version: 17n })];
  return toBinary(ModelSchema, create(ModelSchema, { irVersion: 8n, opsetImport, graph }));
}

function block(b: Builder, from: Value, values: readonly Value[]): Value {
  const { channels } = from;
  switch (b.pick(['conv', 'conv', 'depthwise', 'add', 'concat', 'gate', 'pool', 'tied', 'reshape', 'relu'])) {
    case 'depthwise':
      return b.conv(from, channels, 3, channels);
    case 'add': {
      const other = b.pick(values.filter((value) => value.channels === channels));
      const made = b.conv(from, channels, 1);
      return { name: b.node('Relu', [b.node('Add', [made.name, other.name])]), channels };
    }
    case 'concat': {
      const other = b.pick(values);
      const joined = {
        name: b.node('Concat', [from.name, other.name], { axis: 1 }),
        channels: channels + other.channels,
      };
      return joined.channels > 8 ? b.conv(joined, 4, 1) : joined;
    }
    case 'gate': {
      const squeezed = b.node('GlobalAveragePool', [from.name]);
      const gate = b.conv({ name: squeezed, channels }, channels, 1, 1, true);
      return { name: b.node('Mul', [from.name, b.node('Sigmoid', [gate.name])]), channels };
    }
    case 'pool':
      return {
        name: b.node('MaxPool', [from.name], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [1, 1] }),
        channels,
      };
    case 'tied': {
      // One convolution used twice, as a recurrent block does.
      const first = b.conv(from, channels, 3, 1, false);
      const weight = b.nodes.findLast((node) => node.opType === 'Conv')?.input[1] as string;
      const middle = b.node('Relu', [first.name]);
      const attributes = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
      return { name: b.node('Conv', [middle, weight], attributes), channels };
    }
    case 'reshape': {
      // As x.view(x.size(0), C, -1).view(shape of x) exports: shapes that depend on the image.
      const shape = b.node('Shape', [from.name]);
      const rows = b.node('Flatten', [from.name]);
      return { name: b.node('Reshape', [rows, shape]), channels };
    }
    case 'relu':
      return { name: b.node('Relu', [from.name]), channels };
    default:
      return b.conv(from, b.pick([2, 4, 6]), b.pick([1, 3]));
  }
}

function headNode(opType: string, input: string[], transB: boolean): Node {
  return Object.assign(node(opType, input, 'logits', transB ? { transB: 1 } : {}), { name: 'head' });
}
