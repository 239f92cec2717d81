/**
 * Which tensors hold each image in rows of its own, one image behind the other, so that some images of a batch are a
 * piece of the tensor. Shapes do not tell: a table of positions x images may be folded into rows as one of images x
 * positions. So the graph is run on two images, and again with another one in place of the first.
 */
import { onnxruntimeNode } from '../native/onnxruntime-node.js';
import { sessionOptions } from '../native/session-options.js';
import { encoded } from '../onnx/apart.js';
import type { Graph } from '../onnx/onnx_pb.js';
import { elementCount, FLOAT } from '../onnx/tensors.js';
import type { BaseGraph } from './base-graph.js';
import type { Dataflow } from './dataflow.js';
import { graphGiving, type ImageSize } from './shapes.js';

/** A sweep on a card is planned for several batches. */
const known = new WeakMap<Graph, Map<string, Promise<ReadonlyMap<string, number>>>>();

/** @returns rows of one image, by the names of those tensors; none where the graph does not run on two images */
export function imageRows(
  source: BaseGraph,
  flow: Dataflow,
  names: readonly string[],
  size: ImageSize,
): Promise<ReadonlyMap<string, number>> {
  const ofGraph = known.get(source.graph) ?? new Map<string, Promise<ReadonlyMap<string, number>>>();
  known.set(source.graph, ofGraph);
  const key = [size.channels, size.height, size.width, ...names].join('\n');
  const found = ofGraph.get(key) ?? observedRows(source, flow, names, size).catch(() => new Map());
  ofGraph.set(key, found);
  return found;
}

async function observedRows(
  { proto, graph, input, apart }: BaseGraph,
  flow: Dataflow,
  names: readonly string[],
  { channels, height, width }: ImageSize,
): Promise<ReadonlyMap<string, number>> {
  const { InferenceSession, Tensor } = onnxruntimeNode();
  const dims = [2, channels, height, width];
  const made = new Set(flow.steps.flatMap(({ makes }) => makes));
  const asked = names.filter((name) => made.has(name));
  const whole = graphGiving(asked, { graph, input }, flow, { type: FLOAT, dims });
  const { bytes, externalData } = encoded(proto, whole, apart);
  const session = await InferenceSession.create(bytes, {
    ...{ ...sessionOptions, externalData },
    // Two runs do not repay optimising.
    graphOptimizationLevel: 'disabled',
  });
  try {
    const run = (first: number) =>
      session.run({ [input]: new Tensor('float32', noise(elementCount(dims), first), dims) });
    const [one, other] = [await run(0), await run(1)];
    const rows = asked.flatMap((name): [string, number][] => {
      const { dims: shape, data } = one[name]!;
      const count = shape[0] ?? 0;
      return count > 0 && count % 2 === 0 && areSecondHalvesEqual(data, other[name]!.data)
        ? [[name, count / 2]]
        : [];
    });
    return new Map([...rows, ...(names.includes(input) ? [[input, 1] as const] : [])]);
  } finally {
    await session.release();
  }
}

/** Two images, of which `first` chooses the first one. */
function noise(length: number, first: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin((i < length / 2 ? 1.7 + first : 1.7) * i + 1));
}

type Data = { readonly length: number; readonly [at: number]: unknown };

function areSecondHalvesEqual(a: Data, b: Data): boolean {
  if (a.length !== b.length) return false;
  for (let i = a.length / 2; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}
