/**
 * Which tensors hold each image in rows of its own, one image behind the other, so that some images of a batch are a
 * piece of the tensor. Shapes do not tell: a table of positions x images may be folded into rows as one of images x
 * positions, and numbers may count the images. So the graph is run on one image, and twice with another one before it.
 */
import type { InferenceSession } from 'onnxruntime-node';
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
  const image = [channels, height, width];
  const made = new Set(flow.steps.flatMap(({ makes }) => makes));
  const asked = names.filter((name) => made.has(name));
  const whole = graphGiving(asked, { graph, input }, flow, { type: FLOAT, dims: [-1, ...image] });
  const { bytes, externalData } = encoded(proto, whole, apart);
  const session = await InferenceSession.create(bytes, {
    ...{ ...sessionOptions, externalData },
    // Three runs do not repay optimising.
    graphOptimizationLevel: 'disabled',
  });
  try {
    const run = async (...images: number[]): Promise<Map<string, Held>> => {
      const values = images.flatMap((one) => [...noise(elementCount(image), one)]);
      const tensor = new Tensor('float32', Float32Array.from(values), [images.length, ...image]);
      const found = await session.run({ [input]: tensor });
      return new Map(asked.map((name) => [name, lastOf(found[name]!, images.length)]));
    };
    const alone = await run(0);
    const [behind, other] = [await run(1, 0), await run(2, 0)];
    const rows = asked.flatMap((name): [string, number][] => {
      const own = alone.get(name)!;
      const isOwn = areSame(behind.get(name)!, other.get(name)!, 0) && areSame(behind.get(name)!, own, NEAR);
      return isOwn ? [[name, own.dims[0]!]] : [];
    });
    return new Map([...rows, ...(names.includes(input) ? [[input, 1] as const] : [])]);
  } finally {
    await session.release();
  }
}

/** Of a tensor's largest number: what a batch of another size rounds otherwise. */
const NEAR = 1e-2;

/** The last rows of a tensor, as many as one of some images would have. */
interface Held {
  dims: readonly number[];
  values: Values;
}

type Values = { readonly length: number; readonly [at: number]: unknown };

function lastOf({ dims, data }: InferenceSession.OnnxValueMapType[string], images: number): Held {
  const values = data as unknown as Values & { slice(from: number): Values };
  const [rows = 0, ...row] = dims;
  return { dims: [rows / images, ...row], values: values.slice(values.length - values.length / images) };
}

/** An image from 0.1 to 1: more would be made NaN by a root or a logarithm. */
const noise = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => 0.55 + 0.45 * Math.sin((1.7 + seed) * i + seed + 1));

/** Whether all numbers are there and the same, floats as far as rounding goes. */
function areSame(a: Held, b: Held, near: number): boolean {
  const [rows = 0] = a.dims;
  if (!Number.isInteger(rows) || rows === 0 || a.dims.join() !== b.dims.join()) return false;
  if (a.values.length !== b.values.length) return false;
  let [largest, off] = [0, 0];
  for (let i = 0; i < a.values.length; i++) {
    const [x, y] = [a.values[i], b.values[i]];
    if (typeof x !== 'number' || typeof y !== 'number' || !(a.values instanceof Float32Array)) {
      if (x !== y) return false;
      continue;
    }
    if (!Number.isFinite(x)) return false;
    largest = Math.max(largest, Math.abs(x));
    off = Math.max(off, Math.abs(x - y));
  }
  return off <= near * largest;
}
