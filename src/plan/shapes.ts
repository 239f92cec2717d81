/**
 * Types and shapes of all tensors that depend on the image. The runtime infers them from the graph; where it
 * cannot, the graph is run on blank images with every tensor as an output, so that no operator has to be
 * understood here.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import type { InferenceSession } from 'onnxruntime-node';
import { CritmapError, messageOf } from '../errors.js';
import { native } from '../native/addon.js';
import { ElementType, onnxruntimeLibrary } from '../native/engine.js';
import { onnxruntimeNode } from '../native/onnxruntime-node.js';
import { sessionOptions } from '../native/session-options.js';
import { encoded, isLarge } from '../onnx/apart.js';
import {
  type Graph,
  ModelSchema,
  type Model as Proto,
  type Tensor,
  ValueInfoSchema,
} from '../onnx/onnx_pb.js';
import { dimensions, elementCount, FLOAT } from '../onnx/tensors.js';
import type { TensorShape } from '../onnx/value-info.js';
import { valueInfo } from '../onnx/value-info.js';
import type { BaseGraph } from './base-graph.js';
import type { Dataflow, Step } from './dataflow.js';
import { likelySize } from './likely-size.js';

export interface ImageSize {
  channels: number;
  height: number;
  width: number;
}

/**
 * @returns by tensor name, at the given batch size, the input's included
 * @throws CritmapError (ERR_MODEL) when the model does not run on such images
 */
export async function shapesOf(
  source: Pick<BaseGraph, 'proto' | 'graph' | 'input' | 'apart'>,
  flow: Dataflow,
  { channels, height, width }: ImageSize,
  batch: number,
): Promise<Map<string, TensorShape>> {
  const names = flow.steps.flatMap((step) => (step.dynamic ? step.makes : []));
  return shapesOfSome(source, flow, names, { channels, height, width }, batch);
}

/** The same of some tensors that depend on the image, and of the input: fewer are sooner known. */
export async function shapesOfSome(
  source: Pick<BaseGraph, 'proto' | 'graph' | 'input' | 'apart'>,
  flow: Dataflow,
  names: readonly string[],
  { channels, height, width }: ImageSize,
  batch: number,
): Promise<Map<string, TensorShape>> {
  const input = { type: FLOAT, dims: [batch, channels, height, width] };
  return (
    (await inferredPiecewise(source, flow, names, input)) ??
    (await inferred(source, flow.steps, source.graph.initializer, names, new Map([[source.input, input]]))) ??
    (await observedOfFew(source, flow, names, input)) ??
    (await observed(source, flow, names, input))
  );
}

/** Images of two batches whose tensors tell what a larger one's are. */
const FEW = [1, 2] as const;

/** A sweep on a card is planned for several batches. */
const runsOf = new WeakMap<Graph, Map<string, Promise<Map<string, TensorShape>[] | undefined>>>();

/** undefined where one of them does not run. */
async function smallRuns(
  source: Pick<BaseGraph, 'proto' | 'graph' | 'input' | 'apart'>,
  flow: Dataflow,
  names: readonly string[],
  { type, dims: image }: TensorShape,
): Promise<Map<string, TensorShape>[] | undefined> {
  const runs: Map<string, TensorShape>[] = [];
  for (const count of FEW) {
    const found = await observed(source, flow, names, { type, dims: [count, ...image] }).catch(() => null);
    if (!found) return undefined;
    runs.push(found);
  }
  return runs;
}

/**
 * From small batches: with every tensor of a large one as an output, a run takes tens of gigabytes. undefined for small
 * batches, and where a tensor is neither the same for every batch nor in proportion to it.
 */
