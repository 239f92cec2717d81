/**
 * Classifiers of two classes with one output: the logit of the second class, its sigmoid, or its probability. [0, z], or
 * [log (1 - p), log p], are logits of the same two probabilities, and what everything that compares logits takes.
 */
import { create } from '@bufbuild/protobuf';
import { indexGraph } from '../graph.js';
import {
  AttributeSchema,
  type Graph,
  NodeSchema,
  TensorSchema,
  TypeSchema,
  ValueInfoSchema,
} from '../onnx_pb.js';
import { FLOAT } from '../tensors.js';
import { endingOf, takenOff, withoutDeadNodes } from './ending.js';
import { asLogarithm } from './logits.js';

/**
 * Puts two logits in the place of one.
 * @param output N x 1, the graph's only output
 * @returns the name of the N x 2 output
 */
export function asTwoClasses(graph: Graph, output: string): string {
  const ending = endingOf(indexGraph(graph), output);
  const isSquashed = ending.node?.opType === 'Sigmoid';
  const logit = isSquashed ? takenOff(graph, ending, 'before the sigmoid') : output;
  // 0 z, not 0, which would have no batch; NaN stays NaN.
  return joined(graph, output, logit, { opType: 'Mul', by: 0 });
}

/**
 * Puts logarithms of two probabilities in the place of one probability.
 * @param output N x 1
 * @returns the name of the N x 2 output
 */
export function asTwoProbabilities(graph: Graph, output: string): string {
  return asLogarithm(graph, joined(graph, output, output, { opType: 'Sub', by: 1 }));
}

/** @param first what makes the first class's column of the second's and a number */
function joined(graph: Graph, output: string, second: string, first: { opType: 'Mul' | 'Sub'; by: number }) {
  const both = `${output} of two ${first.by === 0 ? 'classes' : 'probabilities'}`;
  const [number, column] = [`${both}/${first.by}`, `${both}/first`];
  const axis = create(AttributeSchema, { name: 'axis', i: 1n, type: 2 });
  graph.node.push(
    create(NodeSchema, { opType: first.opType, name: column, input: [number, second], output: [column] }),
    create(NodeSchema, {
      opType: 'Concat',
      name: both,
      input: [column, second],
      output: [both],
      attribute: [axis],
    }),
  );
  const rawData = new Uint8Array(Float32Array.of(first.by).buffer);
  graph.initializer.push(create(TensorSchema, { name: number, dataType: FLOAT, rawData }));
  const batch = graph.output[0]?.type?.tensorType?.shape?.dim[0];
  const dim = [...(batch ? [batch] : []), { dimValue: 2n }];
  const type = create(TypeSchema, { tensorType: { elemType: FLOAT, shape: { dim } } });
  graph.output = [create(ValueInfoSchema, { name: both, type })];
  withoutDeadNodes(graph);
  return both;
}
