/**
 * Questions about one ONNX graph: who makes a tensor, who reads it, and which trained tensor a node's input
 * comes from. Pure; made once per model.
 */
import type { Graph, Node, Tensor } from './onnx_pb.js';

/** A trained tensor as a node sees it. */
export interface Origin {
  /** Name of the initialiser (or of the Constant node's output) that holds the values. */
  tensor: string;
  proto: Tensor;
  /** An odd number of 2-D transposes lies between the stored tensor and the node. */
  transposed: boolean;
}

export interface GraphIndex {
  graph: Graph;
  producer: ReadonlyMap<string, Node>;
  consumers: ReadonlyMap<string, readonly Node[]>;
  /** Stored tensors by name: initialisers and the tensors of Constant nodes. */
  tensors: ReadonlyMap<string, Tensor>;
}

export function indexGraph(graph: Graph): GraphIndex {
  const producer = new Map<string, Node>();
  const consumers = new Map<string, Node[]>();
  const tensors = new Map<string, Tensor>();
  for (const tensor of graph.initializer) tensors.set(tensor.name, tensor);
  for (const node of graph.node) {
    for (const name of node.output) if (name) producer.set(name, node);
    for (const name of node.input) {
      if (!name) continue;
      const list = consumers.get(name);
      if (list) list.push(node);
      else consumers.set(name, [node]);
    }
    const value = node.opType === 'Constant' ? node.attribute.find((a) => a.name === 'value')?.t : undefined;
    const output = node.output[0];
    if (value && output) tensors.set(output, value);
  }
  return { graph, producer, consumers, tensors };
}

/**
 * Follows an input back through Identity and 2-D Transpose to the stored tensor, or returns undefined when it
 * is computed from something else.
 */
export function originOf(index: GraphIndex, name: string): Origin | undefined {
  let transposed = false;
  let current = name;
  // A well-formed graph has no cycle; a damaged one must not hang us.
  for (let steps = 0; steps <= index.graph.node.length; steps++) {
    const proto = index.tensors.get(current);
    if (proto) return { tensor: current, proto, transposed };
    const node = index.producer.get(current);
    const source = node?.input[0];
    if (!node || !source) return undefined;
    if (node.opType === 'Transpose') {
      const perm = attributeInts(node, 'perm');
      // Without `perm` the axes are reversed; for the 2-D weights we follow that is the same swap.
      if (perm && (perm.length !== 2 || perm[0] !== 1 || perm[1] !== 0)) return undefined;
      transposed = !transposed;
    } else if (node.opType !== 'Identity') {
      return undefined;
    }
    current = source;
  }
  return undefined;
}

/** The only reader of a tensor, if there is exactly one and the tensor is not an output of the graph. */
export function onlyConsumer(index: GraphIndex, name: string | undefined): Node | undefined {
  if (!name || index.graph.output.some((output) => output.name === name)) return undefined;
  const readers = index.consumers.get(name);
  return readers?.length === 1 ? readers[0] : undefined;
}

/** ONNX's operators of whole sequences. */
export const isRecurrent = ({ opType, domain }: Pick<Node, 'opType' | 'domain'>) =>
  (domain === '' || domain === 'ai.onnx') && /^(LSTM|GRU|RNN)$/.test(opType);

export function attributeInt(node: Node, name: string, fallback: number): number {
  const attribute = node.attribute.find((a) => a.name === name);
  return attribute ? Number(attribute.i) : fallback;
}

export function attributeInts(node: Node, name: string): number[] | undefined {
  return node.attribute.find((a) => a.name === name)?.ints.map(Number);
}

export function attributeText(node: Node, name: string): string {
  return Buffer.from(node.attribute.find((a) => a.name === name)?.s ?? []).toString('utf8');
}

/** Node inputs and the outer names that its subgraphs use, each once. */
export function readsOf(node: Node): string[] {
  return [...new Set([...node.input.filter((name) => name !== ''), ...capturedBy(node)])];
}

/** Tensors that graphs inside of nodes read by name. */
export function capturedNames(graph: Graph): Set<string> {
  return new Set(graph.node.flatMap(capturedBy));
}

function capturedBy({ attribute }: Node): string[] {
  return attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs).flatMap(outerNames));
}

function outerNames(graph: Graph): string[] {
  const own = new Set([
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.node.flatMap((node) => node.output),
  ]);
  const used = [...graph.node.flatMap(readsOf), ...graph.output.map(({ name }) => name)];
  return used.filter((name) => !own.has(name));
}
