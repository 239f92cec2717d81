/**
 * Where to cut a graph. Everything after a reset layer has to be computed again, whatever the cuts; they decide
 * what that costs besides: every cut that a cell's suffix crosses writes its live tensors out and takes them in
 * again (the runtime reorders them for its convolutions), and every layer of a segment has a session of its own
 * with a copy of the segment's later weights. So the cuts are those with the least traffic whose copies fit a budget.
 */
import { type Dataflow, isDynamic } from './dataflow.js';

/** What the choice needs to know of the graph; positions are those of steps. */
export interface CutProblem {
  flow: Dataflow;
  /** The logits. */
  output: string;
  /** Bytes of a dynamic tensor for one image. */
  bytesOf(name: string): number;
  /** Bytes of the trained tensors of which every session of a step has a copy. */
  weightBytes: readonly number[];
  /** Nodes are as the runtime runs them: a cut costs no fusion and no reordering. */
  optimised: boolean;
  /** Position of the first dynamic step that each layer's parameters reach. */
  layerStarts: readonly number[];
  /** Bytes that the copies of weights may take. */
  budget: number;
  /** Bytes, for one image, that a segment's layers may keep waiting for their turn. */
  keep: number;
}

/** A cut before step `before`: the dynamic tensors made earlier that later steps or the output need. */
export interface Cut {
  before: number;
  live: readonly string[];
}

/** A byte above what may be kept costs as much as moving this many: cut rather than keep, where that can be. */
const KEEP_PRICE = 1000;

/** Calling a session and binding a tensor costs about as much time as moving this much. */
const CALL_BYTES = 32 * 1024;

/** Steps that the runtime fuses with the one before them: cutting there would cost the fusion. */
const fused = new Set(
  'BatchNormalization Relu LeakyRelu PRelu Clip Sigmoid HardSigmoid HardSwish Elu Selu Gelu Tanh Erf Softplus Mish Add Sub Mul Div Pow Sqrt Softmax Dropout Identity Flatten Squeeze Unsqueeze Cast'.split(
    ' ',
  ),
);

/** Segment boundaries, first (the input) and last (the logits) included, ascending. */
export function chooseCuts(problem: CutProblem): Cut[] {
  const candidates = candidateCuts(problem);
  let price = 0;
  let best = cheapest(problem, candidates, price);
  // Raise the price of copies until they fit the budget; without cuts left to make, that is all there is.
  for (price = 2 ** -10; best.copies > problem.budget && price < 2 ** 20; price *= 2) {
    best = cheapest(problem, candidates, price);
  }
  return best.cuts.map((i) => candidates[i] as Cut);
}

/** Every boundary at which the graph may be cut, with what is live there. */
export function candidateCuts({
  flow,
  output,
  optimised,
}: Pick<CutProblem, 'flow' | 'output' | 'optimised'>): Cut[] {
  const { input, steps, readers } = flow;
  const lastRead = new Map<string, number>();
  const noteTensor = (name: string) => {
    const positions = (readers.get(name) ?? []).filter((position) => steps[position]?.dynamic);
    lastRead.set(name, name === output ? steps.length : (positions.at(-1) ?? -1));
  };
  noteTensor(input);
  for (const step of steps) if (step.dynamic) step.makes.forEach(noteTensor);

  const cuts: Cut[] = [{ before: 0, live: [input] }];
  const live = new Set([input]);
  for (const [position, step] of steps.entries()) {
    if (!step.dynamic) continue;
    for (const name of step.makes) live.add(name);
    for (const name of live) if ((lastRead.get(name) ?? -1) <= position) live.delete(name);
    const next = nextDynamic(flow, position + 1);
    if (next < steps.length && (optimised || !fused.has(steps[next]?.node.opType ?? ''))) {
      cuts.push({ before: next, live: [...live] });
    }
  }
  cuts.push({ before: steps.length, live: [output] });
  return cuts;
}

function nextDynamic({ steps }: Dataflow, from: number): number {
  let position = from;
  while (position < steps.length && !steps[position]?.dynamic) position++;
  return position;
}

interface Choice {
  /** Indices into the candidates. */
  cuts: number[];
  copies: number;
}

