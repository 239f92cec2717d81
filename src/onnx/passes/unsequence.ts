/**
 * Splits that go through a sequence, as PyTorch's newer exporter writes `split` and `chunk` when it does not
 * optimise, as slices: a sequence cannot leave a graph as a tensor does, so that it could not be cut there.
 */
import { create } from '@bufbuild/protobuf';
import { attributeInt, type GraphIndex, indexGraph } from '../graph.js';
import { type Graph, type Node, NodeSchema, type Tensor, TensorSchema } from '../onnx_pb.js';
import { integers } from '../tensors.js';

const INT64 = 7;

/** Changes the graph in place; what it computes stays the same. A split by sizes that are computed stays. */
export function sliceSequences(graph: Graph): void {
  if (!graph.node.some(({ opType }) => opType === 'SplitToSequence')) return;
  const index = indexGraph(graph);
  const outputs = new Set(graph.output.map(({ name }) => name));
  const replaced = new Map<Node, Node | null>();
  const added: Tensor[] = [];
  for (const split of graph.node) {
    const name = split.output[0] ?? '';
    const readers = index.consumers.get(name) ?? [];
    if (split.opType !== 'SplitToSequence' || outputs.has(name) || readers.length === 0) continue;
    const slices = readers.map((reader) => sliceOf(index, split, reader));
    if (slices.some((slice) => slice === undefined)) continue;
    replaced.set(split, null);
    for (const [i, reader] of readers.entries()) {
      const { node, tensors } = slices[i] as Slice;
      replaced.set(reader, node);
      for (const tensor of tensors) added.push(tensor);
    }
  }
  graph.node = graph.node.flatMap((node) => {
    const by = replaced.get(node);
    return by === undefined ? [node] : by === null ? [] : [by];
  });
  graph.initializer = [...graph.initializer, ...added];
}

interface Slice {
  node: Node;
  tensors: Tensor[];
}

/** The elements that one SequenceAt takes. */
function sliceOf(index: GraphIndex, split: Node, reader: Node): Slice | undefined {
  const [at] = stored(index, reader.input[1]) ?? [];
  const sizes = stored(index, split.input[1]);
  if (reader.opType !== 'SequenceAt' || at === undefined || !sizes || !split.input[0]) return undefined;
  const range = rangeOf(sizes, at, index.tensors.get(split.input[1] ?? '')?.dims.length === 0);
  if (!range) return undefined;
  const axis = attributeInt(split, 'axis', 0);
  const output = reader.output[0] ?? '';
  const tensors = [...range, axis].map((value, i) =>
    create(TensorSchema, {
      name: `${output} ${['from', 'to', 'axis'][i]}`,
      dims: [1n],
      dataType: INT64,
      int64Data: [BigInt(value)],
    }),
  );
  const input = [split.input[0], ...tensors.map(({ name }) => name)];
  const { name, metadataProps } = reader;
  return {
    node: create(NodeSchema, { opType: 'Slice', name, input, output: [output], metadataProps }),
    tensors,
  };
}

/** @param equal one size for all parts; the last may be smaller */
function rangeOf(sizes: readonly number[], at: number, equal: boolean): [number, number] | undefined {
  const [size = 0] = sizes;
  if (equal) return at >= 0 && size > 0 ? [at * size, (at + 1) * size] : undefined;
  const part = at < 0 ? at + sizes.length : at;
  const from = sizes.slice(0, part).reduce((sum, one) => sum + one, 0);
  return part in sizes ? [from, from + (sizes[part] ?? 0)] : undefined;
}

function stored(index: GraphIndex, name: string | undefined): number[] | undefined {
  const tensor = index.tensors.get(name ?? '');
  return tensor && integers(tensor);
}
