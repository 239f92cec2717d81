/**
 * Exporters store parameters of equal value once: TorchScript feeds the copies through Identity nodes that carry
 * the parameters' names, others point several nodes at one tensor. Resetting one module must not reset another,
 * so every bias and every BatchNorm statistic becomes a tensor of its own again. A weight that several nodes use
 * stays shared, and copies of one become one: it is tied, and one parameter.
 */
import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { capturedNames } from '../graph.js';
import { madeUp, modulePath } from '../names.js';
import { type Graph, type Node, NodeSchema, type Tensor } from '../onnx_pb.js';
import { changed, FLOAT } from '../tensors.js';

/** Changes the graph in place; what it computes stays the same. */
export function unshare(graph: Graph): void {
  expandIdentities(graph);
  tieCopies(graph);
  splitProducts(graph);
  untieFresh(graph);
  separateOwned(graph);
}

/**
 * A module that is called several times has one weight; folding its transpose at every call stores as many copies.
 * They become one again.
 */
function tieCopies(graph: Graph): void {
  const weights = new Set(
    graph.node.flatMap(({ opType, input }) => (/^(Conv|Gemm|MatMul)$/.test(opType) ? [input[1]] : [])),
  );
  const captured = capturedNames(graph);
  const anonymous = graph.initializer.filter(
    (tensor) =>
      madeUp.test(tensor.name) && weights.has(tensor.name) && !captured.has(tensor.name) && isTrained(tensor),
  );
  const tied = new Map<string, string>();
  for (const group of alike(anonymous, beginning)) {
    for (const [first, ...copies] of alike(group, whole)) {
      for (const { name } of copies) tied.set(name, first?.name ?? name);
    }
  }
  if (tied.size === 0) return;
  for (const node of graph.node) node.input = node.input.map((name) => tied.get(name) ?? name);
  graph.initializer = graph.initializer.filter(({ name }) => !tied.has(name));
}

/** Groups of tensors with the same key, without those that are alone. */
function alike(tensors: readonly Tensor[], keyOf: (tensor: Tensor) => string): Tensor[][] {
  const groups = new Map<string, Tensor[]>();
  for (const tensor of tensors) {
    const key = keyOf(tensor);
    const group = groups.get(key);
    if (group) group.push(tensor);
    else groups.set(key, [tensor]);
  }
  return [...groups.values()].filter(({ length }) => length > 1);
}

/** Tells almost all weights apart without reading them. */
const beginning = ({ dataType, dims, rawData }: Tensor) =>
  `${dataType} ${dims} ${rawData.byteLength} ${Buffer.from(rawData.subarray(0, 64)).toString('hex')}`;

const whole = ({ rawData }: Tensor) => createHash('sha256').update(rawData).digest('hex');

/** Transposes that are followed; a damaged file may have a cycle. */
const FURTHEST = 4;

/** Values of a weight that nobody would take for trained: zeros, an identity, a pattern of positions. */
const FEW_VALUES = 16;

/** Weights of a few values, as layers may start with, are equal to others without being theirs. */
function isTrained({ dataType, rawData }: Tensor): boolean {
  if (dataType !== FLOAT || rawData.byteLength % 4 !== 0) return true;
  const { buffer, byteOffset, byteLength } = rawData;
  const view = new DataView(buffer, byteOffset, byteLength);
  const seen = new Set<number>();
  for (let at = 0; at < byteLength && seen.size <= FEW_VALUES; at += 4) seen.add(view.getUint32(at, true));
  return seen.size > FEW_VALUES || seen.size === byteLength / 4;
}

/**
 * Of several modules whose fresh weights are equal and that take the same numbers, as tables of positions, an optimised
 * export computes one product, and adds each one's bias to it: it becomes a product of each.
 */
function splitProducts(graph: Graph): void {
  const stored = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const readers = new Map<string, Node[]>();
  for (const node of graph.node) {
    if (node.opType === 'MatMul' && stored.has(node.input[1] ?? '')) readers.set(node.output[0] ?? '', []);
  }
  for (const node of graph.node) for (const name of node.input) readers.get(name)?.push(node);
  /** What goes before a node. */
  const copies = new Map<Node, Node>();
  for (const node of graph.node) {
    const weight = node.opType === 'MatMul' ? stored.get(node.input[1] ?? '') : undefined;
    const [product = ''] = node.output;
    const adds = readers.get(product) ?? [];
    const modules = new Set(adds.map(modulePath));
    const isJoined = adds.every(
      ({ opType, input }) => opType === 'Add' && input.some((name) => stored.has(name)),
    );
    if (!weight || modules.size < 2 || modules.has(undefined) || !isJoined || isTrained(weight)) continue;
    for (const [i, module] of [...modules].slice(1).entries()) {
      const own = `${product}#${i + 2}`;
      const ofModule = adds.filter((add) => modulePath(add) === module);
      for (const add of ofModule) add.input = add.input.map((name) => (name === product ? own : name));
      const [first] = ofModule as [Node];
      const name = first.name.replace(/[^/]*$/, 'MatMul');
      const { metadataProps } = first;
      const input = [...node.input];
      copies.set(first, create(NodeSchema, { opType: 'MatMul', name, input, output: [own], metadataProps }));
    }
  }
  graph.node = graph.node.flatMap((node) => [...(copies.has(node) ? [copies.get(node) as Node] : []), node]);
}

