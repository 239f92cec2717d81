/** What a model answers to the images of the rule, held against what PyTorch answered. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Test } from 'tap';
import type { Model } from '../../src/model/model.js';
import { writeOnnx } from '../../src/onnx/file.js';
import { imagesByRule } from './weight-rule.js';

/** @param shape - of the images, N x C x H x W */
export async function answersTo(model: Model, shape: readonly number[]): Promise<Float32Array> {
  const session = await InferenceSession.create(writeOnnx(model.file), {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const images = new Tensor('float32', imagesByRule(shape), shape);
  const answers = await session.run({ [model.io.input]: images });
  await session.release();
  return answers[model.io.output]?.data as Float32Array;
}

/** Within 1e-5 of the largest logit. */
export function isNear(t: Test, found: Float32Array, expected: readonly (readonly number[])[]): void {
  const wanted = expected.flat();
  t.equal(found.length, wanted.length);
  const far = Math.max(...wanted.map((value, i) => Math.abs(value - found[i]!)));
  const largest = Math.max(...wanted.map(Math.abs));
  t.ok(far <= 1e-5 * largest, `off by ${far} of ${largest}`);
}
