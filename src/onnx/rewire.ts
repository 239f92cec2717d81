/**
 * A graph in which a tensor is another one, or the same numbers whatever comes in: what computed it stays, under another
 * name, and everything that reads it reads what took its place. The model's own graph is not changed.
 */
import { create } from '@bufbuild/protobuf';
import type { OnnxFile } from './file.js';
import { type Node, NodeSchema, type Tensor, TensorSchema } from './onnx_pb.js';
import { FLOAT } from './tensors.js';

export interface Rewired {
  /** Name of the tensor that is replaced; an operator's output. */
  output: string;
  /** The tensor that takes its place, made before it; null for `mean`. */
  source: string | null;
  /** One number per channel. */
  mean: Float32Array | null;
  /** The tensor's shape, whatever its batch, and which axis has the channels. */
  dims: readonly number[];
  axis: number;
}

/** @throws RangeError when no operator of the graph makes the tensor */
export function rewired(file: OnnxFile, { output, source, mean, dims, axis }: Rewired): OnnxFile {
  const { graph } = file;
  const computed = `${output} critmap computed`;
  const [size, numbers] = [`${output} critmap size`, `${output} critmap mean`];
  const operator = (opType: string, input: string[], made: string) =>
    create(NodeSchema, { name: `${made} critmap`, opType, input, output: [made] });
  const instead =
    source === null
      ? [operator('Shape', [computed], size), operator('Expand', [numbers, size], output)]
      : [operator('Identity', [source], output)];
  const node = graph.node.flatMap((one): Node[] => {
    if (!one.output.includes(output)) return [one];
    const made = one.output.map((name) => (name === output ? computed : name));
    return [{ ...one, output: made }, ...instead];
  });
  if (node.length === graph.node.length)
    throw new RangeError(`${file.path} computes no tensor named ${output}`);
  const tensors: Tensor[] = mean
    ? [
        create(TensorSchema, {
          name: numbers,
          dims: dims.map((d, i) => BigInt(i === axis ? d : 1)),
          dataType: FLOAT,
          rawData: bytesOf(mean),
        }),
      ]
    : [];
  return { ...file, graph: { ...graph, node, initializer: [...graph.initializer, ...tensors] } };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) =>
  new Uint8Array(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer);
