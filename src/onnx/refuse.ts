/** Kinds of models whose layers cannot be reset as trained ones are: each refused with the reason and a way out. */
import { CritmapError } from '../errors.js';
import { attributeInt, indexGraph, readsOf } from './graph.js';
import type { Graph, Node, Model as Proto } from './onnx_pb.js';

/** Operators on integers in place of trained floats; ONNX Runtime's own carry other names. */
const quantised =
  /^(QLinear\w+|QGemm|QAttention|QuantizeLinear|DequantizeLinear|DynamicQuantize\w+|ConvInteger|MatMulInteger\w*|MatMulNBits|MatMulBnb4|GatherBlockQuantized)$/;

/** The first that ONNX Runtime promises to run. */
const OLDEST_OPSET = 7n;

/** @throws CritmapError (ERR_MODEL) */
export function refuseUnsupported(path: string, { graph, functions, opsetImport }: Proto): void {
  const refuse = (why: string) => new CritmapError('ERR_MODEL', `${path}: ${why}`);
  const opset = opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 1n;
  if (opset < OLDEST_OPSET) {
    throw refuse(
      `its operators are those of opset ${opset}, ONNX Runtime has those of ${OLDEST_OPSET} and later. Export it again, or try in Python: onnx.save(onnx.version_converter.convert_version(onnx.load("model.onnx"), 13), "newer.onnx")`,
    );
  }
  const nodes = [...nodesOf(graph), ...functions.flatMap((one) => one.node.flatMap(withInner))];
  const integer = nodes.find(({ opType }) => quantised.test(opType));
  if (integer) {
    throw refuse(
      `the model is quantised (${integer.opType}): its weights are integers with scales, which no reset of trained weights fits. Give the float32 model that it was made from`,
    );
  }
  const called = functions.find(
    ({ name, node }) =>
      nodes.some(({ opType }) => opType === name) && node.some(({ opType }) => isLayer.test(opType)),
  );
  if (called) {
    throw refuse(
      `layers lie inside of the model's function ${called.name}. Inline its functions: in Python, onnx.save(onnx.inliner.inline_local_functions(onnx.load("model.onnx")), "inlined.onnx")`,
    );
  }
}

/**
 * What was exported in training mode is no function of one image: norms look at the batch, and dropout at a coin.
 * @param graph has what leads to the logits and nothing else
 * @throws CritmapError (ERR_MODEL)
 */
export function refuseTraining(path: string, graph: Graph): void {
  const { tensors } = indexGraph(graph);
  const isSet = (name: string | undefined) => {
    const tensor = tensors.get(name ?? '');
    return (
      tensor !== undefined &&
      [...tensor.rawData, ...tensor.int32Data, ...tensor.floatData].some((one) => one !== 0)
    );
  };
  const ofImages = new Set(graph.input.map(({ name }) => name));
  for (const node of graph.node) {
    if (readsOf(node).some((name) => ofImages.has(name))) for (const name of node.output) ofImages.add(name);
  }
  const whyOf = (node: Node): string | undefined => {
    if (/^(Random(Normal|Uniform)(Like)?|Multinomial|Bernoulli)$/.test(node.opType))
      return 'draws random numbers';
    if (node.opType === 'Dropout') {
      const [, ratio, training] = node.input;
      return isSet(training) && (!ratio || isSet(ratio)) ? 'leaves values out at random' : undefined;
    }
    // Weight standardisation is a norm of the weight's own statistics, which are the same for every image.
    if (node.opType !== 'BatchNormalization' || !ofImages.has(node.input[0] ?? '')) return undefined;
    // Before opset 14 the statistics as further outputs told it.
    const trains =
      attributeInt(node, 'training_mode', 0) === 1 || node.output.slice(1).some((name) => name !== '');
    return trains ? "normalises by the batch's own statistics" : undefined;
  };
  const found = nodesOf(graph).filter((node) => whyOf(node) !== undefined);
  const [first] = found;
  if (!first) return;
  throw new CritmapError(
    'ERR_MODEL',
    `${path}: it was exported in training mode: its node ${first.name || first.output[0]} (${first.opType}) ${whyOf(first)}${found.length > 1 ? `, and so do ${found.length - 1} more` : ''}, so that predictions change without any reset. Call model.eval() before the export`,
  );
}

const isLayer = /^(Conv|ConvTranspose|Gemm|MatMul|Einsum)$/;

function nodesOf(graph: Graph | undefined): Node[] {
  return graph?.node.flatMap(withInner) ?? [];
}

/** A node and those of its subgraphs. */
function withInner(node: Node): Node[] {
  const graphs = node.attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs));
  return [node, ...graphs.flatMap(nodesOf)];
}
