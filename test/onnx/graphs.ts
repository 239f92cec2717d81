/** Small graphs built by hand, and files of them. */
import { writeFileSync } from 'node:fs';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  AttributeSchema,
  type Graph,
  GraphSchema,
  ModelSchema,
  type Node,
  NodeSchema,
  type Tensor,
  TensorSchema,
  type ValueInfo,
  ValueInfoSchema,
} from '../../src/onnx/onnx_pb.js';

/** @param attributes integers, lists of them, texts, graphs or tensors by name */
export function node(
  opType: string,
  input: string[],
  output: string,
  attributes: Record<string, number | number[] | string | Graph | Tensor> = {},
): Node {
  const attribute = Object.entries(attributes).map(([name, value]) =>
    create(AttributeSchema, {
      name,
      ...(typeof value === 'number'
        ? { i: BigInt(value), type: 2 }
        : typeof value === 'string'
          ? { s: Buffer.from(value), type: 3 }
          : Array.isArray(value)
            ? { ints: value.map(BigInt), type: 7 }
            : value.$typeName === 'critmap.onnx.Graph'
              ? { g: value, type: 5 }
              : { t: value, type: 4 }),
    }),
  );
  return create(NodeSchema, { opType, input, output: [output], attribute });
}

/** Float32 values 1, 2, ... divided by 64. */
export function weight(name: string, dims: number[], first = 1): Tensor {
  const count = dims.reduce((product, d) => product * d, 1);
  const values = Float32Array.from({ length: count }, (_, i) => (first + i) / 64);
  const rawData = new Uint8Array(values.buffer);
  return create(TensorSchema, { name, dims: dims.map(BigInt), dataType: 1, rawData });
}

export const longs = (name: string, values: number[]): Tensor =>
  create(TensorSchema, {
    name,
    dims: [BigInt(values.length)],
    dataType: 7,
    int64Data: values.map(BigInt),
  });

/** An input or output, float32 unless said; null is a dimension that is open. */
export function value(name: string, shape: readonly (number | null)[], elemType = 1): ValueInfo {
  const dim = shape.map((size) => (size === null ? { dimParam: 'n' } : { dimValue: BigInt(size) }));
  return create(ValueInfoSchema, { name, type: { tensorType: { elemType, shape: { dim } } } });
}

export const graph = (fields: MessageInitShape<typeof GraphSchema>): Graph =>
  create(GraphSchema, { name: 'graph', ...fields });

export function writeGraph(
  path: string,
  fields: MessageInitShape<typeof GraphSchema>,
  { ir = 8, opset = 17 } = {},
): void {
  const proto = create(ModelSchema, {
    irVersion: BigInt(ir),
    opsetImport: [{ domain: '', version: BigInt(opset) }],
    graph: graph(fields),
  });
  writeFileSync(path, toBinary(ModelSchema, proto));
}
