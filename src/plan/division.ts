/**
 * How a network is divided where parts that are alike share a session. It is a row of small parts between narrow
 * places. Neighbours are put together into segments, of which those that are alike are one session; within a segment
 * its layers begin at its start, or at an entry, which is one more session. What is computed before a layer's own
 * start is the price. Pure.
 */

/** A layer's first step. */
export interface Start {
  /** Among the steps of its atom. */
  at: number;
  /** Multiply-accumulates of the atom before it. */
  before: number;
}

/** What is not divided further. */
export interface Atom {
  /** Atoms that are alike have the same. */
  kind: number;
  steps: number;
  /** Multiply-accumulates of one image. */
  macs: number;
  /** Ascending. */
  starts: readonly Start[];
}

export interface Segment {
  /** Atoms [from, to). */
  from: number;
  to: number;
  /** Besides the segment's own start: steps, counted from that, at which layers start that begin together. */
  entries: readonly (readonly number[])[];
}

export interface DivisionLimits {
  /** At most, where that can be: one segment is always allowed. */
  sessions: number;
  /** What a cell pays for every session that it runs, in multiply-accumulates of one image. */
  call: number;
  /**
   * Where a batch has several slices, in whose sizes layers begin: what that costs by the step. Then a segment is two
   * sessions, one that layers begin with and one for the whole batch.
   */
  launch?: number | undefined;
  /**
   * Where every segment has one more session, alike or not, with its trained weights in it: by which share a
   * multiply-accumulate costs more in the others.
   */
  slower?: number | null | undefined;
}

/** The segments of a row of atoms with about the least that cells compute besides their own. */
export function divide(atoms: readonly Atom[], limits: DivisionLimits): Segment[] {
  const known = new Map<string, Grouping[]>();
  let best = assess(
    atoms,
    atoms.map((_, i) => ({ from: i, to: i + 1 })),
    limits,
    known,
  );
  for (;;) {
    let next: Assessed | undefined;
    for (const ranges of merges(best)) {
      const found = assess(atoms, ranges, limits, known);
      if (
        isStep(best, found, limits) &&
        (!next || priceOf(best, found, limits) < priceOf(best, next, limits))
      )
        next = found;
    }
    if (!next) break;
    best = next;
  }
  return best.ranges.map(({ from, to }, i) => ({
    from,
    to,
    entries: best.classes.get(best.keys[i]!)!.entries,
  }));
}

interface Range {
  from: number;
  to: number;
}

interface Assessed {
  ranges: readonly Range[];
  /** What each range is. */
  keys: readonly string[];
  classes: ReadonlyMap<string, { entries: readonly (readonly number[])[] }>;
  cost: number;
}

const areTooMany = (found: Assessed, limits: DivisionLimits) => sessionsOf(found, limits) > limits.sessions;

/** Of segments, without entries. */
const sessionsOf = ({ ranges, classes }: Assessed, limits: DivisionLimits) =>
  sessionsFor(classes.size, ranges.length, limits);

const sessionsFor = (kinds: number, segments: number, { launch, slower }: DivisionLimits) =>
  kinds + (typeof slower === 'number' ? segments : launch === undefined ? 0 : kinds);

/** While there are too many sessions anything is; then what costs less. */
const isStep = (from: Assessed, to: Assessed, limits: DivisionLimits) =>
  areTooMany(from, limits) || (!areTooMany(to, limits) && to.cost < from.cost);

/** While there are too many sessions: for each that is saved. Fewer segments of as many kinds may come to less later. */
function priceOf(from: Assessed, to: Assessed, limits: DivisionLimits): number {
  if (!areTooMany(from, limits)) return to.cost;
  const saved = sessionsOf(from, limits) - sessionsOf(to, limits);
  const more = to.cost - from.cost;
  return saved > 0 ? more / saved : 1e30 * (1 - saved) + more;
}

/** Ways to put neighbours together: two kinds wherever they follow each other; whole repetitions of one; two of those. */
function merges({ ranges, keys }: Assessed): Range[][] {
  const runs: { from: number; to: number; key: string }[] = [];
  for (const [i, key] of keys.entries()) {
    const last = runs.at(-1);
    if (last?.key === key) last.to = i + 1;
    else runs.push({ from: i, to: i + 1, key });
  }
  const found = new Map<string, Range[]>();
  const add = (together: readonly { from: number; to: number }[]) => {
    if (together.length === 0) return;
    const merged: Range[] = [];
    let at = 0;
    for (const { from, to } of together) {
      merged.push(...ranges.slice(at, from), { from: ranges[from]!.from, to: ranges[to - 1]!.to });
      at = to;
    }
    merged.push(...ranges.slice(at));
    found.set(merged.map(({ from }) => from).join(), merged);
  };
  for (let i = 1; i < ranges.length; i++) {
    const [a, b] = [keys[i - 1]!, keys[i]!];
    // The first of its kind stands for all.
    if (keys.findIndex((key, at) => key === a && keys[at + 1] === b) !== i - 1) continue;
    const places: { from: number; to: number }[] = [];
    for (let at = 0; at + 1 < keys.length; at++) {
      if (keys[at] === a && keys[at + 1] === b) places.push({ from: at, to: ++at + 1 });
    }
    add(places);
  }
  for (const key of new Set(keys)) add(runs.filter((run) => run.key === key && run.to - run.from > 1));
  for (let i = 1; i < runs.length; i++) {
    add([{ from: runs[i - 1]!.from, to: runs[i]!.to }]);
  }
  return [...found.values()];
}

