/**
 * Which initialisation a model's layers have by themselves: that of the family that its layers' names and kinds are of,
 * else a guess by what the graph is made of.
 */
import type { Model } from '../model/model.js';
import type { Layer } from '../onnx/layers.js';
import { isNormOp } from '../onnx/norm-ops.js';
import type { Node } from '../onnx/onnx_pb.js';
import {
  type Family,
  isOf,
  kindOf,
  type Rule,
  type Sketch,
  schemesFor,
  signOf,
  signOfParameter,
} from './family.js';
import { biasOf, parseScheme, type Scheme } from './scheme.js';
import { timm } from './timm.js';
import { torchvision } from './torchvision.js';
import { transformers } from './transformers.js';

/** What is recognised from. */
export interface Graph<L extends Sketch = Layer> {
  layers: readonly L[];
  /** It has norms over channels of each position, as transformers do. */
  hasLayerNorm: boolean;
  /** Names of its weights, layers' and others'. */
  parameters: readonly string[];
  producer: string;
}

export interface Recognised<L extends Sketch = Layer> {
  /** The family's name, or undefined when it is a guess. */
  family: string | undefined;
  schemesOf(layer: L): { weight: Scheme; bias: Scheme; guessed: boolean };
}

/** Names that several have are told apart by the order. */
const families: readonly Family[] = [...transformers, ...torchvision, ...timm];

export function recognise(model: Model): Recognised {
  const { proto, graph } = model.file;
  return recogniseGraph({
    // Parts and norms that a sweep takes as layers are none of a family's signs.
    layers: [...new Set(model.layers.map((layer) => layer.whole ?? layer))].filter(({ op }) => !isNormOp(op)),
    hasLayerNorm: graph.node.some(({ opType }) => opType === 'LayerNormalization') || normsByHand(graph.node),
    parameters: graph.initializer.map(({ name }) => name),
    producer: proto.producerName,
  });
}

export function recogniseGraph<L extends Sketch>(graph: Graph<L>): Recognised<L> {
  const seen = [...graph.layers.map(signOf), ...graph.parameters.map(signOfParameter)];
  const family = families.find((one) => isOf(one, seen));
  const guess = guessFor(graph);
  return {
    family: family?.name,
    schemesOf(layer) {
      // PyTorch's draw themselves, and no family lets them do otherwise.
      const cell =
        kindOf(layer) === 'recurrent' ? { weight: 'pytorch', bias: 'pytorch', guessed: false } : undefined;
      const found = family && (cell ?? schemesFor(family.rules, layer));
      const { weight, bias } = found ?? cell ?? schemesFor(guess, layer)!;
      const scheme = parseScheme(weight);
      return {
        weight: scheme,
        bias: bias === undefined ? biasOf(scheme) : parseScheme(bias),
        guessed: found === undefined || found.guessed,
      };
    },
  };
}

/** As exporters of older opsets write a LayerNorm: (x - mean) / sqrt(mean of squares + epsilon). */
function normsByHand(nodes: readonly Node[]): boolean {
  const makers = new Map(nodes.flatMap((node) => node.output.map((name) => [name, node] as const)));
  return nodes.some(({ opType, input }) => {
    const sum = opType === 'Sqrt' ? makers.get(input[0] ?? '') : undefined;
    return sum?.opType === 'Add' && sum.input.some((name) => makers.get(name)?.opType === 'ReduceMean');
  });
}

/** Keras' layers: Glorot's uniform, biases zero. */
const keras: readonly Rule[] = [['all', 'xavier-uniform', 'zero']];
/** As the published vision transformers: the patches' convolution is PyTorch's. */
const transformer: readonly Rule[] = [
  ['conv', 'pytorch'],
  ['linear', 'trunc-normal:0.02'],
];
/** As ConvNeXt. */
const modernised: readonly Rule[] = [['all', 'trunc-normal:0.02']];
/** As timm's networks of depthwise convolutions. */
const mobile: readonly Rule[] = [
  ['conv', 'kaiming-normal:fan-out/groups', 'zero'],
  ['linear', 'uniform:fan-out', 'zero'],
];
/** As residual networks: the linear layers and all biases are PyTorch's. */
const convolutional: readonly Rule[] = [
  ['conv', 'kaiming-normal:fan-out/groups', 'pytorch'],
  ['linear', 'pytorch'],
];

function guessFor({ layers, hasLayerNorm, producer }: Graph<Sketch>): readonly Rule[] {
  if (/^(tf2onnx|keras2onnx)/i.test(producer)) return keras;
  const isDepthwise = layers.some((layer) => kindOf(layer) === 'depthwise');
  if (hasLayerNorm) return isDepthwise ? modernised : transformer;
  return isDepthwise ? mobile : convolutional;
}
