/** The order of a graph's nodes. ONNX asks for a topological one; some exporters write another. */
import { CritmapError } from '../../errors.js';
import { readsOf } from '../graph.js';
import type { Node } from '../onnx_pb.js';

/**
 * Each node after those that it reads from, and otherwise in the order given; in time linear in the graph.
 * @throws CritmapError (ERR_MODEL) when the graph has a cycle or makes a tensor twice
 */
export function sorted(nodes: readonly Node[]): Node[] {
  const maker = new Map<string, Node>();
  for (const node of nodes) {
    for (const name of node.output) {
      if (name === '') continue;
      if (maker.has(name)) throw new CritmapError('ERR_MODEL', `the graph makes the tensor ${name} twice`);
      maker.set(name, node);
    }
  }
  const open = new Set<Node>();
  const done = new Set<Node>();
  for (const first of nodes) {
    const waiting = [first];
    for (let node = waiting.at(-1); node; node = waiting.at(-1)) {
      if (open.has(node) || done.has(node)) {
        done.add(node);
        waiting.pop();
        continue;
      }
      open.add(node);
      for (const name of readsOf(node).reverse()) {
        const before = maker.get(name);
        if (!before || done.has(before)) continue;
        if (open.has(before)) {
          throw new CritmapError('ERR_MODEL', `the graph has a cycle at ${node.name || node.opType}`);
        }
        waiting.push(before);
      }
    }
  }
  return [...done];
}
