/**
 * The fast engine: cuts the model so that nothing before a reset layer is computed twice, and lets the native
 * machine run the plan, several batches at a time. What it computes is what the reference engine computes.
 */
import { setImmediate } from 'node:timers/promises';
import type { Cell } from '../design/cells.js';
import { drawOf } from '../design/slices.js';
import { CritmapError, messageOf } from '../errors.js';
import { usableMemory } from '../machine.js';
import type { Model } from '../model/model.js';
import { cudaLayout, cudnnSearch } from '../native/cards.js';
import { onnxruntimeLibrary } from '../native/engine.js';
import { isDeviceFull, isDeviceLost, nativeEngine } from '../native/open-engine.js';
import type { Tensor } from '../onnx/onnx_pb.js';
import { dimensions, floats } from '../onnx/tensors.js';
import { keysOf } from '../plan/keys.js';
import { fittingThreads, heldBytes } from '../plan/memory.js';
import { planProblem, planSweep, type SweepPlan, type SweepPlanOptions } from '../plan/plan-sweep.js';
import { type Batches, keptLogits, keysOfSlices, rowsOf, runBatches } from './batches.js';
import { planOnCards, roomOn, slicesOf } from './card-plan.js';
import type { Chunk } from './chunk.js';
import { behindBlank, imagesOf } from './chunk.js';
import type { Engine, EngineOptions, ResultSink } from './engine.js';
import { CROSSED, refuseLabels } from './engine.js';

/** @throws CritmapError (ERR_MODEL) when the graph cannot be planned, ERR_NATIVE when the runtime fails */
export async function openFastEngine(model: Model, options: EngineOptions): Promise<Engine> {
  const { cells, cards, signal } = options;
  const size = { ...options.size, channels: model.io.channels };
  const { plan, batch } = await planned(model, { ...options, size }).catch((error) => {
    signal?.throwIfAborted();
    const code = error instanceof CritmapError ? error.code : 'ERR_MODEL';
    const why = planProblem(error);
    const message = why.startsWith(model.file.path) ? why : `${model.file.path}: ${why}`;
    throw new CritmapError(code, message, { cause: error });
  });
  const { classes, program, keyed } = plan;
  const slices = plan.slices ?? 1;
  const { context, design = CROSSED } = options;
  const keysIn = (slice: number) => keysOf(keyed, context.seed, (cell) => drawOf(design, cell, slice));
  // On a processor batches are not longer than slices anyway.
  const batches: Batches = { batch, slices: cards ? plan.slices : slices, keysIn };
  // A card's memory is its own.
  const threads = cards
    ? options.threads
    : fittingThreads(heldBytes(model.file, plan.workerBytes), usableMemory(), options.threads);
  const engine = openNative({ ...options, threads });
  const close = () => void engine.close();
  signal?.addEventListener('abort', close, { once: true });
  try {
    await addSessions(engine, plan, threads, signal);
    await engine.load(program);
  } catch (error) {
    await engine.close();
    signal?.throwIfAborted();
    throw failure(model, error);
  } finally {
    signal?.removeEventListener('abort', close);
  }

  /** Images of cells that were computed for no sink. */
  let besides = 0;
  return {
    name: 'fast',
    batch,
    async original(chunk: Chunk, count: number) {
      try {
        const logits = Float32Array.from(await engine.logits(imagesOf(chunk, 0, count), count));
        return { logits, classes };
      } catch (error) {
        throw failure(model, error);
      }
    },
    async changed(chunk: Chunk, count: number, cell: Cell, slice: number) {
      try {
        const keys = keysOfSlices(keysIn, new Array(slices).fill(slice), slices);
        // In the second slice of a batch, since the first is where a batch begins too.
        const before = slices > 1 ? batch / slices : 0;
        const images = behindBlank(imagesOf(chunk, 0, count), count, before);
        const found = await engine.logits(images, before + count, cell.index, keys);
        besides += before + count;
        return { logits: Float32Array.from(found.subarray(before * classes)), classes };
      } catch (error) {
        throw failure(model, error);
      }
    },
    graph: plan.source.optimised ? 'runtime' : 'model',
    async evaluate(chunk: Chunk, wanted: readonly Cell[], sink: ResultSink, signal?: AbortSignal) {
      signal?.throwIfAborted();
      refuseLabels(model, chunk.labels, classes);
      const active = new Uint8Array(cells.length);
      for (const cell of wanted) active[cell.index] = 1;
      const timer = setInterval(() => sink.computed?.(engine.stats().computed - besides), PROGRESS_MS);
      const onAbort = () => engine.cancel();
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        const { wantsLogits = false } = sink;
        const rows = await runBatches(engine, chunk, batches, active, wantsLogits);
        const logitsOf = (index: number) =>
          wantsLogits
            ? () => ({ logits: keptLogits(rows, index, cells.length + 1, classes), classes })
            : undefined;
        // From here on the cells count themselves.
        clearInterval(timer);
        signal?.throwIfAborted();
        await sink.original(rowsOf(rows, 0, chunk), logitsOf(0));
        const put: Promise<unknown>[] = [];
        let failed: { error: unknown } | undefined;
        for (const [i, cell] of wanted.entries()) {
          if (i % CELLS_A_TURN === 0) await setImmediate();
          const at = cell.index + 1;
          const kept = Promise.resolve(sink.cell(cell, rowsOf(rows, at, chunk), logitsOf(at)));
          // At once: one that fails while others are put together would count as unhandled.
          put.push(kept.catch((error) => (failed ??= { error })));
        }
        // All must have ended before the sweep may close its journal, also when one fails.
        await Promise.all(put);
        if (failed) throw failed.error;
      } catch (error) {
        signal?.throwIfAborted();
        const { code } = error as NodeJS.ErrnoException;
        throw NATIVE.has(code) ? failure(model, error) : error;
      } finally {
        clearInterval(timer);
        signal?.removeEventListener('abort', onAbort);
      }
    },
    seconds: () => engine.stats().seconds,
    close: () => engine.close(),
  };
}