/** The cheapest cuts when a copied byte costs `price` moved ones: shortest path over the candidates. */
function cheapest(problem: CutProblem, candidates: readonly Cut[], price: number): Choice {
  const { bytesOf, optimised } = problem;
  const moved = (name: string) => (optimised ? 0 : bytesOf(name));
  const layers = layerSums(problem, candidates);
  const crossing = candidates.map(
    ({ live }, i) => (layers.before[i] ?? 0) * live.reduce((sum, name) => sum + moved(name) + CALL_BYTES, 0),
  );
  // The last boundary is the logits', which every cell writes in any case.
  crossing[candidates.length - 1] = 0;

  const worth = worthwhile(layers, crossing);
  const cost = candidates.map(() => Number.POSITIVE_INFINITY);
  const copies = candidates.map(() => 0);
  const from = candidates.map(() => -1);
  cost[0] = 0;
  for (const [at, to] of worth.entries()) {
    for (const start of worth.slice(0, at)) {
      const inside = difference(layers.before, start, to);
      // Every layer of the segment has a session with the weights from behind it to the segment's end.
      const copied = inside * (layers.weights[to] ?? 0) - difference(layers.weightsBehind, start, to);
      const over = KEEP_PRICE * Math.max(0, difference(layers.kept, start, to) - problem.keep);
      const total = (cost[start] ?? 0) + (crossing[to] ?? 0) + price * copied + over;
      if (total < (cost[to] ?? 0)) {
        cost[to] = total;
        from[to] = start;
        copies[to] = (copies[start] ?? 0) + copied;
      }
    }
  }
  const cuts: number[] = [];
  for (let at = candidates.length - 1; at >= 0; at = from[at] ?? -1) cuts.unshift(at);
  return { cuts, copies: copies.at(-1) ?? 0 };
}

/**
 * The candidates that a shortest path can go through, in order. Of those between the same two layers one that is as
 * early, and so has as few weights before it, and is crossed as cheaply is never worse: a chain of many nodes without
 * weights leaves one.
 */
function worthwhile(layers: LayerSums, crossing: readonly number[]): number[] {
  const last = crossing.length - 1;
  const found = [0];
  for (let i = 1; i < last; i++) {
    const before = found.at(-1)!;
    const isSameGap = layers.before[i] === layers.before[before];
    if (isSameGap && crossing[i]! >= crossing[before]!) continue;
    // Cheaper with the same weights: it replaces the other, which is not the input.
    if (isSameGap && before > 0 && layers.weights[i] === layers.weights[before]) found.pop();
    found.push(i);
  }
  return [...found, last];
}

const difference = (sums: readonly number[], from: number, to: number) => (sums[to] ?? 0) - (sums[from] ?? 0);

type LayerSums = ReturnType<typeof layerSums>;

/** Sums over everything before each candidate, so that those over a segment are differences. */
function layerSums({ flow, weightBytes, layerStarts, bytesOf }: CutProblem, candidates: readonly Cut[]) {
  const upTo = [0];
  for (const bytes of weightBytes) upTo.push((upTo.at(-1) ?? 0) + bytes);
  // What a layer starts from stays in memory while the layers before it are done.
  const startBytes = (start: number) =>
    (flow.steps[start]?.reads ?? [])
      .filter((name) => isDynamic(flow, name))
      .reduce((sum, name) => sum + bytesOf(name), 0);
  const starts = [...layerStarts].sort((a, b) => a - b);
  const sums = { before: [0], weights: [0], weightsBehind: [0], kept: [0] };
  let layer = 0;
  let [weightsBehind, kept] = [0, 0];
  for (const [i, { before }] of candidates.entries()) {
    for (let start = starts[layer]; start !== undefined && start < before; start = starts[layer]) {
      weightsBehind += upTo[start + 1] ?? 0;
      kept += startBytes(start);
      layer++;
    }
    sums.before[i] = layer;
    sums.weights[i] = upTo[before] ?? 0;
    sums.weightsBehind[i] = weightsBehind;
    sums.kept[i] = kept;
  }
  return sums;
}
