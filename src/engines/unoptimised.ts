/**
 * The model's own graph, node by node as its file has it, in the thread pool of an engine of its own: what an
 * engine's plan, and what ONNX Runtime makes of a graph, are held against.
 */
import type { Model } from '../model/model.js';
import { onnxruntimeLibrary } from '../native/engine.js';
import { nativeEngine } from '../native/open-engine.js';
import { indexGraph } from '../onnx/graph.js';
import { dimensions, FLOAT, floats } from '../onnx/tensors.js';
import { dataflowOf } from '../plan/dataflow.js';
import { extract } from '../plan/extract.js';
import { type Chunk, imagesOf } from './chunk.js';

export interface Unoptimised {
  /**
   * Count x classes logits of a chunk's first images.
   * @param values of the parameters that it was opened with; default the trained ones
   */
  logits(chunk: Chunk, count: number, values?: ReadonlyMap<string, Float32Array>): Promise<Float32Array>;
  close(): Promise<void>;
}

export interface UnoptimisedOptions {
  /** Of the images, in pixels. */
  size: { height: number; width: number };
  classes: number;
  threads: number;
  /** Stored tensors whose values may be others. */
  parameters: readonly string[];
  signal?: AbortSignal | undefined;
}

/** @throws Error when the runtime cannot run the graph as it is; it is closed when the signal aborts */
export async function openUnoptimised(model: Model, options: UnoptimisedOptions): Promise<Unoptimised> {
  const { file, io } = model;
  const { size, classes, threads, parameters, signal } = options;
  const { proto, graph } = file;
  const batch = io.batch ?? 1;
  const flow = dataflowOf(graph, io.input, io.output);
  const floatsOf = (dims: number[]) => ({ type: FLOAT, dims });
  const images = floatsOf([batch, io.channels, size.height, size.width]);
  const logits = floatsOf([batch, classes]);
  const { tensors } = indexGraph(graph);
  const own = new Map(
    parameters.map((name) => {
      const tensor = tensors.get(name);
      if (!tensor) throw new RangeError(`${file.path} has no stored tensor named ${name}`);
      return [name, floatsOf(dimensions(tensor))];
    }),
  );
  const part = {
    nodes: flow.steps.filter(({ dynamic }) => dynamic).map(({ node }) => node),
    inputs: [io.input, ...parameters],
    outputs: [io.output],
  };
  // Weights that lie beside the graph are copied a few at a time, and not twice.
  const { bytes, shared } = extract({ proto, graph, apart: true }, flow, part, (name) =>
    name === io.input ? images : (own.get(name) ?? logits),
  );
  const engine = nativeEngine.open({ library: onnxruntimeLibrary(), threads });
  const close = () => engine.close();
  const onAbort = () => void close();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const externals = shared.map((tensor) => ({
      name: tensor.name,
      values: floats(tensor),
      dims: dimensions(tensor),
    }));
    await engine.addConstants(externals.map(({ values }) => values));
    await engine.addSession(bytes, 'whole model', { optimise: false, externals });
  } catch (error) {
    signal?.removeEventListener('abort', onAbort);
    await close();
    throw error;
  }
  return {
    async logits(chunk, count, values = new Map()) {
      const constants = parameters.map((name) => values.get(name) ?? model.values(name));
      const slots = parameters.map((_, i) => 2 + i);
      await engine.load({
        slots: [images, logits, ...own.values()],
        constants,
        input: 0,
        logits: 1,
        cells: 0,
        steps: [
          // The constant itself: all of what was copied stays.
          ...slots.map((slot, i) => ({
            ...{ kind: 'reset' as const, slot, source: i },
            rule: { kind: 'interpolate' as const, donor: i, alpha: 1 },
          })),
          { kind: 'run', session: 0, inputs: [0, ...slots], outputs: [1] },
        ],
      });
      const starts = Array.from({ length: Math.ceil(count / batch) }, (_, i) => i * batch);
      const rows = starts.map((from) => {
        const to = Math.min(count, from + batch);
        return engine.logits(imagesOf(chunk, from, to), to - from);
      });
      return Float32Array.from((await Promise.all(rows)).flatMap((row) => [...row]));
    },
    async close() {
      signal?.removeEventListener('abort', onAbort);
      await close();
    },
  };
}
