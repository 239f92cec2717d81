/**
 * The reference engine: the published algorithm through the public onnxruntime-node API. For every cell it
 * patches the weights, or puts a shortcut into the graph, builds a new session and runs the whole model over all images. Slow and plain on
 * purpose: it is what faster engines are checked against.
 */
import { setImmediate } from 'node:timers/promises';
import type { InferenceSession } from 'onnxruntime-node';
import type { Cell } from '../design/cells.js';
import { drawOf, isCrossed, type SliceDesign, type SlicePart } from '../design/slices.js';
import { CritmapError, messageOf } from '../errors.js';
import type { Model } from '../model/model.js';
import { storedValues } from '../model/targets.js';
import { native } from '../native/addon.js';
import { columns, ImageRows } from '../native/columns.js';
import type { EngineSeconds } from '../native/engine.js';
import { onnxruntimeNode } from '../native/onnxruntime-node.js';
import { sessionOptions } from '../native/session-options.js';
import { sessionOf } from '../onnx/file.js';
import { rewired } from '../onnx/rewire.js';
import { isActivation } from '../resets/activation.js';
import { isRandom, replacementIn } from '../resets/kinds.js';
import { resetLayer } from '../resets/reset.js';
import type { Chunk } from './chunk.js';
import { floatsOf, slicesIn } from './chunk.js';
import {
  CROSSED,
  type Engine,
  type EngineOptions,
  type Logits,
  type ResultSink,
  refuseLabels,
} from './engine.js';

export async function openReferenceEngine(model: Model, options: EngineOptions): Promise<Engine> {
  // A model that ONNX Runtime refuses should say so before any work is done, and this session is needed anyway.
  const original = await openSession(model, new Map(), options.threads);
  const { context, design = CROSSED, threads } = options;
  const spent: EngineSeconds = { upload: 0, reset: 0, inference: 0, metrics: 0 };
  const timed = async <T>(stage: keyof EngineSeconds, work: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    try {
      return await work();
    } finally {
      spent[stage] += (performance.now() - started) / 1000;
    }
  };
  const batch = model.io.batch ?? options.batch;
  const forward = (session: InferenceSession, chunk: Chunk, signal?: AbortSignal, part?: SlicePart) =>
    timed('inference', () => runChunk(model, session, chunk, batch, signal, part));
  const compared = (expected: Logits, changed: Logits, labels: Int32Array | undefined) =>
    timed('metrics', () => compare(expected, changed, labels));

  /** A session with the weights of the draw that a slice has. */
  const resetSession = (cell: Cell, slice: number) =>
    timed('reset', async () => {
      if (isActivation(cell.reset)) {
        const file = rewired(model.file, replacementIn(context, cell));
        return openSession({ ...model, file }, new Map(), threads);
      }
      const draw = drawOf(design, cell, slice);
      const { tensors } = await resetLayer(model, cell.layer, cell.reset, draw, context);
      return openSession(model, storedValues(model, tensors), threads);
    });

  /** A cell's logits: for every draw that the chunk's slices have, a session with its weights. */
  const changedLogits = async (cell: Cell, chunk: Chunk, signal?: AbortSignal): Promise<Logits> => {
    const parts: Logits[] = [];
    for (const part of partsByDraw(design, cell, chunk)) {
      const session = await resetSession(cell, part.slice);
      try {
        parts.push(await forward(session, chunk, signal, part));
      } finally {
        await session.release();
      }
    }
    return joined(parts);
  };

  return {
    name: 'reference',
    batch,
    graph: 'model',
    async original(chunk: Chunk, count: number) {
      const images = floatsOf(chunk, 0, count);
      const logits = await timed('inference', () =>
        runBatch(model, original, images, count, [chunk.height, chunk.width]),
      );
      return { logits, classes: logits.length / count };
    },
    async changed(chunk: Chunk, count: number, cell: Cell, slice: number) {
      const session = await resetSession(cell, slice);
      try {
        const images = floatsOf(chunk, 0, count);
        const logits = await timed('inference', () =>
          runBatch(model, session, images, count, [chunk.height, chunk.width]),
        );
        return { logits, classes: logits.length / count };
      } finally {
        await session.release();
      }
    },
    async evaluate(chunk: Chunk, cells: readonly Cell[], sink: ResultSink, signal?: AbortSignal) {
      const expected = await forward(original, chunk, signal);
      const { labels } = chunk;
      refuseLabels(model, labels, expected.classes);
      const given = (logits: Logits) => (sink.wantsLogits ? () => logits : undefined);
      await sink.original(await compared(expected, expected, labels), given(expected));
      for (const cell of cells) {
        signal?.throwIfAborted();
        const changed = await changedLogits(cell, chunk, signal);
        await sink.cell(cell, await compared(expected, changed, labels), given(changed));
      }
    },
    seconds: () => ({ ...spent }),
    close: () => original.release(),
  };
}

