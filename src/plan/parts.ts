/**
 * A model cut into the parts that a sweep runs: per segment its original run (which also leaves the tensors that
 * its layers start from) and its plain run (a later part of some layer's suffix), per layer the steps from
 * its own parameters to the end of its segment, and likewise from a tensor that another one takes the place of. Pure.
 */
import type { Resettable } from '../model/layer-group.js';
import type { Cut } from './cuts.js';
import { type Dataflow, dependents, isDynamic } from './dataflow.js';

export interface Segment {
  /** Positions of its dynamic steps, ascending. */
  steps: readonly number[];
  /** Tensors that it reads from before it. */
  inputs: readonly string[];
  /** Tensors made in it that are live at its end. */
  outputs: readonly string[];
  /** Tensors made in it that its layers' parts read and that are not outputs. */
  taps: readonly string[];
}

export interface LayerPart {
  layer: Resettable;
  /** Tensors of the layer, or of a group's members, that resets replace; inputs of the part. */
  parameters: readonly string[];
  /** The segment in which it starts. */
  segment: number;
  /** The suffix goes on with this segment; the number of segments when the part reaches the logits. */
  next: number;
  /** Positions of its steps, ascending. */
  steps: readonly number[];
  /** Tensors of the original run that it reads. */
  inputs: readonly string[];
  /** Tensors made in it that are live at its end. */
  outputs: readonly string[];
}

/** A tensor of the original run that is replaced, and what takes its place, if that is of the original run too. */
export interface Replaced {
  output: string;
  source: string | null;
}

/** What reads a tensor that is replaced, to the end of the segment. */
export interface ActivationPart {
  /** The tensor's name. */
  output: string;
  segment: number;
  next: number;
  steps: readonly number[];
  /** What it reads, also of the original run. */
  inputs: readonly string[];
  outputs: readonly string[];
}

export interface Parts {
  segments: Segment[];
  layers: LayerPart[];
  /** One for each tensor that is replaced. */
  activations: ActivationPart[];
}

/**
 * @param parametersOf tensors of a layer that some reset of the sweep replaces
 */
export function partsOf(
  flow: Dataflow,
  cuts: readonly Cut[],
  layers: readonly Resettable[],
  parametersOf: (layer: Resettable) => readonly string[],
  replaced: readonly Replaced[] = [],
): Parts {
  const found = layers.map((layer) => layerPart(flow, cuts, layer, parametersOf(layer)));
  const outputs = [...new Set(replaced.map(({ output }) => output))];
  const activations = outputs.map((output) => activationPart(flow, cuts, output));
  const sources = replaced.flatMap(({ source }) => source ?? []);
  const segments = cuts.slice(0, -1).map((cut, i): Segment => {
    const steps = dynamicSteps(flow, cut.before, cuts[i + 1]?.before ?? 0);
    const made = new Set(steps.flatMap((position) => flow.steps[position]?.makes ?? []));
    const outputs = (cuts[i + 1]?.live ?? []).filter((name) => made.has(name));
    const starting = [
      ...found.filter((part) => part.segment === i).flatMap((part) => part.inputs),
      ...activations
        .filter((part) => part.segment === i)
        .flatMap((part) => part.inputs.filter((name) => name !== part.output)),
    ];
    // What takes another tensor's place is kept until then, wherever that is.
    const tapped = new Set([...starting, ...sources]);
    const taps = [...made].filter((name) => tapped.has(name) && !outputs.includes(name));
    return { steps, inputs: readFromOutside(flow, steps), outputs, taps };
  });
  return { segments, layers: found, activations };
}

function activationPart(flow: Dataflow, cuts: readonly Cut[], output: string): ActivationPart {
  const reached = dependents(flow, [output]);
  // The logits have no readers; they are there with the last segment.
  const start = reached[0] ?? cuts.at(-1)?.before ?? 0;
  const segment = segmentOf(cuts, start);
  const next = segment + 1;
  const end = cuts[next]?.before ?? 0;
  const steps = reached.filter((position) => position < end);
  const made = new Set(steps.flatMap((position) => flow.steps[position]?.makes ?? []));
  const outputs = (cuts[next]?.live ?? []).filter((name) => made.has(name));
  return { output, segment, next, steps, inputs: readFromOutside(flow, steps), outputs };
}

/** The one that a step lies in. */
const segmentOf = (cuts: readonly Cut[], step: number) =>
  Math.min(
    cuts.findLastIndex(({ before }) => before <= step),
    cuts.length - 2,
  );

function layerPart(
  flow: Dataflow,
  cuts: readonly Cut[],
  layer: Resettable,
  parameters: readonly string[],
): LayerPart {
  const reached = dependents(flow, parameters);
  const dynamic = reached.filter((position) => flow.steps[position]?.dynamic);
  const start = dynamic[0] ?? cuts.at(-1)?.before ?? 0;
  // A layer that does not lead to the logits has no steps; it is done with the last segment.
  const segment = segmentOf(cuts, start);

  // A tied weight, or a group's, may be read in several segments: the part goes on until it has been read for the last time.
  const own = new Set(parameters);
  for (const position of reached) {
    const step = flow.steps[position];
    if (!step?.dynamic) for (const name of step?.makes ?? []) own.add(name);
  }
  const lastReader = dynamic.findLast((position) =>
    flow.steps[position]?.reads.some((name) => own.has(name)),
  );
  const next = cuts.findIndex(({ before }, i) => i > segment && before > (lastReader ?? start));
  const end = cuts[next]?.before ?? 0;
  // Beyond its first segment the original's tensors are not there yet: the part computes all of what follows.
  const within = cuts[segment + 1]?.before ?? end;
  const inReach = new Set(dynamic);
  const steps = dynamicSteps(flow, cuts[segment]?.before ?? 0, end).filter(
    (position) => inReach.has(position) || position >= within,
  );
  const made = new Set(steps.flatMap((position) => flow.steps[position]?.makes ?? []));
  return {
    layer,
    parameters,
    segment,
    next,
    steps: [...reached.filter((position) => !flow.steps[position]?.dynamic), ...steps].sort((a, b) => a - b),
    inputs: readFromOutside(flow, steps),
    outputs: (cuts[next]?.live ?? []).filter((name) => made.has(name)),
  };
}

export function dynamicSteps({ steps }: Dataflow, from: number, to: number): number[] {
  const positions: number[] = [];
  for (let position = from; position < to; position++) if (steps[position]?.dynamic) positions.push(position);
  return positions;
}

/** Dynamic tensors that steps read and do not make. */
export function readFromOutside(flow: Dataflow, positions: readonly number[]): string[] {
  const made = new Set(positions.flatMap((position) => flow.steps[position]?.makes ?? []));
  const read = new Set<string>();
  for (const position of positions) {
    for (const name of flow.steps[position]?.reads ?? []) {
      if (!made.has(name) && isDynamic(flow, name)) read.add(name);
    }
  }
  return [...read];
}
