/**
 * Models that take pixels, integers from 0 to 255, and prepare them inside: the graph gets a Cast in front, so that it
 * takes float32 images as every other does.
 */
import { create } from '@bufbuild/protobuf';
import {
  AttributeSchema,
  type Graph,
  NodeSchema,
  TensorSchema,
  TypeSchema,
  type ValueInfo,
  ValueInfoSchema,
} from '../onnx_pb.js';
import { FLOAT } from '../tensors.js';

const UINT8 = 2;
const INT32 = 6;

export const takesPixels = (images: ValueInfo) =>
  [UINT8, INT32].includes(images.type?.tensorType?.elemType ?? 0);

/** What the input's name ends with once it takes floats. */
export const AS_FLOATS = / as float32$/;

/** @returns the graph's input now, float32 of the same shape */
export function fromFloats(graph: Graph, images: ValueInfo): ValueInfo {
  const name = `${images.name} as float32`;
  const [half, rounded] = [`${name}/half`, `${name}/rounded`];
  const to = create(AttributeSchema, {
    name: 'to',
    i: BigInt(images.type?.tensorType?.elemType ?? UINT8),
    type: 2,
  });
  // Cast cuts off what is behind the point.
  const tensor = create(TensorSchema, { name: half, dataType: FLOAT, floatData: [0.5] });
  graph.initializer = [...graph.initializer, tensor];
  graph.node = [
    create(NodeSchema, { opType: 'Add', name: rounded, input: [name, half], output: [rounded] }),
    create(NodeSchema, { opType: 'Cast', name, input: [rounded], output: [images.name], attribute: [to] }),
    ...graph.node,
  ];
  const shape = images.type?.tensorType?.shape;
  const type = create(TypeSchema, { tensorType: { elemType: FLOAT, ...(shape && { shape }) } });
  const value = create(ValueInfoSchema, { name, type });
  graph.input = graph.input.map((input) => (input === images ? value : input));
  return value;
}
