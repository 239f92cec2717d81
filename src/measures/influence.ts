/**
 * Block influence (Men et al., 2024, arXiv:2403.03853): 1 minus the mean cosine similarity of what goes into a block and what
 * comes out of it. A cosine is over the features at one position (a token, a pixel); the mean is over positions and images.
 * One pass of the untouched model, through the public API of ONNX Runtime.
 */
import { setImmediate } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { CritmapError, messageOf } from '../errors.js';
import type { ImageSet } from '../images/index.js';
import { usableThreads } from '../machine.js';
import type { Resettable } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import { onnxruntimeNode } from '../native/onnxruntime-node.js';
import { sessionOptions } from '../native/session-options.js';
import { sessionOf } from '../onnx/file.js';
import { Type_TensorTypeSchema, TypeSchema, ValueInfoSchema } from '../onnx/onnx_pb.js';
import { FLOAT } from '../onnx/tensors.js';
import { dataflowOf } from '../plan/dataflow.js';
import { type Ends, endsOf } from './block-ends.js';

/** Numbers and dimensions of a tensor. */
export interface Activation {
  data: Float32Array;
  dims: readonly number[];
}

/** Cosines that are added up. Where a vector is all zeros there is none, and the position does not count. */
export interface CosineSum {
  sum: number;
  count: number;
}

/** @returns null where the two have not one shape */
export function cosines(a: Activation, b: Activation, channelsSecond: boolean): CosineSum | null {
  if (a.dims.join() !== b.dims.join() || a.dims.length < 2) return null;
  const axis = channelsSecond && a.dims.length === 4 ? 1 : a.dims.length - 1;
  const features = a.dims[axis]!;
  const inner = a.dims.slice(axis + 1).reduce((product, d) => product * d, 1);
  const step = features * inner;
  const found = { sum: 0, count: 0 };
  for (let from = 0; from < a.data.length; from += step) {
    for (let position = from; position < from + inner; position++) {
      let [product, ofA, ofB] = [0, 0, 0];
      for (let at = position; at < position + step; at += inner) {
        const [x, y] = [a.data[at]!, b.data[at]!];
        product += x * y;
        ofA += x * x;
        ofB += y * y;
      }
      const size = Math.sqrt(ofA) * Math.sqrt(ofB);
      if (!(size > 0)) continue;
      found.sum += product / size;
      found.count++;
    }
  }
  return found;
}

/**
 * @returns for each layer or group, from 0 to 2; null where input and output have not one shape, or it has no two ends
 * @throws CritmapError (ERR_MODEL) when the model does not run, as {@link ImageSet.read}, the signal's reason
 */
export async function blockInfluences(
  model: Model,
  images: ImageSet,
  rows: readonly Resettable[],
  {
    threads = usableThreads(),
    signal,
  }: { threads?: number | undefined; signal?: AbortSignal | undefined } = {},
): Promise<(number | null)[]> {
  const { file, io } = model;
  const flow = dataflowOf(file.graph, io.input, io.output);
  const endsOfRow = endsOf(flow, io.output, model.layers);
  const ends = rows.map(endsOfRow);
  const wanted = new Set(ends.flatMap((one) => (one ? [one.input, one.output] : [])));
  wanted.delete(io.input);
  if (wanted.size === 0) return rows.map(() => null);
  const session = await openSession(model, [...wanted], threads);
  const sums = ends.map((): CosineSum => ({ sum: 0, count: 0 }));
  const differ = new Set<number>();
  // One image at a time: all of a model's activations together take much memory.
  const batch = io.batch ?? 1;
  const { height, width } = images.shape;
  const dims = [batch, io.channels, height, width];
  try {
    for (const [from, to] of spansOf(images.count, batch)) {
      await setImmediate();
      signal?.throwIfAborted();
      const data = new Float32Array(dims.reduce((product, d) => product * d, 1));
      const times = batch / (to - from);
      const own = data.subarray(0, data.length / times);
      await images.read(from, to, own, signal);
      for (let copy = 1; copy < times; copy++) data.set(own, copy * own.length);
      const { Tensor } = onnxruntimeNode();
      const found = await session.run({ [io.input]: new Tensor('float32', data, dims) });
      const tensorOf = (name: string): Activation =>
        name === io.input
          ? { data, dims }
          : { data: found[name]!.data as Float32Array, dims: found[name]!.dims };
      for (const [i, one] of ends.entries()) {
        if (!one || differ.has(i)) continue;
        const more = cosinesOf(one, tensorOf);
        if (!more) differ.add(i);
        else {
          sums[i]!.sum += more.sum / times;
          sums[i]!.count += more.count / times;
        }
      }
    }
  } catch (error) {
    if (error instanceof CritmapError || signal?.aborted) throw error;
    throw new CritmapError('ERR_MODEL', `${file.path} failed on images: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    await session.release();
  }
  return sums.map(({ sum, count }, i) => (count === 0 || differ.has(i) ? null : 1 - sum / count));
}

/**
 * Images of each pass: whole batches, and of what remains parts by which a batch can be divided. These are repeated until it is
 * full: wherever a tensor has its images, they then count equally often.
 */
export function* spansOf(count: number, batch: number): Generator<[from: number, to: number]> {
  let size = batch;
  for (let from = 0; from < count; from += size) {
    while (size > count - from || batch % size > 0) size--;
    yield [from, from + size];
  }
}

const cosinesOf = ({ input, output, channelsSecond }: Ends, tensorOf: (name: string) => Activation) =>
  cosines(tensorOf(input), tensorOf(output), channelsSecond);

/** The model's own graph, which gives these tensors too. */
async function openSession({ file }: Model, tensors: readonly string[], threads: number) {
  const type = create(TypeSchema, { tensorType: create(Type_TensorTypeSchema, { elemType: FLOAT }) });
  const output = tensors.map((name) => create(ValueInfoSchema, { name, type }));
  try {
    const { bytes, externalData } = sessionOf({ ...file, graph: { ...file.graph, output } });
    return await onnxruntimeNode().InferenceSession.create(bytes, {
      ...sessionOptions,
      externalData,
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
    });
  } catch (cause) {
    throw new CritmapError('ERR_MODEL', `ONNX Runtime cannot load ${file.path}: ${messageOf(cause)}`, {
      cause,
    });
  }
}
