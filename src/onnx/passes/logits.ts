/**
 * From a graph's output to the logits that are compared. Exporters end a model in a softmax, in a dictionary of
 * classes, or in N x classes x 1 x 1; what the softmax is of has the same predictions, and can be compared.
 */
import { create } from '@bufbuild/protobuf';
import { attributeInt, indexGraph } from '../graph.js';
import {
  AttributeSchema,
  type Graph,
  NodeSchema,
  TensorSchema,
  TypeSchema,
  ValueInfoSchema,
} from '../onnx_pb.js';
import { FLOAT } from '../tensors.js';
import { type Size, shapeOf } from '../value-info.js';
import { type Ending, endingOf, isMoved, takenOff, withoutDeadNodes } from './ending.js';

/** Classes of N x classes, also where other axes of 1 stand beside them; undefined for any other shape. */
export function classesOf(shape: readonly Size[] | null): { classes: Size } | undefined {
  if (!shape || shape.length < 2) return undefined;
  const several = shape.slice(1).filter((size) => size !== 1);
  if (several.length > 1 || (several[0] === null && shape.length > 2)) return undefined;
  return { classes: several.length === 0 ? 1 : (several[0] ?? null) };
}

/** Outputs that are dictionaries, of scikit-learn's converters, become the probabilities that they are made of. */
export function withoutZipMaps(graph: Graph): void {
  const { producer } = indexGraph(graph);
  graph.output = graph.output.map((output) => {
    const maker = producer.get(output.name);
    const name = maker?.opType === 'ZipMap' ? maker.input[0] : undefined;
    return name ? create(ValueInfoSchema, { name }) : output;
  });
}

export interface Unwrapped {
  /** Name of the graph's output now. */
  output: string;
  /** What the softmax is of, where the graph ended in one. */
  softmaxOf?: string;
}

/**
 * Takes a softmax off the graph's end and leaves N x classes.
 * @param output the graph's only output
 */
export function unwrapLogits(graph: Graph, output: string): Unwrapped {
  const ending = endingOf(indexGraph(graph), output);
  const isSure = isOverClasses(graph, ending) && !isMoved(ending);
  const found = isSure ? withoutSoftmax(graph, output) : { output };
  const [value] = graph.output;
  const shape = value ? shapeOf(value) : null;
  if (!shape || shape.length === 2 || !classesOf(shape)) return found;
  return { ...found, output: flattened(graph, found.output, shape) };
}

/**
 * The softmax whose values are moved to other axes before the graph's end: whether it is over all classes, its own values
 * tell, each image's sum being 1.
 */
export function movedSoftmax(graph: Graph, output: string): string | undefined {
  const ending = endingOf(indexGraph(graph), output);
  return ending.node?.opType === 'Softmax' && isMoved(ending) ? ending.node.output[0] : undefined;
}

/** Takes a softmax off that is over all classes. */
export function withoutSoftmax(graph: Graph, output: string): Unwrapped {
  const ending = endingOf(indexGraph(graph), output);
  const [softmaxOf] = ending.node?.input ?? [];
  if (!softmaxOf) return { output };
  const name = takenOff(graph, ending, 'before the softmax');
  const [value] = graph.output;
  graph.output = [create(ValueInfoSchema, { name, ...(value?.type && { type: value.type }) })];
  withoutDeadNodes(graph);
  return { output: name, softmaxOf };
}

/** Over all axes but the first, or the second or the last: the classes', in what ends as N x classes. */
function isOverClasses(graph: Graph, { node }: Ending): boolean {
  if (node?.opType !== 'Softmax') return false;
  const [value] = graph.output;
  const rank = (value && shapeOf(value)?.length) ?? 2;
  const axis = attributeInt(node, 'axis', -1);
  return axis === 1 || axis === -1 || (rank === 4 && (axis === 3 || axis === -3));
}

function flattened(graph: Graph, output: string, [batch]: readonly Size[]): string {
  const name = `${output} flattened`;
  const axis = create(AttributeSchema, { name: 'axis', i: 1n, type: 2 });
  graph.node = [
    ...graph.node,
    create(NodeSchema, { opType: 'Flatten', name, input: [output], output: [name], attribute: [axis] }),
  ];
  const [value] = graph.output;
  const classes = value && classesOf(shapeOf(value))?.classes;
  const dim = [batch ? { dimValue: BigInt(batch) } : { dimParam: 'batch' }];
  if (classes) dim.push({ dimValue: BigInt(classes) });
  const type = create(TypeSchema, { tensorType: { elemType: FLOAT, shape: { dim } } });
  graph.output = [create(ValueInfoSchema, { name, type })];
  return name;
}

/** Float32's smallest normal number: no probability above it is changed by it, and its logarithm is a number. */
const TINY = 2 ** -126;

/**
 * Puts log p in the place of probabilities p, whose softmax is p again.
 * @param output the graph's only output, N x classes
 * @returns the graph's output now
 */
export function asLogarithm(graph: Graph, output: string): string {
  const name = `log of ${output}`;
  const [tiny, above] = [`${name}/tiny`, `${name}/above zero`];
  const tensor = create(TensorSchema, { name: tiny, dataType: FLOAT, floatData: [TINY] });
  graph.initializer = [...graph.initializer, tensor];
  graph.node = [
    ...graph.node,
    // Not a Clip, which may make a number of NaN.
    create(NodeSchema, { opType: 'Add', name: above, input: [output, tiny], output: [above] }),
    create(NodeSchema, { opType: 'Log', name, input: [above], output: [name] }),
  ];
  const [value] = graph.output;
  graph.output = [create(ValueInfoSchema, { name, ...(value?.type && { type: value.type }) })];
  return name;
}
