/**
 * A part of a model as an ONNX model of its own: some steps, the constant steps they need, tensors of the whole
 * graph as inputs and outputs with fixed shapes.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { isLarge, leftOut } from '../onnx/apart.js';
import { readsOf } from '../onnx/graph.js';
import { type Graph, GraphSchema, ModelSchema, type Node, type Tensor } from '../onnx/onnx_pb.js';
import { type TensorShape, valueInfo } from '../onnx/value-info.js';
import type { BaseGraph } from './base-graph.js';
import type { Dataflow } from './dataflow.js';

export interface Part {
  /** In topological order. */
  nodes: readonly Node[];
  inputs: readonly string[];
  outputs: readonly string[];
  /** Stored tensors that only this part has, such as a folded shift. */
  extra?: readonly Tensor[];
}

/** A part as the bytes of an ONNX file, and the stored tensors that it leaves out of them. */
export interface Extracted {
  bytes: Uint8Array<ArrayBuffer>;
  /** Said to lie in another file; the session gets them when it is made. */
  shared: Tensor[];
}

/**
 * The part as a graph of its own. Where sessions share them, the large tensors are left out.
 * @throws RangeError when it reads a tensor that is neither an input, nor stored, nor made by a constant step
 */
export function extract(
  source: Pick<BaseGraph, 'proto' | 'graph' | 'apart'>,
  flow: Dataflow,
  part: Part,
  shapeOf: (name: string) => TensorShape,
): Extracted {
  const stored = new Map(source.graph.initializer.map((tensor) => [tensor.name, tensor]));
  for (const tensor of part.extra ?? []) stored.set(tensor.name, tensor);
  const given = new Set(part.inputs);
  const made = new Set(part.nodes.flatMap((node) => node.output));
  const constants = new Set<number>();
  const initializers = new Set<Tensor>();
  const need = (name: string): void => {
    if (given.has(name) || made.has(name)) return;
    const tensor = stored.get(name);
    if (tensor) {
      initializers.add(tensor);
      return;
    }
    const position = flow.maker.get(name);
    const step = position === undefined ? undefined : flow.steps[position];
    if (position === undefined || !step || step.dynamic)
      throw new RangeError(`the part lacks the tensor ${name}`);
    if (constants.has(position)) return;
    constants.add(position);
    for (const read of step.reads) need(read);
  };
  for (const node of part.nodes) for (const name of readsOf(node)) need(name);
  for (const name of part.outputs) need(name);

  const constantNodes = [...constants]
    .sort((a, b) => a - b)
    .map((position) => flow.steps[position]?.node as Node);
  const shared = source.apart ? [...initializers].filter(isLarge) : [];
  const graph: Graph = create(GraphSchema, {
    name: 'part',
    node: [...constantNodes, ...part.nodes],
    initializer: [...initializers].map((tensor) =>
      shared.includes(tensor) ? leftOut(tensor, 'shared') : tensor,
    ),
    input: part.inputs.map((name) => valueInfo(name, shapeOf(name))),
    output: part.outputs.map((name) => valueInfo(name, shapeOf(name))),
  });
  return { bytes: toBinary(ModelSchema, { ...source.proto, metadataProps: [], graph }), shared };
}
