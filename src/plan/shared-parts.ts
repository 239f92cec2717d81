/**
 * A model cut into parts for shared sessions: segments, each computed whole with its weights as inputs, and entries,
 * where several of a segment's layers begin together. A reset layer, or several, is the segments from its first one on
 * with other weights; the first may begin at an entry. Pure.
 */
import type { Resettable } from '../model/layer-group.js';
import type { Precision } from '../native/cards.js';
import type { Tensor } from '../onnx/onnx_pb.js';
import { FLOAT } from '../onnx/tensors.js';
import type { TensorShape } from '../onnx/value-info.js';
import { type BaseGraph, nodesOf } from './base-graph.js';
import { type Cut, candidateCuts } from './cuts.js';
import { type Dataflow, dependents } from './dataflow.js';
import { type Atom, divide } from './division.js';
import type { Part } from './extract.js';
import { bytesOf } from './lay-out.js';
import type { PlanLimits } from './limits.js';
import { dynamicSteps, type Parts, partsOf, type Replaced, readFromOutside } from './parts.js';
import type { PlacedLayer } from './placed.js';
import { structureOf } from './structure.js';

/** What is computed at once, or the end of it: positions of steps, and names of tensors. */
export interface SharedPart {
  /** Ascending; only those that depend on the image. */
  steps: readonly number[];
  /** Tensors that depend on the image. */
  inputs: readonly string[];
  outputs: readonly string[];
}

export interface SharedSegment extends SharedPart {
  entries: readonly SharedPart[];
  /** Of the outputs, those that only the original run has to give. */
  taps: readonly string[];
}

export interface SharedParts {
  segments: readonly SharedSegment[];
  /** As without sharing; their steps are what they need. */
  parts: Parts;
  /** By layer: what it begins with in its first segment. */
  begins: ReadonlyMap<Resettable, SharedPart>;
  /** The same by the name of a tensor that is replaced. */
  replaces: ReadonlyMap<string, SharedPart>;
  /** Of a batch: what is drawn anew begins slice by slice. 1 where tensors cannot be divided so. */
  slices: number;
}

export interface SharedProblem {
  source: BaseGraph;
  flow: Dataflow;
  shapes: ReadonlyMap<string, TensorShape>;
  /** Of every step, of one image. */
  macs: readonly number[];
  bytesOf: (name: string) => number;
  batch: number;
  limits: PlanLimits & { sessions: number };
  layers: readonly Resettable[];
  parametersOf: (layer: Resettable) => readonly string[];
  replaced: readonly Replaced[];
  /** Of a batch. */
  slices: number;
  /** Of those tensors in which every image has rows of its own, by name; only where there are several slices. */
  imageRows: ReadonlyMap<string, number>;
  /** What tensors other than the logits may be in. */
  precision: Precision | undefined;
  /** Chooses the cuts itself; there are no entries then. */
  choose?: ((candidates: readonly Cut[]) => Cut[]) | undefined;
}

export function sharedParts(problem: SharedProblem): { cuts: Cut[]; shared: SharedParts } {
  const divided = dividedParts(problem);
  const { slices, segments } = divided.shared;
  if (slices === 1) return divided;
  const inSlices = segments.flatMap((segment) => [sliced(segment, segment), ...segment.entries]);
  const areSliceable = inSlices.every(({ inputs, outputs }) =>
    [...inputs, ...outputs].every((name) => isSliceable(problem, name)),
  );
  return areSliceable ? divided : dividedParts({ ...problem, slices: 1 });
}

/** What is run slice by slice of a part of a segment. */
export const sliced = ({ steps, inputs, outputs }: SharedPart, { taps }: SharedSegment): SharedPart => ({
  ...{ steps, inputs },
  outputs: outputs.filter((name) => !taps.includes(name)),
});

/** Whether the rows of a slice are a piece of a tensor, where vector loads may begin. */
function isSliceable(
  { source, shapes, batch, slices, imageRows, precision }: SharedProblem,
  name: string,
): boolean {
  if (slices === 1) return true;
  const { type, dims } = shapes.get(name)!;
  const rows = imageRows.get(name);
  if (rows === undefined || dims[0] !== rows * batch) return false;
  const mayBeHalf = precision === 'fp16' && type === FLOAT && name !== source.output;
  return bytesOf({ type, dims }) % (slices * ALIGNMENT * (mayBeHalf ? 2 : 1)) === 0;
}

