/** Where a program's tensors lie in the memory of a worker. */
import type { EngineProgram, EngineSlot } from '../native/engine.js';
import type { TensorShape } from '../onnx/value-info.js';
import { smallest } from '../statistics/extremes.js';
import { aligned, type Life, shareStorage } from './storage.js';

/** Of a tensor. */
export const bytesOf = ({ type, dims }: TensorShape): number =>
  elementBytes(type) * dims.reduce((product, d) => product * d, 1);

/** Rows of another slot. */
export interface View {
  slot: number;
  /** In bytes. */
  offset: number;
}

/**
 * Gives every slot of a program its memory; `bytes` of all together.
 * @param views - by slot: those that lie in another one
 */
export function layOut(
  shapes: readonly TensorShape[],
  { input, logits, steps }: EngineProgram,
  views: ReadonlyMap<number, View> = new Map(),
): { slots: EngineProgram['slots']; bytes: number } {
  const lives = shapes.map((shape) => ({ bytes: bytesOf(shape), first: -1, last: -1 }));
  const use = (slot: number, step: number) => {
    const life = lives[views.get(slot)?.slot ?? slot];
    if (!life) return;
    if (life.first < 0) life.first = step;
    life.last = Math.max(life.last, step);
  };
  use(input, 0);
  // What is done for one slice after the other is one moment: all of it is of the same tensors.
  let [moment, before] = [-1, 0];
  const moments = steps.map((step) => {
    const slice = step.kind === 'compare' ? undefined : step.slice;
    if (slice === undefined || slice < before || moment < 0) moment++;
    before = slice ?? Number.POSITIVE_INFINITY;
    return moment;
  });
  for (const [i, step] of steps.entries()) {
    if (step.kind === 'run') for (const slot of [...step.inputs, ...step.outputs]) use(slot, moments[i]!);
    else use(step.slot, moments[i]!);
  }
  const end = moment + 1;
  // The logits are read by every comparison.
  use(logits, end);
  // What is kept until the end lies together: nothing is gained from placing hundreds of them one by one.
  const kept = new Map<number, number>();
  let keptBytes = 0;
  for (const step of steps.slice(steps.findLastIndex(({ kind }) => kind === 'run') + 1)) {
    if (step.kind !== 'compare' || step.slot === logits || kept.has(step.slot)) continue;
    kept.set(step.slot, keptBytes);
    keptBytes += aligned(lives[step.slot]?.bytes ?? 0);
  }
  const keptLives = [...kept.keys()].map((slot) => lives[slot]?.first ?? 0);
  const block = { bytes: keptBytes, first: smallest(keptLives, end), last: end };
  const apart = lives.map((_, slot) => slot).filter((slot) => !kept.has(slot) && !views.has(slot));
  const places = shareStorage([block, ...apart.map((slot) => lives[slot] as Life)]);
  const { bytes } = places;
  const offsets = lives.map(() => 0);
  for (const [i, slot] of apart.entries()) offsets[slot] = places.offsets[i + 1] ?? 0;
  for (const [slot, offset] of kept) offsets[slot] = (places.offsets[0] ?? 0) + offset;
  const slots = shapes.map(({ type, dims }, i): EngineSlot => {
    const view = views.get(i);
    return { type, dims: [...dims], ...(view ? { view } : { storage: 0, offset: offsets[i] ?? 0 }) };
  });
  return { slots, bytes };
}

/** Bytes of one element of a TensorProto.DataType. */
function elementBytes(type: number): number {
  const bytes: Record<number, number> = {
    1: 4,
    2: 1,
    3: 1,
    4: 2,
    5: 2,
    6: 4,
    7: 8,
    9: 1,
    10: 2,
    11: 8,
    12: 4,
    13: 8,
  };
  const size = bytes[type];
  if (size === undefined) throw new RangeError(`tensors of type ${type} are not supported`);
  return size;
}
