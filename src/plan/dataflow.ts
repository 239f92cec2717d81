/**
 * The parsed graph as data flow: nodes in topological order, what each reads and makes, and which of them depend
 * on the image. Pure. Names that a subgraph (If, Loop, Scan) takes from outside count as inputs of its node.
 */
import { readsOf } from '../onnx/graph.js';
import type { Graph, Node } from '../onnx/onnx_pb.js';
import { sorted } from '../onnx/passes/sort.js';

export interface Step {
  node: Node;
  /** Names of all tensors that the node reads, those of its subgraphs included. */
  reads: readonly string[];
  makes: readonly string[];
  /** Depends on the graph's image input; the others give the same tensors for every image. */
  dynamic: boolean;
}

export interface Dataflow {
  /** The image input. */
  input: string;
  /** In topological order. */
  steps: readonly Step[];
  /** Position of the step that makes a tensor. */
  maker: ReadonlyMap<string, number>;
  /** Positions of the steps that read a tensor, ascending. */
  readers: ReadonlyMap<string, readonly number[]>;
}

/**
 * @param output the tensor that is asked for; nodes that do not lead to it are left out
 * @throws CritmapError (ERR_MODEL) when the graph has a cycle or makes a tensor twice
 */
export function dataflowOf(graph: Graph, input: string, output: string): Dataflow {
  const nodes = needed(sorted(graph.node), output);
  const dynamic = new Set([input]);
  const maker = new Map<string, number>();
  const readers = new Map<string, number[]>();
  const steps = nodes.map((node, position): Step => {
    const reads = readsOf(node);
    const makes = node.output.filter((name) => name !== '');
    // What a random operator makes differs from run to run: it must not be taken for a constant.
    const isDynamic =
      reads.some((name) => dynamic.has(name)) || /^(Random|Multinomial|Bernoulli)/.test(node.opType);
    for (const name of reads) {
      const list = readers.get(name);
      if (list) list.push(position);
      else readers.set(name, [position]);
    }
    for (const name of makes) {
      maker.set(name, position);
      if (isDynamic) dynamic.add(name);
    }
    return { node, reads, makes, dynamic: isDynamic };
  });
  return { input, steps, maker, readers };
}

/** Positions of all steps that depend on one of the given tensors, ascending. */
export function dependents({ steps }: Dataflow, tensors: Iterable<string>): number[] {
  const reached = new Set(tensors);
  const found: number[] = [];
  for (const [position, step] of steps.entries()) {
    if (!step.reads.some((name) => reached.has(name))) continue;
    found.push(position);
    for (const name of step.makes) reached.add(name);
  }
  return found;
}

/** The image input and everything that dynamic steps make. */
export function isDynamic({ maker, steps, input }: Dataflow, name: string): boolean {
  const position = maker.get(name);
  return position === undefined ? name === input : steps[position]?.dynamic === true;
}

/** The nodes that lead to a tensor, of nodes in topological order. */
function needed(nodes: readonly Node[], output: string): Node[] {
  const wanted = new Set([output]);
  const kept = [...nodes].reverse().filter((node) => {
    if (!node.output.some((name) => wanted.has(name))) return false;
    for (const name of readsOf(node)) wanted.add(name);
    return true;
  });
  return kept.reverse();
}
