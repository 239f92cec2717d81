/**
 * The fast engine: cuts the model so that nothing before a reset layer is computed twice, and lets the native
 * machine run the plan, several batches at a time. What it computes is what the reference engine computes.
 */
import type { Chunk, Engine, EngineOptions, ResultSink } from './engine.js';
import { CritmapError, messageOf } from './errors.js';
import type { Model } from './model.js';
import type { Comparison } from './native.js';
import { nativeEngine, onnxruntimeLibrary, rowColumns } from './native-engine.js';
import type { Cell } from './plan/cells.js';
import { planGraph } from './plan/graph-plan.js';
import { compile } from './plan/program.js';
import { refuseLabels } from './reference.js';
import { replacedTensors } from './reset.js';

/** @throws CritmapError (ERR_MODEL) when the graph cannot be planned, ERR_NATIVE when the runtime fails */
export async function openFastEngine(model: Model, options: EngineOptions): Promise<Engine> {
  const { cells, context, size, threads } = options;
  const batch = model.io.batch ?? options.batch;
  const layers = [...new Set(cells.map((cell) => cell.layer))];
  const replaced = replacedTensors(model, cells, context);
  const { sessions, program, classes } = await planGraph(model, {
    size,
    batch,
    layers,
    parametersOf: (layer) => replaced.get(layer) ?? [],
  })
    .then((plan) => ({
      ...compile({ model, ...plan, cells, context }),
      classes: plan.shapes.get(model.io.output)?.dims[1] ?? 0,
    }))
    .catch((error) => {
      throw new CritmapError(
        'ERR_MODEL',
        `${model.file.path} cannot be cut for the fast engine (${messageOf(error)}); --engine reference runs it whole`,
        { cause: error },
      );
    });
  const engine = nativeEngine.open({ library: onnxruntimeLibrary(), threads });
  try {
    // Sessions of one graph each; the engine makes several at once and numbers them as they were asked for.
    await Promise.all(sessions.map(({ bytes, name }) => engine.addSession(bytes, name)));
    await engine.load(program);
  } catch (error) {
    await engine.close();
    throw new CritmapError('ERR_NATIVE', `${model.file.path}: ${messageOf(error)}`, { cause: error });
  }

  return {
    name: 'fast',
    async evaluate(chunk: Chunk, wanted: readonly Cell[], sink: ResultSink, signal?: AbortSignal) {
      signal?.throwIfAborted();
      refuseLabels(model, chunk.labels, classes);
      const active = new Uint8Array(cells.length);
      for (const cell of wanted) active[cell.index] = 1;
      const onAbort = () => engine.cancel();
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        const rows = await runBatches(engine, chunk, batch, active);
        await sink.original(comparisonOf(rows, 0, chunk));
        for (const cell of wanted) await sink.cell(cell, comparisonOf(rows, cell.index + 1, chunk));
      } catch (error) {
        signal?.throwIfAborted();
        throw error;
      } finally {
        signal?.removeEventListener('abort', onAbort);
      }
    },
    close: () => engine.close(),
  };
}

type NativeEngine = ReturnType<typeof nativeEngine.open>;

/** One batch's results: (cells + 1) x count x columns. */
interface BatchRows {
  from: number;
  count: number;
  rows: Float64Array;
}

/** All batches of a chunk, as many at a time as the engine has workers. */
async function runBatches(
  engine: NativeEngine,
  chunk: Chunk,
  batch: number,
  active: Uint8Array,
): Promise<BatchRows[]> {
  const imageLength = chunk.images.length / chunk.count;
  const batches: Promise<BatchRows>[] = [];
  for (let from = 0; from < chunk.count; from += batch) {
    const count = Math.min(batch, chunk.count - from);
    const images = chunk.images.subarray(from * imageLength, (from + count) * imageLength);
    const labels = chunk.labels?.subarray(from, from + count);
    batches.push(engine.execute(images, count, labels, active).then((rows) => ({ from, count, rows })));
  }
  // All must have ended before the chunk's images may be reused, also when one fails.
  const ended = await Promise.allSettled(batches);
  const failed = ended.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return ended.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** The rows of one cell over the whole chunk, as the native comparison gives them. */
function comparisonOf(batches: readonly BatchRows[], index: number, chunk: Chunk): Comparison {
  const columns = rowColumns.map(() => new Float64Array(chunk.count));
  for (const { from, count, rows } of batches) {
    for (let i = 0; i < count; i++) {
      const at = (index * count + i) * rowColumns.length;
      for (const [c, column] of columns.entries()) column[from + i] = rows[at + c] ?? Number.NaN;
    }
  }
  const column = (name: (typeof rowColumns)[number]) => columns[rowColumns.indexOf(name)] as Float64Array;
  const agree = Uint8Array.from(column('agree'));
  const invalidRows = Uint8Array.from(column('invalid'));
  const sum = (values: Uint8Array) => values.reduce((total, value) => total + value, 0);
  return {
    images: chunk.count,
    agreement: sum(agree),
    invalid: sum(invalidRows),
    cosine: column('cosine'),
    l1: column('l1'),
    l2: column('l2'),
    kl: column('kl'),
    js: column('js'),
    agree,
    invalidRows,
    publishedCrossEntropy: column('publishedCrossEntropy'),
    ...(chunk.labels && {
      top1: Uint8Array.from(column('top1')),
      top5: Uint8Array.from(column('top5')),
      loss: column('loss'),
    }),
  };
}
