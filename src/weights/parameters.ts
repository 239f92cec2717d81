/**
 * The parameters of a model by PyTorch's names: its layers' weights and biases, its norms, and every other trained
 * tensor that kept its name. What an export made of them is told along: transposed, or under a made-up name.
 */
import type { Model } from '../model.js';
import { indexGraph } from '../onnx/graph.js';
import { dimensions, elementCount, FLOAT } from '../onnx/tensors.js';

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
}

/** Names that exporters make up, and that no parameter has. */
const madeUp = /^(\/|onnx::|_?val_|_?v_|const|t_|\d+$)|_output_\d+$/i;
const telling = /^[A-Za-z_][\w-]*([.][\w-]+)*$/;

/** In graph order, layers first. */
export function parametersOf(model: Model): ModelParameter[] {
  const found = new Map<string, ModelParameter>();
  const { tensors } = indexGraph(model.file.graph);
  const add = (parameter: ModelParameter) => {
    if (!found.has(parameter.tensor)) found.set(parameter.tensor, parameter);
  };
  for (const { name, weight, bias, norm } of model.layers) {
    for (const [role, parameter] of Object.entries({ weight, bias })) {
      if (!parameter) continue;
      const { tensor, shape, layout } = parameter;
      // A second layer of one name has a name of critmap's own, which no checkpoint has.
      const names = [...ownName(tensor), ...(name.includes('#') ? [] : [`${name}.${role}`])];
      add({
        names: [...new Set(names)],
        tensor,
        shape,
        transposed: layout.transposed ?? false,
        required: true,
      });
    }
    for (const tensor of norm ? Object.values(norm) : []) {
      const proto = tensors.get(tensor);
      if (proto)
        add({ names: ownName(tensor), tensor, shape: dimensions(proto), transposed: false, required: true });
    }
  }
  for (const [tensor, proto] of tensors) {
    const names = ownName(tensor);
    if (proto.dataType !== FLOAT || names.length === 0) continue;
    const shape = dimensions(proto);
    // A single number is an epsilon or a scale that the exporter wrote down, unless a checkpoint has it.
    add({ names, tensor, shape, transposed: false, required: elementCount(shape) > 1 });
  }
  return [...found.values()];
}

/** A stored tensor's name where the exporter kept it; copies that critmap made of one end in `#2`. */
function ownName(tensor: string): string[] {
  const name = tensor.replace(/#\d+$/, '');
  return name === tensor && !madeUp.test(name) && telling.test(name) ? [name] : [];
}
