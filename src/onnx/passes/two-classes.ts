/**
 * Classifiers of two classes with one output: the logit of the second class, or its sigmoid. [0, z] are logits of the
 * same two probabilities, and what everything that compares logits takes.
 */
import { create } from '@bufbuild/protobuf';
import { type GraphIndex, indexGraph } from '../graph.js';
import {
  AttributeSchema,
  type Graph,
  type Node,
  NodeSchema,
  TensorSchema,
  TypeSchema,
  ValueInfoSchema,
} from '../onnx_pb.js';
import { FLOAT } from '../tensors.js';

/** What gives the tensor, operators left out that pass values on. */
export function giver({ producer }: GraphIndex, name: string): Node | undefined {
  let node = producer.get(name);
  // The graph has no cycle, but may be long.
  while (node && passing.test(node.opType)) node = producer.get(node.input[0] ?? '');
  return node;
}

const passing = /^(Identity|Cast)$/;

/**
 * Puts two logits in the place of one.
 * @param output N x 1, the graph's only output
 * @returns the name of the N x 2 output
 */
export function asTwoClasses(graph: Graph, output: string): string {
  const last = giver(indexGraph(graph), output);
  const logit = (last?.opType === 'Sigmoid' && last.input[0]) || output;
  const both = `${output} of two classes`;
  const [zero, first] = [`${both}/zero`, `${both}/first`];
  const axis = create(AttributeSchema, { name: 'axis', i: 1n, type: 2 });
  graph.node.push(
    create(NodeSchema, { opType: 'Mul', name: first, input: [logit, zero], output: [first] }),
    create(NodeSchema, {
      opType: 'Concat',
      name: both,
      input: [first, logit],
      output: [both],
      attribute: [axis],
    }),
  );
  graph.initializer.push(create(TensorSchema, { name: zero, dataType: FLOAT, rawData: new Uint8Array(4) }));
  const batch = graph.output[0]?.type?.tensorType?.shape?.dim[0];
  const dim = [...(batch ? [batch] : []), { dimValue: 2n }];
  const type = create(TypeSchema, { tensorType: { elemType: FLOAT, shape: { dim } } });
  graph.output = [create(ValueInfoSchema, { name: both, type })];
  return both;
}
