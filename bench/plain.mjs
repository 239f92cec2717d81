/**
 * What the fast engine's speed is measured against: an unmodified session of onnxruntime-node, which takes the
 * images batch by batch through the whole model with all cores.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { peakBytes } from './child.mjs';

// Read when the first session is made.
process.env.ORT_DISABLE_TELEMETRY = '1';

/** @returns what takes `count` images (N x C x H x W floats) through the model */
export async function openPlain({ graph, threads, batch, shape }) {
  const session = await InferenceSession.create(graph, { intraOpNumThreads: threads });
  const [input] = session.inputNames;
  const { channels, height, width } = shape;
  const length = channels * height * width;
  return async (images, count) => {
    for (let from = 0; from < count; from += batch) {
      const rows = Math.min(batch, count - from);
      const data = images.subarray(from * length, (from + rows) * length);
      await session.run({ [input]: new Tensor('float32', data, [rows, channels, height, width]) });
    }
  };
}

/** The peak of a process that does nothing else. */
export async function plainPeak(task) {
  const { batch, shape } = task;
  const run = await openPlain(task);
  const images = new Float32Array(2 * batch * shape.channels * shape.height * shape.width);
  await run(images, 2 * batch);
  return peakBytes();
}
