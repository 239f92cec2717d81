/**
 * Parts of a layer's tensors in the graph that is cut. Beside the whole, which the untouched model reads, are its parts
 * and a Concat that makes the whole of them: the session of a part takes that one, with the part as its input.
 */
import { create } from '@bufbuild/protobuf';
import type { Model } from '../model/model.js';
import { everyLayer } from '../model/targets.js';
import type { Layer, Parameter } from '../onnx/layers.js';
import {
  AttributeSchema,
  type Graph,
  type Node,
  NodeSchema,
  type Tensor,
  TensorSchema,
} from '../onnx/onnx_pb.js';
import { FLOAT, transpose, withFloats } from '../onnx/tensors.js';
import type { Place, PlacedLayer } from './placed.js';

/** The layers of the graph itself, each once. */
export const wholesOf = (layers: readonly Layer[]): Layer[] => [
  ...new Set(layers.map((layer) => layer.whole ?? layer)),
];

/**
 * @param wholes - where the graph's own layers are
 * @returns a graph with parts, where the model has any, and where all of the model's layers are in it
 */
export function withParts(
  model: Model,
  graph: Graph,
  wholes: ReadonlyMap<Layer, PlacedLayer>,
): { graph: Graph; places: Map<Layer, PlacedLayer> } {
  const places = new Map<Layer, PlacedLayer>();
  const tensors: Tensor[] = [];
  const pieces = new Map<string, { axis: number; names: string[] }>();
  for (const layer of everyLayer(model)) {
    const whole = wholes.get(layer.whole ?? layer)!;
    if (!layer.whole) {
      places.set(layer, whole);
      continue;
    }
    const place = (of: Place, parameter: Parameter): Place => {
      const { found, axis, values } = placeIn(model, of, parameter);
      const dims = found.dims.map(BigInt);
      tensors.push(withFloats(create(TensorSchema, { name: found.tensor, dims, dataType: FLOAT }), values));
      const piece = pieces.get(of.tensor) ?? { axis, names: [] };
      pieces.set(of.tensor, { axis, names: [...piece.names, found.tensor] });
      return found;
    };
    places.set(layer, {
      weight: place(whole.weight, layer.weight),
      bias: layer.bias && whole.bias && place(whole.bias, layer.bias),
      extra: [],
    });
  }
  if (tensors.length === 0) return { graph, places };
  const concats = [...pieces].map(
    ([whole, { axis, names }]): Node =>
      create(NodeSchema, {
        name: `${whole} critmap parts`,
        opType: 'Concat',
        input: names,
        output: [whole],
        attribute: [create(AttributeSchema, { name: 'axis', i: BigInt(axis), type: 2 })],
      }),
  );
  const initializer = [...graph.initializer, ...tensors];
  return { graph: { ...graph, node: [...concats, ...graph.node], initializer }, places };
}

/** Where a part is, along which axis of the graph's tensor it lies, and its values there. */
function placeIn(model: Model, { tensor, dims, blocked }: Place, parameter: Parameter) {
  const own = parameter.stored;
  const whole = parameter.within!.parameter.stored;
  const along = own.findIndex((size, axis) => size !== whole[axis]);
  const values = model.values(parameter.tensor);
  const name = `${tensor} critmap ${parameter.tensor}`;
  // The runtime's graph may store a matrix the other way round.
  if (!blocked) {
    const at = {
      parameter,
      tensor: name,
      dims: dims.map((size, axis) => (axis === along ? own[axis]! : size)),
    };
    return { found: at satisfies Place, axis: along, values };
  }
  const [outputs = 1, inputs = 1] = own;
  const order = { outputs, inputs, kernel: 1, block: outputs, inputBlock: 1 };
  return {
    found: { parameter, tensor: name, dims: [inputs, outputs], blocked: order } satisfies Place,
    axis: 1 - along,
    values: transpose(values, own),
  };
}