async function observedOfFew(
  source: Pick<BaseGraph, 'proto' | 'graph' | 'input' | 'apart'>,
  flow: Dataflow,
  names: readonly string[],
  { type, dims: [batch = 1, ...image] }: TensorShape,
): Promise<Map<string, TensorShape> | undefined> {
  const [few, more] = FEW;
  if (batch <= more) return undefined;
  const known =
    runsOf.get(source.graph) ?? new Map<string, Promise<Map<string, TensorShape>[] | undefined>>();
  runsOf.set(source.graph, known);
  const key = [...image, ...names].join('\n');
  const run = known.get(key) ?? smallRuns(source, flow, names, { type, dims: image });
  known.set(key, run);
  const runs = await run;
  if (!runs) return undefined;
  const scaled = new Map<string, TensorShape>();
  for (const [name, { type, dims }] of runs[0]!) {
    const other = runs[1]!.get(name)!;
    const sizes = dims.map((size, axis) => {
      const [a, b] = [size, other.dims[axis]!];
      return a === b ? a : a * more === b * few ? (a / few) * batch : Number.NaN;
    });
    if (other.type !== type || other.dims.length !== dims.length || !sizes.every(Number.isInteger))
      return undefined;
    scaled.set(name, { type, dims: sizes });
  }
  return scaled;
}

/**
 * Steps that are asked about together where there are more of them. ONNX Runtime takes time in proportion to a graph's
 * nodes times its outputs: 87 s for a chain of 100,000, 4 s in pieces.
 */
const PIECE = 5000;

/** undefined for graphs of one piece, and where a piece needs to know more than the shapes of what it reads. */
async function inferredPiecewise(
  source: Pick<BaseGraph, 'proto' | 'graph' | 'input'>,
  flow: Dataflow,
  names: readonly string[],
  input: TensorShape,
): Promise<Map<string, TensorShape> | undefined> {
  if (flow.steps.length <= 2 * PIECE || names.length <= PIECE) return undefined;
  const stored = new Map(source.graph.initializer.map((tensor) => [tensor.name, tensor]));
  const known = new Map([[source.input, input]]);
  for (let from = 0; from < flow.steps.length; from += PIECE) {
    const { steps, weights, given } = piece(flow, from, from + PIECE, stored, known);
    const makes = steps.flatMap((step) => (step.dynamic ? step.makes : []));
    if (makes.length === 0) continue;
    const found = await inferred(source, steps, weights, makes, given);
    if (!found) return undefined;
    for (const [name, shape] of found) known.set(name, shape);
  }
  return new Map([source.input, ...names].map((name) => [name, known.get(name)!]));
}

/** Steps from one position to another with all that they need: constant steps before them, weights, known tensors. */
function piece(
  { steps, maker }: Dataflow,
  from: number,
  to: number,
  stored: ReadonlyMap<string, Tensor>,
  known: ReadonlyMap<string, TensorShape>,
) {
  const positions = new Set(steps.slice(from, to).map((_, i) => from + i));
  const weights = new Set<Tensor>();
  const given = new Map<string, TensorShape>();
  // Grows while it is walked through.
  for (const position of positions) {
    for (const name of steps[position]!.reads) {
      const at = maker.get(name);
      const shape = known.get(name);
      const weight = stored.get(name);
      // A computed shape counts by its values, which are found again.
      if (shape && !(isWhole(shape) && at !== undefined)) given.set(name, shape);
      else if (at !== undefined) positions.add(at);
      else if (weight) weights.add(weight);
    }
  }
  const sorted = [...positions].sort((a, b) => a - b);
  return { steps: sorted.map((position) => steps[position]!), weights: [...weights], given };
}

const isWhole = ({ type }: TensorShape) => type === ElementType.int32 || type === ElementType.int64;

