/**
 * Runs an engine program step by step through the public onnxruntime-node API, with the memory that the plan
 * gives every tensor: what the plan means, told without the native engine.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { native } from '../../src/native/addon.js';
import type { ResetRule } from '../../src/native/reset-rule.js';
import {
  type Model,
  ModelSchema,
  type Node,
  NodeSchema,
  type Tensor as StoredTensor,
} from '../../src/onnx/onnx_pb.js';
import { keysOf } from '../../src/plan/keys.js';
import type { SweepPlan } from '../../src/plan/plan-sweep.js';

const FLOAT16 = 10;

const views = {
  1: { type: 'float32', of: (b: ArrayBuffer, at: number, n: number) => new Float32Array(b, at, n) },
  6: { type: 'int32', of: (b: ArrayBuffer, at: number, n: number) => new Int32Array(b, at, n) },
  7: { type: 'int64', of: (b: ArrayBuffer, at: number, n: number) => new BigInt64Array(b, at, n) },
  9: { type: 'bool', of: (b: ArrayBuffer, at: number, n: number) => new Uint8Array(b, at, n) },
  10: { type: 'float16', of: (b: ArrayBuffer, at: number, n: number) => new Uint16Array(b, at, n) },
  11: { type: 'float64', of: (b: ArrayBuffer, at: number, n: number) => new Float64Array(b, at, n) },
} as const;

/**
 * Logits of the original and of every cell for one batch.
 * @param half whether the plan is one in float16
 * @param seed of the draws
 * @param trials draws of a slice
 */
export async function interpret(
  { sessions, program, source, keyed }: SweepPlan,
  images: Float32Array,
  half = false,
  seed = 0,
  trials = 1,
): Promise<{ original: Float32Array; cells: Float32Array[] }> {
  const opened = await Promise.all(
    sessions.map(({ extract, name }) => {
      const { shared, ...extracted } = extract();
      const bytes = half ? rounding(extracted.bytes) : extracted.bytes;
      const options: InferenceSession.SessionOptions = {
        logSeverityLevel: 3,
        intraOpNumThreads: 1,
        graphOptimizationLevel: source.optimised || half ? 'disabled' : 'all',
      };
      return InferenceSession.create(shared.length > 0 ? filledIn(bytes, shared) : bytes, options).catch(
        (error) => {
          throw new Error(`${name}: ${error.message}`);
        },
      );
    }),
  );
  const count = (dims: readonly number[]) => dims.reduce((product, d) => product * d, 1);
  const sizes: number[] = [];
  for (const { dims, storage = 0, offset = 0, view } of program.slots) {
    if (view) continue;
    sizes[storage] = Math.max(sizes[storage] ?? 0, offset + 8 * count(dims));
  }
  // Poisoned, so that a tensor read before it is written shows.
  const buffers = sizes.map((size) => new Uint8Array(size).fill(0xff).buffer);
  const view = (slot: number) => {
    const { type, dims, view: rows } = program.slots[slot] as (typeof program.slots)[number];
    const { storage = 0, offset = 0 } = program.slots[rows?.slot ?? slot] as (typeof program.slots)[number];
    const kind = views[type as keyof typeof views];
    const at = offset + (rows?.offset ?? 0);
    return { kind, dims, data: kind.of(buffers[storage] as ArrayBuffer, at, count(dims)) };
  };
  (view(program.input).data as Float32Array).set(images);

  const keysIn = (slice: number) => keysOf(keyed, seed, ({ trial }) => slice * trials + trial);
  const cells: Float32Array[] = [];
  for (const step of program.steps) {
    if (step.kind === 'reset') {
      const stored = view(step.slot).data as Float32Array;
      const { blocked } = step;
      const data = blocked ? new Float32Array(blocked.outputs * blocked.inputs * blocked.kernel) : stored;
      if (step.source !== undefined) data.set(program.constants[step.source] as Float32Array);
      const { rule, slice = 0 } = step;
      const keys = keysIn(slice);
      const full: ResetRule =
        rule.kind === 'interpolate'
          ? { ...rule, donor: program.constants[rule.donor] as Float32Array }
          : rule.kind === 'blend'
            ? { ...rule, donor: program.constants[rule.donor] as Float32Array, key: keys[rule.key]! }
            : rule.kind === 'quantize'
              ? { ...rule, scales: program.constants[rule.scales] as Float32Array }
              : 'key' in rule
                ? { ...rule, key: keys[rule.key]! }
                : rule;
      const factor = step.factor === undefined ? undefined : program.constants[step.factor];
      native().reset(data, full, { ...(step.layout && { layout: step.layout }), ...(factor && { factor }) });
      const shift = step.shift === undefined ? undefined : program.constants[step.shift];
      if (shift) for (const [i, by] of shift.entries()) data[i] = (data[i] ?? 0) + by;
      if (blocked) native().toBlocked(data, stored, blocked);
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

/** The graph with the tensors that it leaves to others. */
function filledIn(bytes: Uint8Array, shared: readonly StoredTensor[]): Uint8Array {
  const proto = fromBinary(ModelSchema, bytes);
  const stored = new Map(shared.map((tensor) => [tensor.name, tensor]));
  const graph = proto.graph && {
    ...proto.graph,
    initializer: proto.graph.initializer.map((tensor) => stored.get(tensor.name) ?? tensor),
  };
  return toBinary(ModelSchema, { ...proto, ...(graph && { graph }) });
}

/**
 * A float16 graph that rounds on the processor too. Where it has no float16 kernel, ONNX Runtime computes between a
 * cast to float32 and one back, and of two that follow each other, back and to float32 again, it leaves neither: an
 * Identity keeps them apart.
 */
function rounding(bytes: Uint8Array): Uint8Array {
  const proto = fromBinary(ModelSchema, bytes);
  const types = new Map(
    typedNodes(proto).flatMap(({ node, made }) => node.output.map((name) => [name, made])),
  );
  const nodes = (proto.graph?.node ?? []).flatMap((node) => {
    const [name = ''] = node.output;
    if (types.get(name) !== FLOAT16) return [node];
    const exact = node.output.map((output) => `${output} as made`);
    const keep = node.output.map((output, i) =>
      create(NodeSchema, { opType: 'Identity', input: [exact[i] ?? ''], output: [output] }),
    );
    return [{ ...node, output: exact }, ...keep];
  });
  const graph = proto.graph && { ...proto.graph, node: nodes };
  return toBinary(ModelSchema, { ...proto, ...(graph && { graph }) });
}

/** The nodes of a part with the type of their first input and of what they make, TensorProto.DataType. */
export function typedNodes({ graph }: Model): { node: Node; type: number; made: number }[] {
  const types = new Map(graph?.input.map(({ name, type }) => [name, type?.tensorType?.elemType ?? 0]));
  for (const { name, dataType } of graph?.initializer ?? []) types.set(name, dataType);
  return (graph?.node ?? []).map((node) => {
    const type = types.get(node.input[0] ?? '') ?? 0;
    const made = node.opType === 'Cast' ? Number(node.attribute[0]?.i) : type;
    for (const name of node.output) types.set(name, made);
    return { node, type, made };
  });
}
