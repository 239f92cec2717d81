/** Types and shapes of a graph's inputs and outputs. */
import { create } from '@bufbuild/protobuf';
import {
  Shape_DimensionSchema,
  ShapeSchema,
  Type_TensorTypeSchema,
  TypeSchema,
  type ValueInfo,
  ValueInfoSchema,
} from './onnx_pb.js';

/** A dimension: a number, or null where the graph leaves it open. */
export type Size = number | null;

/** Null where the graph does not even say how many dimensions there are. */
export function shapeOf(value: ValueInfo): Size[] | null {
  const dims = value.type?.tensorType?.shape?.dim;
  if (!dims) return null;
  return dims.map((dim) => (dim.dimValue > 0n ? Number(dim.dimValue) : null));
}

export const shapeText = (shape: readonly Size[]) => shape.map((size) => size ?? '?').join(' x ');

/** Element type (TensorProto.DataType) and dimensions of a tensor, the batch included. */
export interface TensorShape {
  type: number;
  dims: readonly number[];
}

/** A graph input or output with a fixed shape. */
export function valueInfo(name: string, { type, dims }: TensorShape): ValueInfo {
  const dim = dims.map((size) => create(Shape_DimensionSchema, size < 0 ? {} : { dimValue: BigInt(size) }));
  return create(ValueInfoSchema, {
    name,
    type: create(TypeSchema, {
      tensorType: create(Type_TensorTypeSchema, { elemType: type, shape: create(ShapeSchema, { dim }) }),
    }),
  });
}
