/**
 * Models in half precision as float32 ones: resets, comparisons and the CPU's kernels work in float32. Every
 * float16 and bfloat16 becomes a float32 of the same value, wherever the graph has or makes one; so the logits are
 * those of the stored weights, computed more exactly. A model that takes float64 images becomes float32 as well.
 */
import { setImmediate } from 'node:timers/promises';
import { CritmapError } from '../../errors.js';
import { fromBfloat16, fromFloat16 } from '../../files/half-floats.js';
import type { Attribute, Graph, Tensor, ValueInfo } from '../onnx_pb.js';
import { dimensions, elementCount, FLOAT, typeName, withFloats } from '../tensors.js';

const FLOAT16 = 10;
const DOUBLE = 11;
const BFLOAT16 = 16;

/** Elements converted between two turns of the event loop, some milliseconds' worth. */
const PIECE = 2 ** 20;

/** Attributes that name a type: of Cast, of what makes tensors out of nothing, of a norm's inner computation. */
const typed = new Set(['to', 'dtype', 'stash_type']);

/**
 * Changes the graph in place.
 * @returns the types that were found and converted, `float16`
 * @throws CritmapError (ERR_MODEL) when a tensor's data does not fit its dimensions
 */
export async function toFloat32(graph: Graph): Promise<string[]> {
  const narrow = new Set([FLOAT16, BFLOAT16]);
  if (graph.input.some((input) => elementType(input) === DOUBLE)) narrow.add(DOUBLE);
  const found = new Set<number>();
  await convert(graph, narrow, found);
  return [...found].map(typeName);
}

async function convert(graph: Graph, narrow: ReadonlySet<number>, found: Set<number>): Promise<void> {
  const convertible = (type: number) => {
    if (narrow.has(type)) found.add(type);
    return narrow.has(type);
  };
  for (const [i, tensor] of graph.initializer.entries()) {
    if (convertible(tensor.dataType)) graph.initializer[i] = await widened(tensor);
  }
  for (const value of [...graph.input, ...graph.output, ...graph.valueInfo]) {
    const type = value.type?.tensorType;
    if (type && convertible(type.elemType)) type.elemType = FLOAT;
  }
  for (const attribute of graph.node.flatMap((node) => node.attribute)) {
    if (attribute.t && convertible(attribute.t.dataType)) attribute.t = await widened(attribute.t);
    if (typed.has(attribute.name) && narrow.has(Number(attribute.i))) attribute.i = BigInt(FLOAT);
    for (const inner of subgraphs(attribute)) await convert(inner, narrow, found);
  }
}

const elementType = (value: ValueInfo) => value.type?.tensorType?.elemType ?? 0;
const subgraphs = ({ g, graphs }: Attribute) => (g ? [g, ...graphs] : graphs);

async function widened(tensor: Tensor): Promise<Tensor> {
  const count = elementCount(dimensions(tensor));
  const { rawData: raw, dataType } = tensor;
  const width = dataType === DOUBLE ? 8 : 2;
  const held =
    raw.byteLength > 0 ? raw.byteLength / width : Math.max(tensor.int32Data.length, tensor.doubleData.length);
  if (held !== count) {
    throw new CritmapError(
      'ERR_MODEL',
      `tensor ${tensor.name} should hold ${count} values of ${typeName(dataType)} but holds ${held}: the file is damaged`,
    );
  }
  const values = new Float32Array(count);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  for (let from = 0; from < count; from += PIECE) {
    const to = Math.min(count, from + PIECE);
    if (dataType === DOUBLE) {
      const at = (i: number) => (raw.byteLength > 0 ? view.getFloat64(8 * i, true) : tensor.doubleData[i]!);
      for (let i = from; i < to; i++) values[i] = at(i);
    } else {
      const bits = new Uint16Array(to - from);
      const at = (i: number) => (raw.byteLength > 0 ? view.getUint16(2 * i, true) : tensor.int32Data[i]!);
      for (let i = from; i < to; i++) bits[i - from] = at(i);
      (dataType === BFLOAT16 ? fromBfloat16 : fromFloat16)(bits, values.subarray(from, to));
    }
    if (to < count) await setImmediate();
  }
  return withFloats(tensor, values);
}
