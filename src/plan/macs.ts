/**
 * Multiply-accumulates: of one node, and of a model's layers each by itself. They are of the model alone, the same on every
 * machine. Convolutions and matrix products count, other operators do not.
 */
import { attributeInt, attributeText } from '../onnx/graph.js';
import type { Layer } from '../onnx/layers.js';
import type { Node } from '../onnx/onnx_pb.js';
import { dimensions, elementCount, FLOAT } from '../onnx/tensors.js';
import type { TensorShape } from '../onnx/value-info.js';
import type { BaseGraph } from './base-graph.js';
import { dataflowOf, isDynamic } from './dataflow.js';
import { type ImageSize, shapesOfSome } from './shapes.js';

/** Of one image. */
export interface OwnMacs {
  /** The whole model, products of activations included. */
  forward: number;
  /** What multiplies each layer's own weight, in their order; a tied weight counts wherever it is read. */
  layers: readonly number[];
}

/**
 * @throws CritmapError (ERR_MODEL) when the model does not run on such images; RangeError when it has a product that is
 *   not understood here
 */
export async function ownMacs(
  source: BaseGraph,
  layers: readonly Layer[],
  size: ImageSize,
  batch: number,
): Promise<OwnMacs> {
  const flow = dataflowOf(source.graph, source.input, source.output);
  const products = flow.steps.filter(({ node, dynamic }) => dynamic && PRODUCTS.has(node.opType));
  const ends = products.flatMap(({ node }) => [node.input[0] ?? '', node.output[0] ?? '']);
  const names = [...new Set(ends)].filter((name) => name !== source.input && isDynamic(flow, name));
  const shapes = await shapesOfSome(source, flow, names, size, batch);
  for (const tensor of source.graph.initializer)
    shapes.set(tensor.name, { type: FLOAT, dims: dimensions(tensor) });
  const macs = products.map(({ node }) => {
    if (node.opType === 'Einsum' || !shapes.has(node.input[0] ?? '')) {
      throw new RangeError(`the products of ${node.name} are not to be counted`);
    }
    return stepMacs(node, shapes) / batch;
  });
  const sumOf = (reads: (names: readonly string[]) => boolean) =>
    products.reduce((sum, step, i) => (reads(step.reads) ? sum + macs[i]! : sum), 0);
  return {
    forward: sumOf(() => true),
    layers: layers.map(({ weight: part, hidden, whole }) => {
      // A part of a weight is that part of the product.
      const { weight } = whole ?? { weight: part };
      const share = part.layout.channels / weight.layout.channels;
      // The weight itself, or what is made of it without the image: transposed, standardised.
      const own = new Set([weight.tensor]);
      for (const { reads, makes, dynamic } of flow.steps) {
        if (!dynamic && reads.some((name) => own.has(name))) for (const name of makes) own.add(name);
      }
      const reading = (names: readonly string[]) => names.some((name) => own.has(name));
      if (hidden === undefined) return share * sumOf(reading);
      // A recurrent operator has others' weights too: each step takes a product with the layer's own.
      const elements = elementCount(weight.shape);
      return products.reduce((sum, { node, reads }) => {
        return reading(reads) ? sum + (stepsOf(node, shapes) * elements) / batch : sum;
      }, 0);
    }),
  };
}

const RECURRENT = /^(LSTM|GRU|RNN)$/;
const PRODUCTS: ReadonlySet<string> = new Set([
  ...['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'Einsum'],
  ...['LSTM', 'GRU', 'RNN'],
]);

/** Multiply-accumulates of a convolution or matrix product; other operators count as none. */
export function stepMacs(node: Node, shapes: ReadonlyMap<string, TensorShape>): number {
  const shapeOf = (name: string | undefined) => shapes.get(name ?? '')?.dims;
  const input = shapeOf(node.input[0]);
  if (RECURRENT.test(node.opType)) {
    const hidden = attributeInt(node, 'hidden_size', 0);
    const directions = attributeText(node, 'direction') === 'bidirectional' ? 2 : 1;
    const gates = { LSTM: 4, GRU: 3 }[node.opType] ?? 1;
    return stepsOf(node, shapes) * directions * gates * hidden * ((input?.at(-1) ?? 0) + hidden);
  }
  const output = shapeOf(node.output[0]);
  if (!input || !output) return 0;
  const outputs = elementCount(output);
  switch (node.opType) {
    case 'Conv':
    case 'FusedConv': {
      const channels = (input[1] ?? 1) / attributeInt(node, 'group', 1);
      return outputs * channels * elementCount(kernelOf(node));
    }
    case 'ConvTranspose': {
      const channels = (output[1] ?? 1) / attributeInt(node, 'group', 1);
      return elementCount(input) * channels * elementCount(kernelOf(node));
    }
    case 'Gemm':
    case 'FusedGemm':
    case 'MatMul':
    case 'FusedMatMul':
      return outputs * (input.at(-1) ?? 1);
    default:
      return 0;
  }
}

/** Of a recurrent operator: steps of all sequences together. */
function stepsOf(node: Node, shapes: ReadonlyMap<string, TensorShape>): number {
  return elementCount(shapes.get(node.input[0] ?? '')?.dims.slice(0, -1) ?? [0]);
}

const kernelOf = (node: Node) =>
  node.attribute.find(({ name }) => name === 'kernel_shape')?.ints.map(Number) ?? [1];
