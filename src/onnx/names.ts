/**
 * PyTorch's module name of a layer, from what an exporter left in the file: the parameter's own name if it kept
 * it, else the path of modules in the node's name, else the node's name.
 */
import type { Node } from './onnx_pb.js';

/** Exporters name a folded or shared constant like this; it says nothing about a module. */
const anonymous = /^(onnx::|_?val_|_?v_|const|transpose|mul|t_|\d+$|\/)|^[A-Za-z]*_?\d+$/i;
const parameterSuffix = /[./](weight|bias|kernel|weight_v|W|b)(:0)?$/;

/**
 * @param tensors names of the layer's stored tensors, the most telling first
 * @param taken names given before; a second layer of one name gets `#2`
 */
export function moduleName(node: Node, tensors: readonly string[], taken: ReadonlySet<string>): string {
  const name =
    tensors
      .filter((tensor) => parameterSuffix.test(tensor) && !anonymous.test(tensor))
      .map((tensor) => tensor.replace(parameterSuffix, ''))[0] ??
    scope(node) ??
    (tensors.find((tensor) => !anonymous.test(tensor)) || node.name || node.output[0] || node.opType);
  if (!taken.has(name)) return name;
  for (let n = 2; ; n++) if (!taken.has(`${name}#${n}`)) return `${name}#${n}`;
}

/**
 * The module path in a TorchScript node name: `/layer1/layer1.0/conv1/Conv` is `layer1.0.conv1`. A child of a
 * container carries the container's name, so a part that repeats its parent replaces it.
 */
function scope(node: Node): string | undefined {
  if (!node.name.startsWith('/')) return undefined;
  const parts = node.name.split('/').slice(1, -1);
  const path: string[] = [];
  for (const part of parts) {
    const parent = path.at(-1);
    if (parent !== undefined && part.startsWith(`${parent}.`)) path.pop();
    path.push(part);
  }
  return path.length > 0 ? path.join('.') : undefined;
}
