/**
 * A model cut into the parts that a sweep runs: per segment its original run (which also leaves the tensors that
 * its layers start from) and its plain run (a later part of some layer's suffix), and per layer the steps from
 * its own parameters to the end of its segment. Pure.
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

export interface Parts {
  segments: Segment[];
  layers: LayerPart[];
}

/**
 * @param parametersOf tensors of a layer that some reset of the sweep replaces
 */
export function partsOf(
  flow: Dataflow,
  cuts: readonly Cut[],
  layers: readonly Resettable[],
  parametersOf: (layer: Resettable) => readonly string[],
): Parts {
  const found = layers.map((layer) => layerPart(flow, cuts, layer, parametersOf(layer)));
  const segments = cuts.slice(0, -1).map((cut, i): Segment => {
    const steps = dynamicSteps(flow, cut.before, cuts[i + 1]?.before ?? 0);
    const made = new Set(steps.flatMap((position) => flow.steps[position]?.makes ?? []));
    const outputs = (cuts[i + 1]?.live ?? []).filter((name) => made.has(name));
    const tapped = new Set(found.filter((part) => part.segment === i).flatMap((part) => part.inputs));
    const taps = [...made].filter((name) => tapped.has(name) && !outputs.includes(name));
    return { steps, inputs: readFromOutside(flow, steps), outputs, taps };
  });
  return { segments, layers: found };
}

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
  const segment = Math.min(
    cuts.findLastIndex(({ before }) => before <= start),
    cuts.length - 2,
  );

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

function dynamicSteps({ steps }: Dataflow, from: number, to: number): number[] {
  const positions: number[] = [];
  for (let position = from; position < to; position++) if (steps[position]?.dynamic) positions.push(position);
  return positions;
}

/** Dynamic tensors that steps read and do not make. */
function readFromOutside(flow: Dataflow, positions: readonly number[]): string[] {
  const made = new Set(positions.flatMap((position) => flow.steps[position]?.makes ?? []));
  const read = new Set<string>();
  for (const position of positions) {
    for (const name of flow.steps[position]?.reads ?? []) {
      if (!made.has(name) && isDynamic(flow, name)) read.add(name);
    }
  }
  return [...read];
}