/** @param known - groupings that have been found before */
function assess(
  atoms: readonly Atom[],
  ranges: readonly Range[],
  limits: DivisionLimits,
  known: Map<string, Grouping[]>,
): Assessed {
  const keys = ranges.map(({ from, to }) =>
    atoms
      .slice(from, to)
      .map(({ kind }) => kind)
      .join(),
  );
  /** By kind, where its layers start: how many of them, and what is before. */
  const starts = new Map<string, Map<number, { before: number; layers: number }>>();
  const { launch = 0 } = limits;
  const slower = limits.slower ?? 0;
  let [cost, layers] = [0, 0];
  for (const [i, { from, to }] of ranges.entries()) {
    const found = starts.get(keys[i]!) ?? new Map<number, { before: number; layers: number }>();
    starts.set(keys[i]!, found);
    let [steps, macs] = [0, 0];
    const inRange = atoms.slice(from, to);
    const allSteps = inRange.reduce((sum, atom) => sum + atom.steps, 0);
    const allMacs = inRange.reduce((sum, atom) => sum + atom.macs, 0);
    for (const atom of inRange) {
      for (const { at, before } of atom.starts) {
        const start = found.get(steps + at) ?? {
          before: (1 + slower) * (macs + before) + launch * (steps + at),
          layers: 0,
        };
        start.layers++;
        found.set(steps + at, start);
        layers++;
        cost += launch * (allSteps - steps - at) + slower * (allMacs - macs - before);
      }
      steps += atom.steps;
      macs += atom.macs;
    }
    cost += layers * limits.call;
  }
  const most = Math.max(0, limits.sessions - sessionsFor(starts.size, ranges.length, limits));
  const plans = [...starts].map(([key, found]) => {
    const name = `${most};${key};${[...found].map(([at, { layers }]) => `${at} ${layers}`).join()}`;
    const options = known.get(name) ?? groupings(found, most);
    known.set(name, options);
    return { key, options, taken: 0 };
  });
  const gain = ({ options, taken }: (typeof plans)[number]) =>
    options[taken]!.cost - (options[taken + 1]?.cost ?? options[taken]!.cost);
  for (let left = most; left > 0; left--) {
    const most = plans.reduce((a, b) => (gain(b) > gain(a) ? b : a));
    if (!(gain(most) > 0)) break;
    most.taken++;
  }
  const chosen = plans.map(({ key, options, taken }) => [key, options[taken]!] as const);
  for (const [, plan] of chosen) cost += plan.cost;
  return { ranges, keys, classes: new Map(chosen), cost };
}

interface Grouping {
  /** What is computed before the layers' own starts. */
  cost: number;
  entries: readonly (readonly number[])[];
}

/** The best with no entries, with one, and so on up to `most`. */
function groupings(
  starts: ReadonlyMap<number, { before: number; layers: number }>,
  most: number,
): Grouping[] {
  const sorted = [...starts].sort(([a], [b]) => a - b);
  const count = sorted.length;
  const sums: (readonly [layers: number, weighted: number])[] = [[0, 0]];
  for (const [, { before, layers }] of sorted) {
    const [n, weighted] = sums.at(-1)!;
    sums.push([n + layers, weighted + layers * before]);
  }
  /** Of layers [from, to) that begin where `base` has been computed. */
  const price = (from: number, to: number, base: number) =>
    sums[to]![1] - sums[from]![1] - base * (sums[to]![0] - sums[from]![0]);
  // best[to]: layers [0, to), the last group of which starts at `from`.
  let best = sums.map((_, to): { cost: number; groups: number[] } => ({ cost: price(0, to, 0), groups: [] }));
  const found: Grouping[] = [];
  const keep = () => {
    const { cost, groups } = best[count]!;
    const entries = groups.map((from, i) => sorted.slice(from, groups[i + 1] ?? count).map(([at]) => at));
    found.push({ cost, entries });
  };
  keep();
  for (let entries = 1; entries <= Math.min(most, count); entries++) {
    const before = best;
    best = before.map((one, to) => {
      let cheapest = one;
      for (let from = 0; from < to; from++) {
        const cost = before[from]!.cost + price(from, to, sorted[from]![1].before);
        if (cost < cheapest.cost) cheapest = { cost, groups: [...before[from]!.groups, from] };
      }
      return cheapest;
    });
    if (!(best[count]!.cost < found.at(-1)!.cost)) break;
    keep();
  }
  return found;
}
