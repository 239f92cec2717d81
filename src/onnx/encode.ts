/**
 * A large model as an ONNX file, without holding up the event loop: large tensors are written from where they are.
 * Protobuf merges what it reads of one field twice, so tensors may follow the graph that they belong to.
 */
import type { FileHandle } from 'node:fs/promises';
import { toBinary } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { ModelSchema, type Model as Proto, type Tensor, TensorSchema } from './onnx_pb.js';

/** Bytes of a tensor that are worth a call of their own. */
const LARGE = 2 ** 18;

/** Field numbers of onnx.proto, and protobuf's wire type of bytes and messages. */
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const TENSOR_RAW_DATA = 9;
const LENGTH_DELIMITED = 2;

/** @throws RangeError beyond the 2 GB that protobuf can hold; what the file system says */
export async function writeModel(file: FileHandle, proto: Proto): Promise<void> {
  const parts = encodedParts(proto);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length >= 2 ** 31) throw new RangeError('the model is larger than 2 GB');
  for (const part of parts) await file.writeFile(part);
}

/** The bytes of the file one after the other: those of large tensors are the tensors' own, not copies. */
export function encodedParts(proto: Proto): Uint8Array[] {
  const { graph } = proto;
  const large = graph?.initializer.filter(({ rawData }) => rawData.length >= LARGE) ?? [];
  const rest = graph && {
    ...graph,
    initializer: graph.initializer.filter(({ rawData }) => rawData.length < LARGE),
  };
  const head = toBinary(ModelSchema, { ...proto, ...(rest && { graph: rest }) });
  return [head, ...large.flatMap((tensor) => [prefixOf(tensor), tensor.rawData])];
}

/** Everything of a model with one tensor but the tensor's bytes, which come last. */
function prefixOf(tensor: Tensor): Uint8Array {
  const own = toBinary(TensorSchema, { ...tensor, rawData: new Uint8Array() });
  const data = tag(TENSOR_RAW_DATA, tensor.rawData.length);
  const inTensor = own.length + data.length + tensor.rawData.length;
  const outer = tag(GRAPH_INITIALIZER, inTensor);
  return new BinaryWriter()
    .raw(tag(MODEL_GRAPH, outer.length + inTensor))
    .raw(outer)
    .raw(own)
    .raw(data)
    .finish();
}

function tag(field: number, length: number): Uint8Array {
  return new BinaryWriter().tag(field, LENGTH_DELIMITED).uint32(length).finish();
}
