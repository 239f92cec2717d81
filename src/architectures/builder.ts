/**
 * Builds ONNX graphs layer by layer under PyTorch's module names, with the weights that the published study's
 * models start from: the same seed gives the same model everywhere.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { drawFrom, weightDistribution } from '../initialisers.js';
import { native } from '../native.js';
import {
  type Attribute,
  AttributeSchema,
  GraphSchema,
  ModelSchema,
  type Node,
  NodeSchema,
  OperatorSetSchema,
  Shape_DimensionSchema,
  type Tensor,
  TensorSchema,
} from '../onnx/onnx_pb.js';
import { elementCount, FLOAT, withFloats } from '../onnx/tensors.js';
import { valueInfo } from '../plan/extract.js';
import { resetKey } from '../reset.js';

/** A tensor of the graph, N x channels x height x width. */
export interface Value {
  name: string;
  channels: number;
}

/** AttributeProto.AttributeType. */
const INT = 2;
const INTS = 7;

export class GraphBuilder {
  readonly #nodes: Node[] = [];
  readonly #tensors: Tensor[] = [];

  constructor(private readonly seed: number) {}

  /** A convolution without bias, with the padding that keeps the size at stride 1. */
  conv(module: string, from: Value, channels: number, kernel: number, stride = 1, groups = 1): Value {
    const weight = this.#weight(module, 'Conv', [channels, from.channels / groups, kernel, kernel]);
    const pad = (kernel - 1) / 2;
    const name = this.#node('Conv', module, [from.name, weight], {
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
      group: groups,
    });
    return { name, channels };
  }

  /** A BatchNorm as PyTorch makes it: scale 1, shift 0, mean 0, variance 1. */
  norm(module: string, { name, channels }: Value): Value {
    const inputs = [
      name,
      this.#filled(`${module}.weight`, channels, 1),
      this.#filled(`${module}.bias`, channels, 0),
      this.#filled(`${module}.running_mean`, channels, 0),
      this.#filled(`${module}.running_var`, channels, 1),
    ];
    return { name: this.#node('BatchNormalization', module, inputs), channels };
  }

  relu(module: string, { name, channels }: Value): Value {
    return { name: this.#node('Relu', module, [name]), channels };
  }

  add(module: string, a: Value, b: Value): Value {
    return { name: this.#node('Add', module, [a.name, b.name]), channels: a.channels };
  }

  maxPool(module: string, { name, channels }: Value, kernel: number, stride: number): Value {
    const pad = (kernel - 1) / 2;
    const attributes = {
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
    };
    return { name: this.#node('MaxPool', module, [name], attributes), channels };
  }

  /** Global average pooling and a Linear with bias: the logits. */
  head(module: string, { name, channels }: Value, classes: number): void {
    const pooled = this.#node('GlobalAveragePool', 'avgpool', [name]);
    const flat = this.#node('Flatten', 'flatten', [pooled]);
    const weight = this.#weight(module, 'Gemm', [classes, channels]);
    const bias = this.#filled(`${module}.bias`, classes, 0);
    this.#node('Gemm', module, [flat, weight, bias], { transB: 1 }, 'logits');
  }

  /** The graph as the bytes of an ONNX file with an open batch. */
  model(name: string, input: Value, size: number, classes: number): Uint8Array<ArrayBuffer> {
    const graph = create(GraphSchema, {
      name,
      node: this.#nodes,
      initializer: this.#tensors,
      input: [openBatch(input.name, [input.channels, size, size])],
      output: [openBatch('logits', [classes])],
    });
    const opsetImport = [create(OperatorSetSchema, { domain: '', version: 17n })];
    return toBinary(
      ModelSchema,
      create(ModelSchema, { irVersion: 8n, producerName: 'critmap', opsetImport, graph }),
    );
  }

  #node(
    opType: string,
    module: string,
    input: string[],
    attributes: Record<string, number | number[]> = {},
    output = `${module}/${opType}`,
  ): string {
    const attribute = Object.entries(attributes).map(([name, value]) => attributeOf(name, value));
    this.#nodes.push(create(NodeSchema, { opType, name: output, input, output: [output], attribute }));
    return output;
  }

  #weight(module: string, op: 'Conv' | 'Gemm', shape: number[]): string {
    const receptive = elementCount(shape.slice(2));
    const [out = 1, inputs = 1] = shape;
    const fans = { fanIn: inputs * receptive, fanOut: out * receptive };
    const key = resetKey(this.seed, module, 'weight', 0);
    const values = new Float32Array(elementCount(shape));
    native().reset(values, drawFrom(weightDistribution('auto', { op, ...fans }), key));
    return this.#tensor(`${module}.weight`, shape, values);
  }

  #filled(name: string, length: number, value: number): string {
    return this.#tensor(name, [length], new Float32Array(length).fill(value));
  }

  #tensor(name: string, shape: number[], values: Float32Array): string {
    this.#tensors.push(
      withFloats(create(TensorSchema, { name, dims: shape.map(BigInt), dataType: FLOAT }), values),
    );
    return name;
  }
}

function attributeOf(name: string, value: number | number[]): Attribute {
  return typeof value === 'number'
    ? create(AttributeSchema, { name, type: INT, i: BigInt(value) })
    : create(AttributeSchema, { name, type: INTS, ints: value.map(BigInt) });
}

function openBatch(name: string, dims: number[]) {
  const info = valueInfo(name, { type: FLOAT, dims: [1, ...dims] });
  const shape = info.type?.tensorType?.shape;
  if (shape) shape.dim[0] = create(Shape_DimensionSchema, { dimParam: 'batch' });
  return info;
}
