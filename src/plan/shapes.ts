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
import { type Graph, ModelSchema, type Model as Proto, ValueInfoSchema } from '../onnx/onnx_pb.js';
import { dimensions, elementCount, FLOAT } from '../onnx/tensors.js';
import type { TensorShape } from '../onnx/value-info.js';
import { valueInfo } from '../onnx/value-info.js';
import type { BaseGraph } from './base-graph.js';
import type { Dataflow } from './dataflow.js';
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
  return (await inferred(source, flow, names, input)) ?? (await observed(source, flow, names, input));
}

/** undefined when not all of them can be inferred. */
async function inferred(
  { proto, graph, input }: Pick<BaseGraph, 'proto' | 'graph' | 'input'>,
  flow: Dataflow,
  names: readonly string[],
  shape: TensorShape,
): Promise<Map<string, TensorShape> | undefined> {
  // Weights matter by their shapes only: as inputs they need no bytes.
  const large = graph.initializer.filter(isLarge);
  const bytes = toBinary(ModelSchema, {
    ...proto,
    graph: {
      ...graph,
      node: flow.steps.map((step) => step.node),
      initializer: graph.initializer.filter((tensor) => !isLarge(tensor)),
      input: [
        valueInfo(input, shape),
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
  return new Map([[input, shape], ...ports.map(({ name, type, dims }) => [name, { type, dims }] as const)]);
}

async function observed(
  { proto, graph, input, apart }: Pick<BaseGraph, 'proto' | 'graph' | 'input' | 'apart'>,
  flow: Dataflow,
  names: readonly string[],
  shape: TensorShape,
): Promise<Map<string, TensorShape>> {
  const whole = {
    ...graph,
    node: flow.steps.map((step) => step.node),
    input: [valueInfo(input, shape)],
    output: names.map((name) => create(ValueInfoSchema, { name })),
    valueInfo: [],
  };
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
