/**
 * The module's name of a layer, from what an exporter left in the file: the parameter's own name if it kept it,
 * else the path of modules in the node's name or metadata, else TensorFlow's scope, else the node's name.
 */
import type { Node } from './onnx_pb.js';

/**
 * Exporters make such a name up for a constant that they computed or share: `onnx::Conv_12`, `val_3`, `mul_12`, `W`,
 * `/fc/Transpose_output_0`. It says nothing about a module, and no parameter has it.
 */
export const madeUp =
  /^(onnx::|\/|_?val_|_?v_\d|const|(transpose|mul|t)(_*\d|$)|\d+$)|^([a-z]|[a-z]*_?\d+)$|_output_\d+$/i;

/** What parameters are called in their module, after TensorFlow's `:0` is gone. */
const parameter = [
  // PyTorch with a parametrised weight, or an older weight or spectral norm.
  /\.parametrizations\.(weight|bias)\.original\d?$/,
  /[./](weight|bias)_(orig|v)$/,
  // PyTorch, Keras, JAX.
  /[./](weight|bias|kernel|W|w|b)$/,
  // PaddlePaddle.
  /\.[wb]_\d+$/,
  // torch.nn.MultiheadAttention: `in_proj_weight`.
  /(?<=_proj)_(weight|bias)$/,
];

/**
 * @param tensors names of the layer's stored tensors, the most telling first
 * @param taken names given before; a second layer of one name gets `#2`
 * @param shape the weight's, [out, in]
 * @param holders the graph's modules that hold others
 */
export function moduleName(
  node: Node,
  tensors: readonly string[],
  taken: ReadonlySet<string>,
  shape: readonly number[] = [],
  holders: ReadonlySet<string> = new Set(),
): string {
  const path = pathOfLayer(node, shape, holders);
  const [ofWeight, ofBias] = [tensors.slice(0, 1), tensors.slice(1)].map((some) => first(some, ofParameter));
  const name =
    ofWeight ??
    pathOfWeight(node) ??
    // A bias that is equal to another module's may be stored under that one's name.
    (ofBias !== undefined && (path === undefined || isLike(ofBias, path)) ? ofBias : undefined) ??
    path ??
    first([...tensors, node.name], ofTensorflow) ??
    (tensors.find((tensor) => !madeUp.test(tensor)) || node.name || node.output[0] || node.opType);
  return unlike(name, taken);
}

/**
 * A module that holds others is no Linear: it takes the weight of one of them, which it does not call. Where that has lost
 * its name and makes three vectors of one, it is what all attention calls `qkv`.
 */
function pathOfLayer(
  node: Node,
  [outputs = 0, inputs = 0, ...kernel]: readonly number[],
  holders: ReadonlySet<string>,
): string | undefined {
  const path = modulePath(node);
  const isHolder = path !== undefined && holders.has(path) && kernel.length === 0;
  return isHolder && outputs === 3 * inputs && inputs > 0 ? `${path}.qkv` : path;
}

/** Modules with others in them, by the paths that the exporter wrote down. */
export function holdersOf(nodes: readonly Node[]): Set<string> {
  const holders = new Set<string>();
  for (const node of nodes) {
    const path = modulePath(node) ?? '';
    for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1))
      holders.add(path.slice(0, dot));
  }
  return holders;
}

/** The name, or with a number where another layer has it. */
export function unlike(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  for (let n = 2; ; n++) if (!taken.has(`${name}#${n}`)) return `${name}#${n}`;
}

/** One of the same last name, since exporters leave out modules that are not called, or inside of the other. */
const isLike = (module: string, path: string) =>
  module.startsWith(`${path}.`) || module.split('.').at(-1) === path.split('.').at(-1);

function first(names: readonly string[], of: (name: string) => string | undefined): string | undefined {
  for (const name of names) {
    const found = of(name);
    if (found) return found;
  }
  return undefined;
}

function ofParameter(tensor: string): string | undefined {
  const name = tensor.replace(/:\d+$/, '');
  if (/^(onnx::|\/)/.test(name)) return undefined;
  // Of a recurrent module, whose parameters are several.
  const cell = /^(.+)[./](?:weight|bias)_([ih]h(?:_l\d+(?:_reverse)?)?)$/.exec(name);
  if (cell) return `${cell[1]}.${cell[2]}`;
  const suffix = parameter.find((pattern) => pattern.test(name));
  return suffix && withoutCall(name.replace(suffix, ''));
}

/** What TensorFlow puts behind a layer's name: the operator, how a variable is read, what tf2onnx did to it. */
const operation =
  /\/(Conv\dD(BackpropInput)?|DepthwiseConv2dNative|depthwise|pointwise|separable_conv2d|convolution|conv\dd_transpose|MatMul|Tensordot|BiasAdd|(Read|Cast)?[Rr]ead\w*(VariableOp)?(_\d+)?|kernel|bias|(depthwise|pointwise)_kernel)(__\d+)?$/;

/** `StatefulPartitionedCall/model/conv1/Conv2D/ReadVariableOp:0` is `model/conv1`. */
function ofTensorflow(text: string): string | undefined {
  const start = text.replace(/:\d+$/, '').replace(/_(weights|bias)_fused_bn$/, '');
  let name = start;
  while (operation.test(name)) name = name.replace(operation, '');
  return name !== start && !name.startsWith('/') ? withoutCall(name) : undefined;
}

/** A saved model's functions call each other under this name. */
const withoutCall = (name: string) => name.replace(/^(StatefulPartitionedCall(_\d+)?\/)+/, '');

/** The path of modules that an exporter wrote down with a node, `layer1.0.bn1`. */
export function modulePath(node: Node): string | undefined {
  return pathInName(node) ?? pathInMetadata(node);
}

/**
 * The module path in a TorchScript node name: `/layer1/layer1.0/conv1/Conv` is `layer1.0.conv1`. A child of a
 * container carries the container's name, so a part that repeats its parent replaces it.
 */
function pathInName(node: Node): string | undefined {
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

/**
 * The module whose weight the newer PyTorch exporter's operation takes, `%p_layers_0_attn_qkv_weight` in the scope
 * `layers.0.attn`: a module may use the weights of those that it holds without calling them.
 */
function pathOfWeight(node: Node): string | undefined {
  const call = node.metadataProps.find(({ key }) => key === 'pkg.torch.onnx.fx_node')?.value ?? '';
  // A recurrent module has several: `%p_rnn_weight_hh_l0`.
  const weights = [...call.matchAll(/%p_(\w+)_weight(?:_([ih]h(?:_l\d+(?:_reverse)?)?))?\b/g)];
  const scope = pathInMetadata(node);
  const [, weight, cell] = weights[0] ?? [];
  if (!weight || weights.length > 1 || scope === undefined) return undefined;
  const flat = scope.replaceAll('.', '_');
  if (weight === flat) return cell ? `${scope}.${cell}` : scope;
  return weight.startsWith(`${flat}_`) ? `${scope}.${weight.slice(flat.length + 1)}` : undefined;
}

/** The newer PyTorch exporter's list of scopes, `['', 'layer1', 'layer1.0', 'layer1.0.conv1', 'conv2d_1']`. */
function pathInMetadata(node: Node): string | undefined {
  const scopes = node.metadataProps.find(({ key }) => key === 'pkg.torch.onnx.name_scopes')?.value ?? '';
  const names = [...scopes.matchAll(/'([^']*)'/g)].map((match) => match[1]);
  // The last one is the operation's.
  return names.at(-2) || undefined;
}
