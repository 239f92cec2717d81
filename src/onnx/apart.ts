/**
 * Large tensors beside a model's bytes instead of in them: so sessions share them, and models are taken that one ONNX
 * file cannot hold. The runtime gets such a tensor when it makes the session.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { EntrySchema, type Graph, ModelSchema, type Model as Proto, type Tensor } from './onnx_pb.js';
import { dimensions, elementCount, FLOAT } from './tensors.js';

/** protobuf cannot hold more than 2 GB; something is left for all but the tensors. */
export const MOST_STORED = 2 ** 31 - 2 ** 24;

/** Numbers of this many elements are not worth sharing. */
const FEW = 256;

export function isLarge(tensor: Tensor): boolean {
  return tensor.dataType === FLOAT && elementCount(dimensions(tensor)) >= FEW;
}

/** Bytes of all stored tensors. */
export function storedBytes({ initializer }: Graph): number {
  return initializer.reduce((sum, { rawData }) => sum + rawData.byteLength, 0);
}

/** The tensor without its bytes, said to lie in a file of this name. */
export function leftOut(tensor: Tensor, location: string): Tensor {
  const externalData = [create(EntrySchema, { key: 'location', value: location })];
  return { ...tensor, rawData: new Uint8Array(), floatData: [], externalData, dataLocation: 1 };
}

/**
 * What onnxruntime-node makes a session of: the bytes of a model with this graph, and its large tensors beside them
 * where they are to be apart. The tensors' bytes are the graph's own, which must stay as long as the session.
 */
export function encoded(proto: Proto, graph: Graph, apart: boolean) {
  const externalData: { path: string; data: Uint8Array }[] = [];
  const initializer = graph.initializer.map((tensor, i) => {
    if (!apart || !isLarge(tensor) || tensor.rawData.length === 0) return tensor;
    const path = `tensor ${i}`;
    externalData.push({ path, data: tensor.rawData });
    return leftOut(tensor, path);
  });
  const bytes = toBinary(ModelSchema, { ...proto, graph: { ...graph, initializer } });
  return { bytes, externalData };
}
