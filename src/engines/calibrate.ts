/**
 * What replacements of activations come to on some images: means per channel, and how far they are from what is
 * computed. Through the public API of ONNX Runtime, on one thread and image by image (or by the batch that a graph fixes), so that
 * the numbers depend on the images only, and not on how a sweep is computed.
 */
import { setImmediate } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import type { InferenceSession } from 'onnxruntime-node';
import { CritmapError, messageOf } from '../errors.js';
import type { Model } from '../model/model.js';
import { onnxruntimeNode } from '../native/onnxruntime-node.js';
import { sessionOptions } from '../native/session-options.js';
import { encoded } from '../onnx/apart.js';
import { ValueInfoSchema } from '../onnx/onnx_pb.js';
import type { MeasuredReplacement, Replacement } from '../resets/activation.js';
import { type Chunk, floatsOf } from './chunk.js';

/**
 * @param chunk - whole batches, where the model's graph fixes their size
 * @returns in the order of the replacements
 * @throws CritmapError (ERR_MODEL) when the model does not run; the signal's reason
 */
export async function calibrate(
  model: Model,
  replacements: readonly Replacement[],
  chunk: Chunk,
  signal?: AbortSignal,
): Promise<MeasuredReplacement[]> {
  const { input, channels, batch } = model.io;
  const names = [
    ...new Set(replacements.flatMap(({ output, source }) => [output, ...(source === null ? [] : [source])])),
  ].filter((name) => name !== input);
  const session = await openSession(model, names);
  const sums = replacements.map((one) => (one.source === null ? new ChannelSums(one) : new Distance(one)));
  const rows = batch ?? 1;
  try {
    const { Tensor } = onnxruntimeNode();
    for (let from = 0; from < chunk.count; from += rows) {
      // run() holds the event loop.
      await setImmediate();
      signal?.throwIfAborted();
      const dims = [rows, channels, chunk.height, chunk.width];
      const images = new Tensor('float32', floatsOf(chunk, from, from + rows), dims);
      const found = { ...(await session.run({ [input]: images }, names)), [input]: images };
      for (const sum of sums) sum.add((name) => found[name] as Activation);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw new CritmapError('ERR_MODEL', `${model.file.path} failed on images: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    await session.release();
  }
  return sums.map((sum) => sum.measured());
}

async function openSession({ file }: Model, names: readonly string[]): Promise<InferenceSession> {
  const output = names.map((name) => create(ValueInfoSchema, { name }));
  try {
    const { bytes, externalData } = encoded(file.proto, { ...file.graph, output }, file.apart ?? false);
    return await onnxruntimeNode().InferenceSession.create(bytes, {
      ...sessionOptions,
      externalData,
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
    });
  } catch (error) {
    throw new CritmapError('ERR_MODEL', `ONNX Runtime cannot load ${file.path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

interface Activation {
  data: Float32Array;
  dims: readonly number[];
}
type Found = (name: string) => Activation;

/** Sums over all images of a tensor and of what takes its place. */
interface Sums {
  add(found: Found): void;
  measured(): MeasuredReplacement;
}

/** Nothing of nothing is no change, and anything else has no size in proportion to nothing. */
const part = (difference: number, size: number) =>
  difference === 0 ? 0 : size === 0 ? null : Math.sqrt(difference / size);

class Distance implements Sums {
  #difference = 0;
  #size = 0;

  constructor(private readonly replacement: Replacement) {}

  add(found: Found): void {
    const { output, source } = this.replacement;
    const { data } = found(output);
    const { data: instead } = found(source!);
    let [difference, size] = [0, 0];
    for (let i = 0; i < data.length; i++) {
      const value = data[i]!;
      const moved = instead[i]! - value;
      difference += moved * moved;
      size += value * value;
    }
    this.#difference += difference;
    this.#size += size;
  }

  measured(): MeasuredReplacement {
    return { ...this.replacement, mean: null, change: part(this.#difference, this.#size) };
  }
}

/** Of every channel, from its first number: one that never changes then has a variance of exactly zero. */
class ChannelSums implements Sums {
  #from = new Float64Array();
  #sum = new Float64Array();
  #square = new Float64Array();
  #size = 0;
  /** Numbers of a channel. */
  #count = 0;

  constructor(private readonly replacement: Replacement) {}

  add(found: Found): void {
    const { output, axis } = this.replacement;
    const { data, dims } = found(output);
    const channels = dims[axis]!;
    const inner = dims.slice(axis + 1).reduce((product, d) => product * d, 1);
    if (this.#count === 0) {
      this.#from = Float64Array.from({ length: channels }, (_, c) => data[c * inner]!);
      this.#sum = new Float64Array(channels);
      this.#square = new Float64Array(channels);
    }
    this.#count += data.length / channels;
    let size = 0;
    for (let at = 0; at < data.length; ) {
      for (let c = 0; c < channels; c++) {
        const from = this.#from[c]!;
        let [sum, square] = [0, 0];
        for (const end = at + inner; at < end; at++) {
          const value = data[at]!;
          const moved = value - from;
          sum += moved;
          square += moved * moved;
          size += value * value;
        }
        this.#sum[c]! += sum;
        this.#square[c]! += square;
      }
    }
    this.#size += size;
  }

  measured(): MeasuredReplacement {
    const mean = Float32Array.from(this.#from, (from, c) => from + this.#sum[c]! / this.#count);
    const squares = this.#square.map((square, c) => Math.max(0, square - this.#sum[c]! ** 2 / this.#count));
    const difference = squares.reduce((sum, one) => sum + one, 0);
    return { ...this.replacement, mean, change: part(difference, this.#size) };
  }
}
