/** Questions about a made network: how many trained elements it has, what it says of an empty image. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Test } from 'tap';
import type { OnnxFile } from '../../src/onnx/file.js';
import { dimensions, elementCount, FLOAT } from '../../src/onnx/tensors.js';

/** As PyTorch counts parameters: BatchNorm's scale and shift, but not its running statistics. */
export function trainedElements(file: OnnxFile): number {
  return file.graph.initializer
    .filter(({ dataType, name }) => dataType === FLOAT && !/^scalar |running_(mean|var)$/.test(name))
    .reduce((sum, tensor) => sum + elementCount(dimensions(tensor)), 0);
}

/** Logits of zeros, N x C x H x W. */
export async function logitsOf(bytes: Uint8Array, dims: readonly number[]): Promise<Float32Array> {
  const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const { logits } = await session.run({
    images: new Tensor('float32', new Float32Array(elementCount(dims)), dims),
  });
  await session.release();
  return logits?.data as Float32Array;
}

/**
 * A small variant takes any batch, and its seed alone decides its bytes.
 * @param options a network over 3 x 32 x 32 images, with its classes and seed
 */
export async function isSeeded<O extends { classes: number; seed: number }>(
  t: Test,
  make: (options: O) => Uint8Array,
  options: O,
): Promise<void> {
  const bytes = make(options);
  t.equal(Buffer.compare(make(options), bytes), 0, 'the same seed, the same bytes');
  t.not(Buffer.compare(make({ ...options, seed: options.seed + 1 }), bytes), 0, 'another seed, others');
  const logits = await logitsOf(bytes, [2, 3, 32, 32]);
  t.equal(logits.length, 2 * options.classes);
  t.ok(logits.every(Number.isFinite));
}
