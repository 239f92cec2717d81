/** Where a layer or a block begins and ends in the graph: the tensors that go in and come out. Pure. */
import { membersOf, type Resettable } from '../model/layer-group.js';
import type { Layer } from '../onnx/layers.js';
import { isNormOp } from '../onnx/norm-ops.js';
import { candidateCuts } from '../plan/cuts.js';
import { type Dataflow, isDynamic } from '../plan/dataflow.js';
import { largest, smallest } from '../statistics/extremes.js';

export interface Ends {
  input: string;
  output: string;
  /** Features are the second dimension of a tensor of four, as convolutions have them; else the last. */
  channelsSecond: boolean;
}

/** What belongs to a block although it comes after its last layer: its norm and its activation. */
const AFTER: ReadonlySet<string> = new Set(
  'BatchNormalization Relu LeakyRelu PRelu Clip HardSwish HardSigmoid Elu Selu Gelu Mish Softplus Tanh'.split(
    ' ',
  ),
);

/**
 * The ends of layers and groups, null of what has none: a layer whose weight is used in several places, is a part of
 * another or takes no image, a norm, a group that is not all that lies between two places through which every image passes.
 */
export function endsOf(
  flow: Dataflow,
  output: string,
  layers: readonly Layer[],
): (one: Resettable) => Ends | null {
  const steps = new Map(layers.map((layer) => [layer.name, stepsOf(flow, layer)]));
  // Where a single tensor is alive.
  const cuts = candidateCuts({ flow, output, optimised: true }).filter(({ live }) => live.length === 1);
  return (one) => {
    const members = membersOf(one);
    // Some exports write a norm as one operator, others as many, whose ends are not its own.
    if (members.every(({ op }) => isNormOp(op))) return null;
    const channelsSecond = members.some(({ op }) => op.startsWith('Conv'));
    // With the norm right behind it a layer has the ends that it has without.
    const leading = members.filter(({ accompanies }) => !accompanies);
    const own = leading.flatMap(({ name }) => steps.get(name) ?? []);
    if (own.length === 0) return null;
    const [only] = leading;
    if (only && leading.length === 1) {
      const [position, ...others] = own;
      const { node, reads } = flow.steps[position!]!;
      const input = reads.find((name) => isDynamic(flow, name));
      const made = node.output[0];
      // What a part alone gives is no tensor.
      if (others.length > 0 || !input || !made || only.whole) return null;
      return { input, output: withBias(flow, only, made), channelsSecond };
    }
    const [first, last] = [smallest(own), largest(own)];
    const from = cuts.findLast(({ before }) => before <= first);
    const to = afterwards(flow, cuts, last);
    if (!from || !to) return null;
    const isWhole = [...steps].every(
      ([name, at]) =>
        members.some((member) => member.name === name) ||
        at.every((position) => position < from.before || position >= to.before),
    );
    return isWhole ? { input: from.live[0]!, output: to.live[0]!, channelsSecond } : null;
  };
}

/** A product's bias may be added by a node of its own. */
function withBias({ steps, readers }: Dataflow, { bias }: Layer, made: string): string {
  const next = (readers.get(made) ?? []).map((position) => steps[position]!);
  const added = bias && next.find(({ node }) => node.opType === 'Add' && node.input.includes(bias.tensor));
  return added?.node.output[0] ?? made;
}

/** The first place after a step through which all passes, behind norm and activation. */
function afterwards(
  { steps }: Dataflow,
  cuts: readonly { before: number; live: readonly string[] }[],
  last: number,
) {
  let at = cuts.findIndex(({ before }) => before > last);
  while (at >= 0 && at + 1 < cuts.length) {
    const { before, live } = cuts[at]!;
    const { node } = steps[before] ?? {};
    const next = cuts[at + 1]!;
    // Not the logits, behind which there is no step.
    const follows =
      node && AFTER.has(node.opType) && node.input[0] === live[0] && next.live[0] === node.output[0];
    if (!follows) break;
    at++;
  }
  return cuts[at];
}

/** Positions of the steps with an image in them that read a layer's weight, or what is made of it. */
function stepsOf({ steps }: Dataflow, { weight, whole }: Layer): number[] {
  const own = new Set([(whole?.weight ?? weight).tensor]);
  const found: number[] = [];
  for (const [position, { reads, makes, dynamic }] of steps.entries()) {
    if (!reads.some((name) => own.has(name))) continue;
    if (dynamic) found.push(position);
    else for (const name of makes) own.add(name);
  }
  return found;
}
