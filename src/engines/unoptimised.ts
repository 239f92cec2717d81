/**
 * The runtime is checked too: what it optimises a model to must be the model. An engine's original logits are those
 * of the graph as it is, on a few images, or a sweep ends before it begins.
 */
import { CritmapError, messageOf } from '../errors.js';
import type { Model } from '../model/model.js';
import type { Precision } from '../native/cards.js';
import { onnxruntimeLibrary } from '../native/engine.js';
import { nativeEngine } from '../native/open-engine.js';
import { dimensions, FLOAT, floats } from '../onnx/tensors.js';
import { dataflowOf } from '../plan/dataflow.js';
import { extract } from '../plan/extract.js';
import { type Chunk, imagesOf } from './chunk.js';
import type { Engine, Logits } from './engine.js';

/** Images that are compared: a fault of the optimiser changes all of them, or nearly. */
const CHECKED_IMAGES = 4;

/** Relative to a row's largest logit; TF32 and float16 have 10 bits of fraction, dozens of layers lose some. */
const TOLERANCE: Record<Precision, number> = { fp32: 1e-3, tf32: 0.05, fp16: 0.05 };

/**
 * @param chunk the first images; null where there is nothing to compute
 * @returns warnings: that the check could not be made
 * @throws CritmapError (ERR_MODEL) when the logits differ; the signal's reason
 */
export async function checkOptimised(
  model: Model,
  engine: Engine,
  chunk: Chunk | null,
  settings: { batch: number; threads: number; precision?: Precision | undefined },
  signal?: AbortSignal,
): Promise<string[]> {
  if (!chunk) return [];
  const { batch, threads, precision = 'fp32' } = settings;
  const count = Math.min(CHECKED_IMAGES, chunk.count, model.io.batch ?? batch);
  signal?.throwIfAborted();
  const found = await engine.original(chunk, count);
  let expected: Float32Array;
  try {
    expected = await unoptimised(model, chunk, { count, classes: found.classes, threads }, signal);
  } catch (error) {
    signal?.throwIfAborted();
    return [
      `${model.file.path}: ONNX Runtime runs it only as it optimises it, which could not be checked therefore: ${messageOf(error)}`,
    ];
  }
  const far = furthest(found, expected);
  if (far.distance <= TOLERANCE[precision]) return [];
  const other = engine.name === 'fast' ? 'Try --engine reference, which is checked too, or export' : 'Export';
  throw new CritmapError(
    'ERR_MODEL',
    `${model.file.path}: ONNX Runtime's optimiser makes another model of it: on image ${far.image} the logit of class ${far.class} is ${far.found}, without optimising ${far.expected}. ${other} it in another way or with another opset, and please report it to critmap`,
  );
}

/** The logits of the graph as it is, in the thread pool of an engine of its own. */
async function unoptimised(
  { file, io }: Model,
  chunk: Chunk,
  { count, classes, threads }: { count: number; classes: number; threads: number },
  signal?: AbortSignal,
): Promise<Float32Array> {
  const { proto, graph } = file;
  const batch = io.batch ?? 1;
  const flow = dataflowOf(graph, io.input, io.output);
  const shapes = {
    images: { type: FLOAT, dims: [batch, io.channels, chunk.height, chunk.width] },
    logits: { type: FLOAT, dims: [batch, classes] },
  };
  const part = {
    nodes: flow.steps.filter(({ dynamic }) => dynamic).map(({ node }) => node),
    inputs: [io.input],
    outputs: [io.output],
  };
  // Weights that lie beside the graph are copied a few at a time, and not twice.
  const { bytes, shared } = extract({ proto, graph, apart: true }, flow, part, (name) =>
    name === io.input ? shapes.images : shapes.logits,
  );
  const engine = nativeEngine.open({ library: onnxruntimeLibrary(), threads: Math.min(threads, count) });
  const close = () => void engine.close();
  signal?.addEventListener('abort', close, { once: true });
  try {
    const externals = shared.map((tensor) => ({
      name: tensor.name,
      values: floats(tensor),
      dims: dimensions(tensor),
    }));
    await engine.addConstants(externals.map(({ values }) => values));
    await engine.addSession(bytes, 'whole model', { optimise: false, externals });
    await engine.load({
      slots: [shapes.images, shapes.logits],
      constants: [],
      input: 0,
      logits: 1,
      cells: 0,
      steps: [{ kind: 'run', session: 0, inputs: [0], outputs: [1] }],
    });
    const starts = Array.from({ length: Math.ceil(count / batch) }, (_, i) => i * batch);
    const rows = starts.map((from) => {
      const to = Math.min(count, from + batch);
      return engine.logits(imagesOf(chunk, from, to), to - from);
    });
    return Float32Array.from((await Promise.all(rows)).flatMap((values) => [...values]));
  } finally {
    signal?.removeEventListener('abort', close);
    await engine.close();
  }
}

/** The largest difference, relative to the largest of its row; what is not finite must be the same. */
export function furthest({ logits, classes }: Logits, expected: Float32Array) {
  let far = { distance: 0, image: 0, class: 0, found: 0, expected: 0 };
  for (let from = 0; from < expected.length; from += classes) {
    const row = expected.subarray(from, from + classes);
    const size = Math.max(...row.map((value) => (Number.isFinite(value) ? Math.abs(value) : 0)));
    for (const [c, wanted] of row.entries()) {
      const found = logits[from + c] ?? Number.NaN;
      if (Object.is(found, wanted) || found === wanted) continue;
      const difference = Math.abs(found - wanted);
      // What cannot be compared is as far as can be.
      const distance = Number.isFinite(difference) ? difference / size : Number.POSITIVE_INFINITY;
      if (distance > far.distance)
        far = { distance, image: from / classes, class: c, found, expected: wanted };
    }
  }
  return far;
}
