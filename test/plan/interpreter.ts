/**
 * Runs an engine program step by step through the public onnxruntime-node API, with the memory that the plan
 * gives every tensor: what the plan means, told without the native engine.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { native, type ResetRule } from '../../src/native.js';
import type { Compiled } from '../../src/plan/program.js';

const views = {
  1: { type: 'float32', of: (b: ArrayBuffer, n: number) => new Float32Array(b, 0, n) },
  6: { type: 'int32', of: (b: ArrayBuffer, n: number) => new Int32Array(b, 0, n) },
  7: { type: 'int64', of: (b: ArrayBuffer, n: number) => new BigInt64Array(b, 0, n) },
  9: { type: 'bool', of: (b: ArrayBuffer, n: number) => new Uint8Array(b, 0, n) },
  11: { type: 'float64', of: (b: ArrayBuffer, n: number) => new Float64Array(b, 0, n) },
} as const;

/** Logits of the original and of every cell for one batch. */
export async function interpret(
  { sessions, program }: Compiled,
  images: Float32Array,
): Promise<{ original: Float32Array; cells: Float32Array[] }> {
  const opened = await Promise.all(
    sessions.map(({ bytes, name }) =>
      InferenceSession.create(bytes, { logSeverityLevel: 3, intraOpNumThreads: 1 }).catch((error) => {
        throw new Error(`${name}: ${error.message}`);
      }),
    ),
  );
  const count = (dims: readonly number[]) => dims.reduce((product, d) => product * d, 1);
  const sizes: number[] = [];
  for (const { dims, storage } of program.slots) {
    sizes[storage ?? 0] = Math.max(sizes[storage ?? 0] ?? 0, 8 * count(dims));
  }
  // Poisoned, so that a tensor read before it is written shows.
  const buffers = sizes.map((size) => new Uint8Array(size).fill(0xff).buffer);
  const view = (slot: number) => {
    const { type, dims, storage } = program.slots[slot] as (typeof program.slots)[number];
    const kind = views[type as keyof typeof views];
    return { kind, dims, data: kind.of(buffers[storage ?? 0] as ArrayBuffer, count(dims)) };
  };
  (view(program.input).data as Float32Array).set(images);

  const cells: Float32Array[] = [];
  for (const step of program.steps) {
    if (step.kind === 'reset') {
      const data = view(step.slot).data as Float32Array;
      if (step.source !== undefined) data.set(program.constants[step.source] as Float32Array);
      const { rule } = step;
      const full: ResetRule =
        rule.kind === 'interpolate'
          ? { ...rule, donor: program.constants[rule.donor] as Float32Array }
          : rule;
      const factor = step.factor === undefined ? undefined : program.constants[step.factor];
      native().reset(data, full, { ...(step.layout && { layout: step.layout }), ...(factor && { factor }) });
    } else if (step.kind === 'compare') {
      cells[step.cell] = (view(step.slot).data as Float32Array).slice();
    } else {
      const session = opened[step.session] as InferenceSession;
      const feeds = Object.fromEntries(
        step.inputs.map((slot, i) => {
          const { kind, dims, data } = view(slot);
          return [
            session.inputNames[i] as string,
            new Tensor(kind.type as 'float32', data as Float32Array, dims),
          ];
        }),
      );
      const result = await session.run(feeds);
      for (const [i, slot] of step.outputs.entries()) {
        const { data, dims } = view(slot);
        const tensor = result[session.outputNames[i] as string] as Tensor;
        if (tensor.dims.join() !== dims.join())
          throw new Error(`step gives [${tensor.dims}], the slot is [${dims}]`);
        (data as Float32Array).set(tensor.data as Float32Array);
      }
    }
  }
  const original = (view(program.logits).data as Float32Array).slice();
  for (const session of opened) await session.release();
  return { original, cells };
}
