/**
 * The parameters of a model by PyTorch's names: its layers' weights and biases, its norms, and every other trained
 * tensor that kept its name. Each says what an export has made of it: transposed, or stored under a made-up name.
 */

import { indexGraph, originOf } from '../onnx/graph.js';
import { madeUp, modulePath } from '../onnx/names.js';
import { findNorms } from '../onnx/norm-layers.js';
import type { Node } from '../onnx/onnx_pb.js';
import { dimensions, elementCount, FLOAT } from '../onnx/tensors.js';
import type { Model } from './model.js';

export interface ModelParameter {
  /** What a checkpoint may call it, the likeliest first. */
  readonly names: readonly string[];
  /** The graph's stored tensor. */
  readonly tensor: string;
  /** PyTorch's: a Linear's weight is [out, in]. */
  readonly shape: readonly number[];
  /** The graph stores the matrix as [in, out]. */
  readonly transposed: boolean;
  /** A checkpoint without it is incomplete. */
  readonly required: boolean;
  /** Other stored tensors that are this one: critmap made them where several operations read it. */
  readonly copies: readonly string[];
}

const telling = /^[A-Za-z_][\w-]*([.][\w-]+)*$/;
/** A module's parameter, or one of the model itself that has two words, `pos_embed`; operators are called `expand`. */
const ofModule = /\.|^[a-z0-9]+_/i;
/** The copies that critmap makes end in `#2`. */
const copyOf = /^(.*)#\d+$/;

/** PyTorch's names of a BatchNormalization's inputs 1 to 4. */
const normRoles = ['weight', 'bias', 'running_mean', 'running_var'] as const;

/** In graph order, layers first. */
export function parametersOf(model: Model): ModelParameter[] {
  const found = new Map<string, ModelParameter>();
  const index = indexGraph(model.file.graph);
  const { tensors } = index;
  /** Where one tensor was stored for several modules, its name is that of any of them. */
  const wasShared = (tensor: string) => copyOf.test(tensor) || tensors.has(`${tensor}#2`);
  const namesOf = (tensor: string, path: string | undefined, role: string) => {
    const own = ownName(tensor);
    const ofPath = path === undefined ? [] : [`${path}.${role}`];
    return [...new Set(wasShared(tensor) ? [...ofPath, ...own] : [...own, ...ofPath])];
  };
  const add = (parameter: ModelParameter) => {
    if (!found.has(parameter.tensor)) found.set(parameter.tensor, parameter);
  };
  for (const { name, op, weight, bias } of model.layers) {
    for (const [role, parameter] of Object.entries({ weight, bias })) {
      if (!parameter) continue;
      const { tensor, layout } = parameter;
      // An Einsum takes a parameter as it is, in any order.
      const shape = op === 'Einsum' ? parameter.stored : parameter.shape;
      // A second layer of one name has a name of critmap's own, which no checkpoint has.
      const names = namesOf(tensor, name.includes('#') ? undefined : name, role);
      const transposed = op !== 'Einsum' && (layout.transposed ?? false);
      add({ names, tensor, shape, transposed, required: true, copies: [] });
    }
  }
  const ofLayers = new Set(model.layers.flatMap(({ norm }) => (norm ? Object.values(norm) : [])));
  for (const node of model.file.graph.node) {
    for (const { tensor, role } of statistics(node)) {
      const origin = originOf(index, tensor);
      if (origin?.proto.dataType !== FLOAT) continue;
      const names = namesOf(origin.tensor, modulePath(node), role);
      // A norm without scale and shift has constants in their place.
      const kept = ownName(origin.tensor).length > 0 || wasShared(origin.tensor);
      const required = kept || ofLayers.has(origin.tensor);
      const shape = dimensions(origin.proto);
      add({ names, tensor: origin.tensor, shape, transposed: false, required, copies: [] });
    }
  }
  const copies = new Map<string, string[]>();
  for (const name of tensors.keys()) {
    const of = copyOf.exec(name)?.[1];
    if (of === undefined || found.has(name)) continue;
    const known = copies.get(of);
    if (known) known.push(name);
    else copies.set(of, [name]);
  }
  // A norm of channels may have its numbers as channels x 1 x 1.
  const norms = findNorms(model.file, index, model.layers, true).layers;
  const vectors = new Map(
    norms
      .flatMap(({ weight, bias }) => (bias ? [weight, bias] : [weight]))
      .map((one) => [one.tensor, one.shape]),
  );
  for (const [tensor, proto] of tensors) {
    if (proto.dataType !== FLOAT || !telling.test(tensor)) continue;
    const shape = vectors.get(tensor) ?? dimensions(proto);
    // A single number is an epsilon or a scale that the exporter wrote down, unless a checkpoint has it.
    const required = elementCount(shape) > 1 && !madeUp.test(tensor) && ofModule.test(tensor);
    add({ names: [tensor], tensor, shape, transposed: false, required, copies: copies.get(tensor) ?? [] });
  }
  return [...found.values()];
}

function statistics({ opType, input }: Node): { tensor: string; role: string }[] {
  if (opType !== 'BatchNormalization') return [];
  return normRoles.map((role, i) => ({ tensor: input[i + 1] ?? '', role }));
}

/** A stored tensor's name where the exporter kept it. */
function ownName(tensor: string): string[] {
  return !madeUp.test(tensor) && telling.test(tensor) ? [tensor] : [];
}
