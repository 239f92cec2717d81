/**
 * The graph that a sweep cuts, and where in it each layer's parameters are: the model's own graph, or what the
 * runtime makes of it for this processor (optimised.ts).
 */
import type { Model } from '../model/model.js';
import { everyLayer } from '../model/targets.js';
import type { Layer, Parameter } from '../onnx/layers.js';
import { isNormOp } from '../onnx/norm-ops.js';
import type { Graph, Node, Model as Proto, Tensor } from '../onnx/onnx_pb.js';
import { withFloats } from '../onnx/tensors.js';
import type { ResetContext } from '../resets/kinds.js';
import { initialNorm } from '../resets/reset.js';
import { foldNorm } from './fold.js';
import type { Place, PlacedLayer } from './placed.js';
import { wholesOf, withParts } from './split.js';

/** ONNX Runtime's domain of convolutions over blocked channels. */
export const BLOCKED = 'com.microsoft.nchwc';

export interface BaseGraph {
  /** The file that the graph is from, for its opset and functions; the graph in it is not looked at. */
  proto: Proto;
  graph: Graph;
  input: string;
  output: string;
  /** Nodes are as the runtime runs them: sessions of parts are not optimised again. */
  optimised: boolean;
  /**
   * Sessions share the large tensors, which are not in their bytes: those of an optimised graph, which they use as
   * they are, and of a model that is too large for one file. Of others the runtime makes something else anyway.
   */
  apart: boolean;
  places: ReadonlyMap<Layer, PlacedLayer>;
}

/** The model's own graph; a reset convolution has its BatchNorm folded in, so that the runtime fuses what follows. */
export function ownGraph(model: Model, norm: ResetContext['norm']): BaseGraph {
  const { file, io } = model;
  const layers = everyLayer(model);
  // A norm that is reset for itself stays a node of its own.
  const ownNorms = new Set(layers.flatMap(({ op, weight }) => (isNormOp(op) ? [weight.tensor] : [])));
  const placed = (layer: Layer) => placeInModel(model, layer, norm, ownNorms);
  const { graph, places } = withParts(
    model,
    file.graph,
    new Map(wholesOf(layers).map((one) => [one, placed(one)])),
  );
  return {
    proto: file.proto,
    graph,
    input: io.input,
    output: io.output,
    optimised: false,
    apart: file.apart ?? false,
    places,
  };
}

function placeInModel(
  model: Model,
  layer: Layer,
  norm: ResetContext['norm'],
  ownNorms: ReadonlySet<string>,
): PlacedLayer {
  const fresh = norm === 'reset' && layer.norm ? initialNorm(model, layer.norm) : new Map();
  const values = (tensor: string) => fresh.get(tensor) ?? model.values(tensor);
  const isFolded = !ownNorms.has(layer.norm?.scale ?? '');
  const fold = isFolded ? foldNorm(layer, model.file.graph.node, values) : undefined;
  const place = (parameter: Parameter): Place => ({
    parameter,
    tensor: parameter.tensor,
    dims: parameter.stored,
  });
  const extra = replaceStored(model.file.graph, fresh);
  return {
    weight: { ...place(layer.weight), ...(fold && { factor: fold.factor }) },
    bias: layer.bias && place(layer.bias),
    ...(layer.statistics && { statistics: Object.values(layer.statistics).map(place) }),
    ...(layer.gains && { gains: layer.gains.map(place) }),
    extra: fold ? [...extra, fold.shift] : extra,
    ...(fold && { fold }),
  };
}

/** The graph's stored tensors of these names with other values. */
export function replaceStored(graph: Graph, values: ReadonlyMap<string, Float32Array>): Tensor[] {
  return graph.initializer.flatMap((tensor) => {
    const found = values.get(tensor.name);
    return found ? [withFloats(tensor, found)] : [];
  });
}

/** What the reset layer's part has instead of the graph's nodes. */
export function nodesOf(nodes: readonly Node[], { fold }: PlacedLayer): Node[] {
  return nodes.flatMap((node) => (node === fold?.conv ? [fold.fused] : node === fold?.norm ? [] : [node]));
}