/** undefined when not all of them can be inferred. @param given - shapes of tensors that are known */
async function inferred(
  { proto, graph }: Pick<BaseGraph, 'proto' | 'graph'>,
  steps: readonly Step[],
  weights: readonly Tensor[],
  names: readonly string[],
  given: ReadonlyMap<string, TensorShape>,
): Promise<Map<string, TensorShape> | undefined> {
  // Weights matter by their shapes only: as inputs they need no bytes.
  const read = notMade(steps, weights);
  const large = read.filter(isLarge);
  const bytes = toBinary(ModelSchema, {
    ...proto,
    graph: {
      ...graph,
      node: steps.map((step) => step.node),
      initializer: read.filter((tensor) => !isLarge(tensor)),
      input: [
        ...[...given].map(([name, shape]) => valueInfo(name, shape)),
        ...large.map((tensor) => valueInfo(tensor.name, { type: FLOAT, dims: dimensions(tensor) })),
      ],
      output: names.map((name) => create(ValueInfoSchema, { name })),
      valueInfo: [],
    },
  });
  const ports = await native()
    .runtime.ports(onnxruntimeLibrary(), bytes)
    .catch(() => []);
  const known = ports.every(({ type, dims }) => type !== 0 && dims.length > 0 && dims.every((d) => d > 0));
  if (ports.length !== names.length || !known) return undefined;
  return new Map([...given, ...ports.map(({ name, type, dims }) => [name, { type, dims }] as const)]);
}

/** The whole graph with some of its tensors as outputs. @param shape - of the images */
export const graphGiving = (
  names: readonly string[],
  { graph, input }: Pick<BaseGraph, 'graph' | 'input'>,
  { steps }: Dataflow,
  shape: TensorShape,
): Graph => ({
  ...graph,
  node: steps.map((step) => step.node),
  initializer: notMade(steps, graph.initializer),
  input: [valueInfo(input, shape)],
  output: names.map((name) => create(ValueInfoSchema, { name })),
  valueInfo: [],
});

/** A tensor that is stored in parts too, and made of them (split.ts), is one or the other. */
function notMade(steps: readonly Step[], tensors: readonly Tensor[]): Tensor[] {
  const made = new Set(steps.flatMap(({ makes }) => makes));
  return tensors.filter(({ name }) => !made.has(name));
}

async function observed(
  { proto, graph, input, apart }: Pick<BaseGraph, 'proto' | 'graph' | 'input' | 'apart'>,
  flow: Dataflow,
  names: readonly string[],
  shape: TensorShape,
): Promise<Map<string, TensorShape>> {
  const whole = graphGiving(names, { graph, input }, flow, shape);
  const result = await runBlank(proto, whole, apart, { [input]: shape.dims });
  const shapes = new Map<string, TensorShape>([[input, shape]]);
  for (const name of names) {
    const tensor = result[name];
    const type = tensor && (ElementType as Record<string, number>)[tensor.type];
    if (!tensor || type === undefined)
      throw new RangeError(`the tensor ${name} is ${tensor?.type ?? 'missing'}`);
    shapes.set(name, { type, dims: tensor.dims });
  }
  return shapes;
}

async function runBlank(
  proto: Proto,
  graph: Graph,
  apart: boolean,
  inputs: Record<string, readonly number[]>,
): Promise<InferenceSession.ReturnType> {
  try {
    const { bytes, externalData } = encoded(proto, graph, apart);
    const { InferenceSession, Tensor } = onnxruntimeNode();
    const session = await InferenceSession.create(bytes, {
      ...sessionOptions,
      externalData,
      // One run does not repay optimising, and every tensor is an output anyway.
      graphOptimizationLevel: 'disabled',
    });
    const blank = Object.entries(inputs).map(([name, dims]) => [
      name,
      new Tensor('float32', new Float32Array(elementCount(dims)), dims),
    ]);
    const result = await session.run(Object.fromEntries(blank));
    await session.release();
    return result;
  } catch (error) {
    throw new CritmapError(
      'ERR_MODEL',
      `the model does not run on blank images${advice(graph, inputs)}: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** What size to try, where a table of positions says it. */
function advice(graph: Graph, inputs: Record<string, readonly number[]>): string {
  for (const [name, [, , height]] of Object.entries(inputs)) {
    const size = likelySize(graph, name);
    if (size !== undefined && size !== height)
      return ` of ${height} pixels; its table of positions is for ${size}: try --size ${size}`;
  }
  return '';
}