const ALIGNMENT = 16;

function dividedParts(problem: SharedProblem): { cuts: Cut[]; shared: SharedParts } {
  const { source, flow, choose, layers, parametersOf, replaced, slices } = problem;
  const candidates = candidateCuts({ flow, output: source.output, optimised: source.optimised });
  const { cuts, entries } = choose
    ? { cuts: choose(candidates), entries: [] }
    : divided(problem, narrowCuts(problem, candidates));
  const parts = partsOf(flow, cuts, layers, parametersOf, replaced);
  const plain = cuts.slice(0, -1).map((cut, i): SharedSegment => {
    const end = cuts[i + 1]!;
    const steps = dynamicSteps(flow, cut.before, end.before);
    const part = (some: readonly number[]): SharedPart => {
      const made = madeBy(flow, some);
      return {
        steps: some,
        inputs: readFromOutside(flow, some),
        outputs: end.live.filter((name) => made.has(name)),
      };
    };
    const found = (entries[i] ?? [])
      .map((starts) => part(behind(flow, steps, starts)))
      .filter((entry) => entry.steps.length < steps.length)
      .filter(({ inputs }) => inputs.every((name) => isSliceable(problem, name)));
    return { ...part(steps), entries: found, taps: [] };
  });
  const wholeOf = ({ steps, inputs, outputs }: SharedPart): SharedPart => ({ steps, inputs, outputs });
  const macsOf = ({ steps }: SharedPart) => steps.reduce((sum, at) => sum + problem.macs[at]!, 0);
  /** The one that computes the least besides what is needed, and takes the tensor that is replaced. */
  const cheapest = (from: readonly SharedPart[], needed: readonly number[], input?: string) =>
    from
      .filter(({ steps, inputs }) => {
        const has = new Set(steps);
        return needed.every((at) => has.has(at)) && (input === undefined || inputs.includes(input));
      })
      .sort((a, b) => macsOf(a) - macsOf(b))[0];
  const replacing = (segments: readonly SharedSegment[]) =>
    new Map(
      parts.activations.map((part) => {
        const segment = segments[part.segment]!;
        const from = [wholeOf(segment), ...segment.entries];
        return [part.output, cheapest(from, part.steps, part.output) ?? wholeOf(part)];
      }),
    );
  // What entries, and those that have a session of their own, read of the original run; and what takes another's place.
  const read = new Set(replaced.flatMap(({ source }) => source ?? []));
  for (const { inputs } of [...plain.flatMap(({ entries }) => entries), ...replacing(plain).values()])
    for (const name of inputs) read.add(name);
  const segments = plain.map((segment) => {
    const taps = [...madeBy(flow, segment.steps)].filter(
      (name) => read.has(name) && !segment.outputs.includes(name),
    );
    return { ...segment, outputs: [...segment.outputs, ...taps], taps };
  });
  const begins = new Map(
    parts.layers.map(({ layer, segment, steps }) => {
      const { entries } = segments[segment]!;
      const [from, to] = [cuts[segment]!.before, cuts[segment + 1]!.before];
      const needed = steps.filter((at) => flow.steps[at]!.dynamic && at >= from && at < to);
      return [layer, cheapest([wholeOf(segments[segment]!), ...entries], needed)!];
    }),
  );
  return { cuts, shared: { segments, parts, begins, replaces: replacing(segments), slices } };
}

const madeBy = (flow: Dataflow, steps: readonly number[]) =>
  new Set(steps.flatMap((at) => flow.steps[at]!.makes));

/** Of a segment's steps those that begin at some of them, counted from the first, and all that depends on these. */
function behind(flow: Dataflow, steps: readonly number[], starts: readonly number[]): number[] {
  const reached = new Set<string>();
  const first = new Set(starts.map((start) => steps[start]!));
  return steps.filter((at) => {
    const { reads, makes } = flow.steps[at]!;
    if (!first.has(at) && !reads.some((name) => reached.has(name))) return false;
    for (const name of makes) reached.add(name);
    return true;
  });
}