type Planning = EngineOptions & { size: SweepPlanOptions['size'] };

async function planned(model: Model, options: Planning): Promise<{ plan: SweepPlan; batch: number }> {
  const { cards, precision, smallerBatch = false, pixels = true } = options;
  const { imagesPerDraw } = options.design ?? CROSSED;
  if (cards) {
    return planOnCards(model, { ...options, smallerBatch, pixels, imagesPerDraw }, roomOn(cards));
  }
  const batch = model.io.batch ?? options.batch;
  // What ONNX Runtime makes of a graph for a processor is in float32.
  const graph = precision === 'fp16' ? 'model' : options.graph;
  const slices = options.limits && slicesOf(batch, imagesPerDraw);
  return { plan: await planSweep(model, { ...options, batch, graph, slices }), batch };
}

/** What the native engine says of a batch that failed. */
const NATIVE: ReadonlySet<string | undefined> = new Set([
  'ERR_ONNXRUNTIME',
  'ERR_DEVICE_FULL',
  'ERR_DEVICE_LOST',
]);

/** Cells whose rows are put together between two turns of the event loop. */
const CELLS_A_TURN = 16;

/** What the runtime or a card said, as the failure of this model. */
function failure(model: Model, error: unknown): CritmapError {
  const remedy = isDeviceLost(error) ? LOST : isDeviceFull(error) ? FULL : '';
  return new CritmapError('ERR_NATIVE', `${model.file.path}: ${messageOf(error)}${remedy}`, { cause: error });
}

/** What is to be done about a card that this process cannot use any more. */
const LOST = '; what is complete is kept, repeat the command to go on';

/** The same where its memory does not suffice, after all. */
const FULL = '; give a smaller --batch, fewer --layers at a time, or another card';

/** @throws CritmapError (ERR_NATIVE) when a card or its ONNX Runtime cannot compute */
function openNative({ cards, precision, threads }: EngineOptions): NativeEngine {
  const library = onnxruntimeLibrary();
  if (cards === undefined) return nativeEngine.open({ library, threads });
  const chosen = { cudnnSearch: cudnnSearch(), layout: cudaLayout() };
  try {
    return nativeEngine.open({
      ...{ library, threads, cards, ...chosen },
      ...(precision !== undefined && { precision }),
    });
  } catch (error) {
    const remedy = isDeviceLost(error) ? LOST : '';
    throw new CritmapError('ERR_NATIVE', `${messageOf(error)}${remedy}`, { cause: error });
  }
}

/** Between two looks at how far the workers are. */
const PROGRESS_MS = 100;

type NativeEngine = ReturnType<typeof nativeEngine.open>;

/** All sessions of a plan, some at once, in the order of their numbers. */
async function addSessions(
  engine: NativeEngine,
  { sessions, source }: SweepPlan,
  threads: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const values = new Map<Tensor, Float32Array>();
  const valuesOf = (tensor: Tensor) => {
    const found = values.get(tensor) ?? floats(tensor);
    values.set(tensor, found);
    return found;
  };
  const making = new Set<Promise<unknown>>();
  const pending: Promise<unknown>[] = [];
  for (const { name, constantConvolutions, extract } of sessions) {
    signal?.throwIfAborted();
    if (making.size >= threads) await Promise.race(making);
    await setImmediate();
    const { bytes, shared } = extract();
    await engine.addConstants(shared.map(valuesOf));
    const externals = shared.map((tensor) => ({
      name: tensor.name,
      values: valuesOf(tensor),
      dims: dimensions(tensor),
    }));
    const made = engine.addSession(bytes, name, {
      ...{ optimise: !source.optimised, constantConvolutions, externals },
    });
    making.add(made);
    // A failure is met when all are awaited.
    made.catch(() => {}).finally(() => making.delete(made));
    pending.push(made);
  }
  await Promise.all(pending);
}
