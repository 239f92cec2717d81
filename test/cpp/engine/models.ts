/** Small graphs for the engine's tests, and the shipped model with one weight as a graph input. */
import { create, toBinary } from '@bufbuild/protobuf';
import { native } from '../../../src/native/addon.js';
import type { EngineProgram, EngineStep } from '../../../src/native/engine.js';
import { readOnnx, writeOnnx } from '../../../src/onnx/file.js';
import {
  GraphSchema,
  ModelSchema,
  NodeSchema,
  OperatorSetSchema,
  Shape_DimensionSchema,
  ShapeSchema,
  type Tensor,
  TensorSchema,
  Type_TensorTypeSchema,
  TypeSchema,
  ValueInfoSchema,
} from '../../../src/onnx/onnx_pb.js';
import { dimensions, floats } from '../../../src/onnx/tensors.js';
import { example } from '../../fixtures.js';

export const CLASSES = 4;

/** A graph's input or output; 0 leaves a dimension open. */
export function port(name: string, dims: readonly number[], elemType = 1) {
  const dim = dims.map((size) => create(Shape_DimensionSchema, size > 0 ? { dimValue: BigInt(size) } : {}));
  const shape = create(ShapeSchema, { dim });
  return create(ValueInfoSchema, {
    name,
    type: create(TypeSchema, { tensorType: create(Type_TensorTypeSchema, { elemType, shape }) }),
  });
}

type Ports = readonly ReturnType<typeof port>[];
export type Nodes = readonly [op: string, inputs: string[], outputs: string[]][];

/** An ONNX file's bytes. */
export function model(nodes: Nodes, inputs: Ports, outputs: Ports, initializer: Tensor[] = []) {
  const graph = create(GraphSchema, {
    name: 'test',
    node: nodes.map(([opType, input, output]) => create(NodeSchema, { opType, input, output })),
    input: [...inputs],
    output: [...outputs],
    initializer,
  });
  const opsetImport = [create(OperatorSetSchema, { version: 17n })];
  return toBinary(ModelSchema, create(ModelSchema, { irVersion: 8n, opsetImport, graph }));
}

/** logits [batch, 4] = flatten(images [batch, 1, 1, 4]) x weight [4, 4]. */
export const product = (batch: number) =>
  model(
    [
      ['Flatten', ['images'], ['rows']],
      ['MatMul', ['rows', 'weight'], ['logits']],
    ],
    [port('images', [batch, 1, 1, CLASSES]), port('weight', [CLASSES, CLASSES])],
    [port('logits', [batch, CLASSES])],
  );

/** A weight of 4 x 4 that is said to be in another file. */
export const elsewhere = (name: string) =>
  create(TensorSchema, {
    name,
    dims: [4n, 4n],
    dataType: 1,
    externalData: [{ key: 'location', value: 'elsewhere' }],
    dataLocation: 1,
  });

/** The shipped model's first convolution's weight, and the model with it as a second graph input. */
export async function openWeight() {
  const file = await readOnnx(example('resnet.onnx'));
  const tensor = file.graph.initializer.find(({ dims }) => dims.length === 4) as Tensor;
  const dims = dimensions(tensor);
  const graph = {
    ...file.graph,
    initializer: file.graph.initializer.filter((one) => one !== tensor),
    input: [...file.graph.input, port(tensor.name, dims)],
  };
  return {
    whole: writeOnnx(file),
    open: writeOnnx({ ...file, graph }),
    patched: (values: Float32Array) => writeOnnx(file, new Map([[tensor.name, values]])),
    input: file.graph.input[0]?.name ?? '',
    dims,
    values: floats(tensor),
  };
}

/** Normal numbers. */
export const noise = (length: number, key: bigint) => {
  const values = new Float32Array(length);
  native().reset(values, { kind: 'normal', mean: 0, std: 1, key });
  return values;
};

/** Of {@link products}: 0, 1, 2, ... */
export const productKeys = (cells: number) =>
  BigUint64Array.from({ length: cells }, (_, cell) => BigInt(cell));

/** With {@link product} as session 0. Original: images x a constant. Cell c: images x a weight drawn with key c, for `cells` cells. */
export function products(batch: number, cells: number): EngineProgram {
  const logits = [batch, CLASSES];
  return {
    slots: [
      { type: 1, dims: [batch, 1, 1, CLASSES] },
      { type: 1, dims: logits },
      { type: 1, dims: [CLASSES, CLASSES], storage: 7 },
      { type: 1, dims: [CLASSES, CLASSES], storage: 7 },
      { type: 1, dims: logits },
    ],
    constants: [noise(CLASSES * CLASSES, 100n)],
    cells,
    keys: cells,
    cellNames: Array.from({ length: cells }, (_, cell) => `product#${cell}`),
    input: 0,
    logits: 1,
    steps: [
      { kind: 'reset', slot: 2, source: 0, rule: { kind: 'noise', std: 0, key: 0 } },
      { kind: 'run', session: 0, inputs: [0, 2], outputs: [1] },
      ...Array.from({ length: cells }, (_, cell): EngineStep[] => [
        {
          kind: 'reset',
          slot: 3,
          rule: { kind: 'normal', mean: 0, std: 1, key: cell },
          layout: { channels: CLASSES, inner: 1, transposed: true },
          cell,
        },
        { kind: 'run', session: 0, inputs: [0, 3], outputs: [4], cell },
        { kind: 'compare', slot: 4, cell },
      ]).flat(),
    ],
  };
}
