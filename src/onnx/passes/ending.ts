/**
 * What stands at a graph's end behind the node that decides what its output is: nodes that only arrange values, or keep
 * them within bounds. The decisive node can be taken off, and they arrange what it was of.
 */
import { create } from '@bufbuild/protobuf';
import { type GraphIndex, readsOf } from '../graph.js';
import { type Graph, type Node, NodeSchema } from '../onnx_pb.js';

const arranging = /^(Identity|Cast|Flatten|Squeeze|Unsqueeze|Reshape)$/;
const bounding = /^(Clip|Dropout)$/;

export interface Ending {
  /** What makes the values. */
  node: Node | undefined;
  /** What follows it, in the order of the graph. */
  behind: Node[];
}

export function endingOf({ producer }: GraphIndex, output: string): Ending {
  const behind: Node[] = [];
  let node = producer.get(output);
  // The graph has no cycle, but may be long.
  while (node && (arranging.test(node.opType) || bounding.test(node.opType))) {
    behind.unshift(node);
    node = producer.get(node.input[0] ?? '');
  }
  return { node, behind };
}

/** Whether the values may lie on other axes than the node made them on. */
export const isMoved = ({ behind }: Ending) =>
  behind.some(({ opType }) => /^(Flatten|Squeeze|Unsqueeze|Reshape)$/.test(opType));

/**
 * Arranges what the decisive node was of as the node's own values were.
 * @param suffix of names
 * @returns the tensor that takes the output's place
 */
export function takenOff(graph: Graph, { node, behind }: Ending, suffix: string): string {
  let last = node?.input[0] ?? '';
  for (const one of behind) {
    if (one.opType === 'Identity' || bounding.test(one.opType)) continue;
    const name = `${one.output[0]} ${suffix}`;
    const { opType, attribute, domain, metadataProps } = one;
    const input = [last, ...one.input.slice(1)];
    graph.node.push(
      create(NodeSchema, { opType, attribute, domain, metadataProps, name, input, output: [name] }),
    );
    last = name;
  }
  return last;
}

/** Takes out what nothing needs that leads to the graph's outputs. */
export function withoutDeadNodes(graph: Graph): void {
  const needed = new Set(graph.output.map(({ name }) => name));
  // Producers stand before their consumers.
  graph.node = graph.node
    .toReversed()
    .filter((node) => {
      if (!node.output.some((name) => needed.has(name))) return false;
      for (const name of readsOf(node)) needed.add(name);
      return true;
    })
    .toReversed();
}