/** An export stores equal weights once; of several modules' fresh ones each gets its own again. */
function untieFresh(graph: Graph): void {
  const stored = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const users = new Map<string, Node[]>();
  for (const node of graph.node) {
    const name = /^(Conv|Gemm|MatMul)$/.test(node.opType) ? (node.input[1] ?? '') : '';
    if (!stored.has(name)) continue;
    const known = users.get(name);
    if (known) known.push(node);
    else users.set(name, [node]);
  }
  const added: Tensor[] = [];
  for (const [name, nodes] of users) {
    const tensor = stored.get(name);
    if (nodes.length < 2 || !tensor || isTrained(tensor)) continue;
    const copies = new Map<string, string>();
    for (const node of nodes) {
      const path = modulePath(node);
      if (path === undefined) continue;
      const own = copies.get(path) ?? (copies.size === 0 ? name : `${name}#${copies.size + 1}`);
      if (!copies.has(path) && own !== name) added.push(changed(tensor, { name: own }));
      copies.set(path, own);
      node.input[1] = own;
    }
  }
  graph.initializer = [...graph.initializer, ...added];
}

/** An Identity of a stored tensor becomes a stored tensor under the Identity's output name. */
export function expandIdentities(graph: Graph): void {
  const stored = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const outputs = new Set(graph.output.map(({ name }) => name));
  const added: Tensor[] = [];
  const kept = graph.node.filter((node) => {
    const [from = '', to = ''] = [node.input[0], node.output[0]];
    const tensor = stored.get(from);
    if (node.opType !== 'Identity' || !tensor || !to || outputs.has(to) || stored.has(to)) return true;
    const copy = changed(tensor, { name: to });
    stored.set(to, copy);
    added.push(copy);
    return false;
  });
  if (added.length === 0) return;
  graph.node = kept;
  graph.initializer = [...graph.initializer, ...added];
}

/** A stored tensor that two modules own is copied for the second and every later one. */
function separateOwned(graph: Graph): void {
  const stored = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const readers = new Map<string, number>();
  for (const name of graph.node.flatMap((node) => node.input))
    readers.set(name, (readers.get(name) ?? 0) + 1);
  const shared = new Set([...stored.keys()].filter((name) => (readers.get(name) ?? 0) > 1));
  if (shared.size === 0) return;

  const makers = new Map(graph.node.map((node) => [node.output[0] ?? '', node]));
  const owners = new Map<string, Map<string, string>>();
  const added: Tensor[] = [];
  for (const node of graph.node) {
    const module = ownerOf(node, makers);
    for (const slot of ownedSlots(node)) {
      const name = node.input[slot] ?? '';
      const tensor = stored.get(name);
      if (!tensor || !shared.has(name)) continue;
      const copies = owners.get(name) ?? new Map<string, string>();
      owners.set(name, copies);
      // The first module keeps the tensor; a module that is used twice gets the same copy again.
      const own = copies.get(module) ?? (copies.size === 0 ? name : `${name}#${copies.size + 1}`);
      copies.set(module, own);
      if (own === name) continue;
      if (!stored.has(own)) {
        const copy = changed(tensor, { name: own });
        stored.set(own, copy);
        added.push(copy);
      }
      node.input[slot] = own;
    }
  }
  graph.initializer = [...graph.initializer, ...added];
}

/** Inputs that belong to the node's module alone: a bias, a norm's scale, shift and statistics. */
function ownedSlots(node: Node): number[] {
  switch (node.opType) {
    case 'Conv':
    case 'Gemm':
      return [2];
    case 'BatchNormalization':
      return [1, 2, 3, 4];
    case 'Add':
      return [0, 1];
    default:
      return [];
  }
}

/** Nodes of one module use the same weight; a MatMul's bias and a convolution's norm belong to that weight. */
function ownerOf(node: Node, makers: ReadonlyMap<string, Node>): string {
  if (node.opType === 'Conv' || node.opType === 'Gemm')
    return `weight ${storedBehind(node.input[1], makers)}`;
  if (node.opType === 'BatchNormalization') {
    const conv = makers.get(node.input[0] ?? '');
    return conv?.opType === 'Conv'
      ? `norm of ${storedBehind(conv.input[1], makers)}`
      : `norm ${node.output[0]}`;
  }
  const product = node.input
    .map((name) => makers.get(name))
    .find((maker) => maker && /^(MatMul|Einsum)$/.test(maker.opType));
  if (!product) return `node ${node.output[0]}`;
  return `weight ${product.opType === 'MatMul' ? storedBehind(product.input[1], makers) : product.input}`;
}

/** A module that is called again has its weight transposed again. */
function storedBehind(name = '', makers: ReadonlyMap<string, Node>): string {
  let found = name;
  for (let steps = 0; steps < FURTHEST; steps++) {
    const maker = makers.get(found);
    if (maker?.opType !== 'Transpose') break;
    found = maker.input[0] ?? '';
  }
  return found;
}
