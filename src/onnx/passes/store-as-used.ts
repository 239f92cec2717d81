/**
 * Stores weights and biases as their layers use them. Exporters put a trained tensor through Constant nodes, Cast,
 * Reshape, Squeeze, Unsqueeze, Flatten and Transpose before it reaches its convolution; carried out once, here,
 * they leave a stored tensor under its own name. What computes something else (a standardised weight) stays.
 */
import { setImmediate } from 'node:timers/promises';
import { attributeInt, attributeInts, capturedNames, type GraphIndex, indexGraph } from '../graph.js';
import type { Graph, Node, Tensor } from '../onnx_pb.js';
import { shapeAfter } from '../shapes.js';
import { changed, dimensions, elementCount, FLOAT, floats, integers, withFloats } from '../tensors.js';
import { expandIdentities } from './unshare.js';

/** Nodes that are followed at most: more than any exporter makes, and a damaged file may have a cycle. */
const LONGEST = 32;

/** Changes the graph in place; what it computes stays the same. */
export async function storeAsUsed(graph: Graph): Promise<void> {
  liftConstants(graph);
  expandIdentities(graph);
  // A chain is carried out one node a round, from the stored end.
  for (let round = 0; round < LONGEST && (await carryOutOnce(graph)); round++) expandIdentities(graph);
}

/** Constant nodes of floats become initialisers: one kind of stored tensor from here on. */
function liftConstants(graph: Graph): void {
  const outputs = new Set(graph.output.map(({ name }) => name));
  const lifted: Tensor[] = [];
  const kept = graph.node.filter((node) => {
    const value =
      node.opType === 'Constant' ? node.attribute.find(({ name }) => name === 'value')?.t : undefined;
    const name = node.output[0] ?? '';
    if (value?.dataType !== FLOAT || outputs.has(name)) return true;
    lifted.push(changed(value, { name }));
    return false;
  });
  if (lifted.length === 0) return;
  graph.node = kept;
  graph.initializer = [...graph.initializer, ...lifted];
}

async function carryOutOnce(graph: Graph): Promise<boolean> {
  const index = indexGraph(graph);
  // What other graphs read too, or a person sees, stays what it is.
  const seen = new Set([...graph.output.map(({ name }) => name), ...capturedNames(graph)]);
  const renamed = new Map<string, string>();
  const reshapedNames = new Set<string>();
  const done = new Set<Node>();
  for (const [i, tensor] of graph.initializer.entries()) {
    if (tensor.dataType !== FLOAT || seen.has(tensor.name)) continue;
    const readers = index.consumers.get(tensor.name) ?? [];
    const views = readers.map((node) => viewOf(index, node, tensor));
    const [view] = views;
    // A tensor that is read in two ways may be tied, and stays as it is.
    if (!view || views.some((other) => other?.key !== view.key)) continue;
    if (readers.some((node) => seen.has(node.output[0] ?? '') || !leadsToLayers(index, node))) continue;
    graph.initializer[i] = view.stored();
    reshapedNames.add(tensor.name);
    for (const node of readers) {
      done.add(node);
      renamed.set(node.output[0] ?? '', tensor.name);
    }
    if (elementCount(dimensions(tensor)) > 2 ** 18) await setImmediate();
  }
  if (done.size === 0) return false;
  graph.node = graph.node.filter((node) => !done.has(node));
  for (const node of graph.node) node.input = node.input.map((name) => renamed.get(name) ?? name);
  // They describe what is no longer so.
  graph.valueInfo = graph.valueInfo.filter(({ name }) => !renamed.has(name) && !reshapedNames.has(name));
  return true;
}

/** Another view of a stored tensor; views with equal keys are equal. */
interface View {
  key: string;
  stored(): Tensor;
}

const views = new Set(['Cast', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Transpose']);

/** What a node makes of a stored tensor, if it does nothing but arrange its elements. */
function viewOf(index: GraphIndex, node: Node, tensor: Tensor): View | undefined {
  if (!views.has(node.opType) || node.input[0] !== tensor.name) return undefined;
  const dims = dimensions(tensor);
  if (node.opType === 'Cast')
    return attributeInt(node, 'to', 0) === FLOAT ? reshaped(tensor, dims) : undefined;
  if (node.opType === 'Transpose') {
    const perm = attributeInts(node, 'perm') ?? dims.map((_, axis) => dims.length - 1 - axis);
    const valid =
      perm.length === dims.length && new Set(perm).size === perm.length && perm.every((a) => a in dims);
    if (!valid) return undefined;
    // A layer takes a stored matrix either way, so its transpose need not be carried out.
    if (dims.length === 2 && readersOf(index, node).every(({ opType }) => /^(MatMul|Gemm)$/.test(opType)))
      return;
    return { key: `Transpose ${perm}`, stored: () => transposed(tensor, dims, perm) };
  }
  const second = index.tensors.get(node.input[1] ?? '');
  const shape = shapeAfter(node, dims, second && integers(second));
  if (!shape?.every(Number.isSafeInteger) || elementCount(shape) !== elementCount(dims)) return undefined;
  return reshaped(tensor, shape);
}

function reshaped(tensor: Tensor, shape: readonly number[]): View {
  return { key: `Reshape ${shape}`, stored: () => changed(tensor, { dims: shape.map(BigInt) }) };
}

function transposed(tensor: Tensor, dims: readonly number[], perm: readonly number[]): Tensor {
  const from = floats(tensor);
  const to = new Float32Array(from.length);
  const strides = dims.map((_, axis) => elementCount(dims.slice(axis + 1)));
  const shape = perm.map((axis) => dims[axis] ?? 0);
  const steps = perm.map((axis) => strides[axis] ?? 0);
  const at = shape.map(() => 0);
  let source = 0;
  for (let i = 0; i < to.length; i++) {
    to[i] = from[source]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at[axis]! += 1;
      source += steps[axis]!;
      if (at[axis]! < shape[axis]!) break;
      source -= steps[axis]! * shape[axis]!;
      at[axis] = 0;
    }
  }
  return withFloats(changed(tensor, { dims: shape.map(BigInt) }), to);
}

/** Everything that reads it is a layer's weight, bias or norm, directly or through more views. */
function leadsToLayers(index: GraphIndex, node: Node, depth = 0): boolean {
  const name = node.output[0] ?? '';
  const readers = readersOf(index, node);
  if (readers.length === 0 || depth > LONGEST) return false;
  return readers.every((reader) => {
    if (views.has(reader.opType) || reader.opType === 'Identity')
      return reader.input[0] === name && leadsToLayers(index, reader, depth + 1);
    return slotsOf(reader).some((slot) => reader.input[slot] === name);
  });
}

/** Inputs of a node that may be parameters. */
function slotsOf({ opType }: Node): number[] {
  if (/^(Conv|ConvTranspose|Gemm)$/.test(opType)) return [1, 2];
  if (/^(MatMul|Add)$/.test(opType)) return [0, 1];
  return opType === 'BatchNormalization' ? [1, 2, 3, 4] : [];
}

const readersOf = (index: GraphIndex, node: Node) => index.consumers.get(node.output[0] ?? '') ?? [];