/** Slices of one draw together. */
function partsByDraw(design: SliceDesign, { layer, reset }: Cell, chunk: Chunk): readonly SlicePart[] {
  return isRandom(reset, layer) && !isCrossed(design)
    ? slicesIn(chunk)
    : [{ slice: 0, from: 0, to: chunk.count }];
}

function joined(parts: readonly Logits[]): Logits {
  const [first] = parts;
  if (first && parts.length === 1) return first;
  const logits = new Float32Array(parts.reduce((sum, part) => sum + part.logits.length, 0));
  let at = 0;
  for (const part of parts) {
    logits.set(part.logits, at);
    at += part.logits.length;
  }
  return { logits, classes: first?.classes ?? 0 };
}

async function openSession(
  model: Model,
  replaced: ReadonlyMap<string, Float32Array>,
  threads: number,
): Promise<InferenceSession> {
  try {
    const { bytes, externalData } = sessionOf(model.file, replaced);
    return await onnxruntimeNode().InferenceSession.create(bytes, {
      ...sessionOptions,
      externalData,
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
    });
  } catch (error) {
    if (error instanceof CritmapError) throw error;
    throw new CritmapError('ERR_MODEL', `ONNX Runtime cannot load ${model.file.path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The addon's comparison, put into rows as the fast engine has them. */
async function compare(
  original: Logits,
  changed: Logits,
  labels: Int32Array | undefined,
): Promise<ImageRows> {
  const { logits, classes } = original;
  const found = await native().compareAsync(logits, changed.logits, classes, labels);
  const named = { ...found, invalid: found.invalidRows };
  const rows = new Float64Array(found.images * columns.length).fill(Number.NaN);
  for (const [c, { name }] of columns.entries()) {
    const values = named[name];
    if (values) for (let i = 0; i < found.images; i++) rows[i * columns.length + c] = values[i]!;
  }
  return new ImageRows([{ rows, first: 0, count: found.images }], labels !== undefined);
}

/** The model's logits for images [from, to) of a chunk, batch by batch. */
async function runChunk(
  model: Model,
  session: InferenceSession,
  chunk: Chunk,
  batch: number,
  signal?: AbortSignal,
  { from: first, to }: Pick<SlicePart, 'from' | 'to'> = { from: 0, to: chunk.count },
): Promise<Logits> {
  let logits = new Float32Array(0);
  let classes = 0;
  for (let from = first; from < to; from += batch) {
    // run() holds the event loop; a turn of it lets signals and progress through.
    await setImmediate();
    signal?.throwIfAborted();
    const count = Math.min(batch, to - from);
    const images = floatsOf(chunk, from, from + count);
    const rows = await runBatch(model, session, images, count, [chunk.height, chunk.width]);
    if (from === first) {
      classes = rows.length / count;
      logits = new Float32Array((to - first) * classes);
    }
    logits.set(rows, (from - first) * classes);
  }
  return { logits, classes };
}

/** One call of the model: count x classes logits. A graph with a fixed batch size gets zeros for the rest. */
async function runBatch(
  model: Model,
  session: InferenceSession,
  images: Float32Array,
  count: number,
  size: readonly [height: number, width: number],
): Promise<Float32Array> {
  const { input, output, channels, batch } = model.io;
  const rows = batch ?? count;
  let data = images;
  if (rows > count) {
    data = new Float32Array((images.length / count) * rows);
    data.set(images);
  }
  let result: InferenceSession.ReturnType;
  try {
    const { Tensor } = onnxruntimeNode();
    const feeds = { [input]: new Tensor('float32', data, [rows, channels, ...size]) };
    result = await session.run(feeds, [output]);
  } catch (error) {
    throw new CritmapError('ERR_MODEL', `${model.file.path} failed on images: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const tensor = result[output];
  if (!(tensor?.data instanceof Float32Array) || tensor.dims.length !== 2 || tensor.dims[0] !== rows) {
    throw new CritmapError(
      'ERR_MODEL',
      `${model.file.path}: the output ${output} is ${tensor?.type} [${tensor?.dims.join(', ')}] for ${rows} images; critmap needs float32 logits, N x classes`,
    );
  }
  return tensor.data.subarray(0, count * (tensor.dims[1] ?? 0));
}
