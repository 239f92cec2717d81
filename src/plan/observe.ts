/**
 * Types and shapes of all tensors that depend on the image, by running the model on blank images once with one
 * and once with two of them: no operator has to be understood, and what grows with the batch shows.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { CritmapError, messageOf } from '../errors.js';
import type { Model } from '../model.js';
import { ModelSchema, ValueInfoSchema } from '../onnx/onnx_pb.js';
import { FLOAT } from '../onnx/tensors.js';
import type { Dataflow } from './dataflow.js';
import { type TensorShape, valueInfo } from './extract.js';

/** onnxruntime-node's names of element types as TensorProto.DataType. */
const types: Record<string, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
};

/**
 * @returns shapes at the given batch size, by tensor name, the input's included
 * @throws CritmapError (ERR_MODEL) when the model does not run on such images, or a tensor's size does not grow
 *   evenly with the batch
 */
export async function observeShapes(
  model: Model,
  flow: Dataflow,
  size: { height: number; width: number },
  batch: number,
): Promise<Map<string, TensorShape>> {
  const first = await run(model, flow, size, model.io.batch ?? 1);
  if (model.io.batch !== null) return first;
  const second = await run(model, flow, size, 2);
  const shapes = new Map<string, TensorShape>();
  for (const [name, one] of first) {
    const two = second.get(name);
    if (two?.type !== one.type || two.dims.length !== one.dims.length) {
      throw new CritmapError(
        'ERR_MODEL',
        `${model.file.path}: the tensor ${name} changes its kind with the batch`,
      );
    }
    const dims = one.dims.map((d, axis) => d + ((two.dims[axis] ?? d) - d) * (batch - 1));
    shapes.set(name, { type: one.type, dims });
  }
  return shapes;
}

async function run(
  model: Model,
  flow: Dataflow,
  { height, width }: { height: number; width: number },
  batch: number,
): Promise<Map<string, TensorShape>> {
  const { input, channels } = model.io;
  const dims = [batch, channels, height, width];
  const names = flow.steps.flatMap((step) => (step.dynamic ? step.makes : []));
  const graph = {
    ...model.file.graph,
    node: flow.steps.map((step) => step.node),
    input: [valueInfo(input, { type: FLOAT, dims })],
    output: names.map((name) => create(ValueInfoSchema, { name })),
    valueInfo: [],
  };
  try {
    const session = await InferenceSession.create(toBinary(ModelSchema, { ...model.file.proto, graph }), {
      // One run does not repay optimising, and every tensor is an output anyway.
      graphOptimizationLevel: 'disabled',
      logSeverityLevel: 3,
    });
    const blank = new Float32Array(batch * channels * height * width);
    const result = await session.run({ [input]: new Tensor('float32', blank, dims) });
    const shapes = new Map<string, TensorShape>([[input, { type: FLOAT, dims }]]);
    for (const name of names) {
      const tensor = result[name];
      const type = tensor && types[tensor.type];
      if (!tensor || type === undefined)
        throw new Error(`the tensor ${name} is ${tensor?.type ?? 'missing'}`);
      shapes.set(name, { type, dims: tensor.dims });
    }
    await session.release();
    return shapes;
  } catch (error) {
    throw new CritmapError(
      'ERR_MODEL',
      `${model.file.path} does not run on blank images: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}