/** More places to divide at are thinned out: their number goes into the time that choosing takes. */
const MOST_ATOMS = 96;

/** Cuts that one tensor crosses; of those between the same two layers the one with the fewest bytes. */
function narrowCuts(problem: SharedProblem, candidates: readonly Cut[]) {
  const { flow, layers, parametersOf } = problem;
  const starts = [...new Set(layers.map((layer) => firstOf(flow, parametersOf(layer))))].sort(
    (a, b) => a - b,
  );
  let gap = 0;
  const found = new Map<number, Cut>();
  for (const cut of candidates.slice(1, -1)) {
    while (gap < starts.length && starts[gap]! < cut.before) gap++;
    if (cut.live.length !== 1 || !isSliceable(problem, cut.live[0]!)) continue;
    const known = found.get(gap);
    // With no layer before it, or none behind it, it would part what belongs together.
    if (gap === 0 || gap === starts.length) continue;
    if (!known || problem.bytesOf(cut.live[0]!) < problem.bytesOf(known.live[0]!)) found.set(gap, cut);
  }
  const inner = [...found.values()];
  const every = Math.ceil(inner.length / MOST_ATOMS);
  return [candidates[0]!, ...inner.filter((_, i) => i % every === 0), candidates.at(-1)!];
}

const firstOf = (flow: Dataflow, parameters: readonly string[]) =>
  dependents(flow, parameters).find((at) => flow.steps[at]!.dynamic) ?? flow.steps.length;

function divided(problem: SharedProblem, cuts: readonly Cut[]) {
  const { flow, source, shapes, macs, batch, limits, layers, parametersOf, slices } = problem;
  const stored = new Map(source.graph.initializer.map((tensor): [string, Tensor] => [tensor.name, tensor]));
  const about = {
    flow,
    stored,
    parameters: new Set(layers.flatMap(parametersOf)),
    shapeOf: (name: string) => shapes.get(name)!,
  };
  const starts = layers.map((layer) => firstOf(flow, parametersOf(layer))).sort((a, b) => a - b);
  const kinds = new Map<string, number>();
  const atoms = cuts.slice(0, -1).map((cut, i): Atom => {
    const end = cuts[i + 1]!;
    const steps = dynamicSteps(flow, cut.before, end.before);
    const made = madeBy(flow, steps);
    const part: Part = {
      nodes: steps.map((at) => flow.steps[at]!.node),
      inputs: readFromOutside(flow, steps),
      outputs: end.live.filter((name) => made.has(name)),
    };
    const { key } = structureOf(part, about);
    kinds.set(key, kinds.get(key) ?? kinds.size);
    const before = [0];
    for (const at of steps) before.push(before.at(-1)! + macs[at]!);
    return {
      kind: kinds.get(key)!,
      steps: steps.length,
      macs: before.at(-1)!,
      starts: starts.flatMap((start) => {
        const at = steps.indexOf(start);
        return at < 0 ? [] : [{ at, before: before[at]! }];
      }),
    };
  });
  const segments = divide(atoms, {
    sessions: limits.sessions,
    call: limits.call / batch,
    launch: slices > 1 ? (limits.launch * slices) / batch : undefined,
    slower: limits.slower,
  });
  return {
    cuts: [...segments.map(({ from }) => cuts[from]!), cuts.at(-1)!],
    entries: segments.map(({ entries }) => entries),
  };
}

/** Tensors that a part takes or gives, or that are replaced: a node must make them. */
export function tensorsBetween({ segments, replaces }: SharedParts): Set<string> {
  const all = [...segments, ...segments.flatMap(({ entries }) => entries), ...replaces.values()];
  return new Set([...replaces.keys(), ...all.flatMap(({ inputs, outputs }) => [...inputs, ...outputs])]);
}

/** Nodes of a part, with norms folded into the convolutions before them: of all these layers, reset or not. */
export function foldedNodes(folding: readonly PlacedLayer[]) {
  const changed = new Map(
    folding.flatMap((placed) => {
      const { conv, norm } = placed.fold!;
      return [conv, norm].map((node) => [node, nodesOf([node], placed)] as const);
    }),
  );
  return (nodes: Part['nodes']) => nodes.flatMap((node) => changed.get(node) ?? [node]);
}
