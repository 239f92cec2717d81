/**
 * What goes into a layer or a group of layers, and what comes out: the tensors between which a reset of activations puts a
 * shortcut, or the one that it replaces. A layer's are those of its module. A group's lie where all that depends on
 * the image is one tensor, before its first and behind its last layer. Pure.
 */
import { placeInNames } from '../design/blocks.js';
import { membersOf, type Resettable } from '../model/layer-group.js';
import type { Layer } from '../onnx/layers.js';
import { FLOAT } from '../onnx/tensors.js';
import type { TensorShape } from '../onnx/value-info.js';
import type { Replacement } from '../resets/activation.js';
import { largest, smallest } from '../statistics/extremes.js';
import { channelAxes } from './axes.js';
import type { Dataflow, Step } from './dataflow.js';

/** Why there is nothing to replace; a part of a sentence. */
const WHY = {
  several: 'its weight is used in several places',
  cell: 'it is a part of a recurrent cell',
  joint: 'one operator computes it together with another layer',
  ends: 'it has no single input or no single output',
  bias: 'its bias is added by an operator that does more than that',
  between: 'layers that are not in it lie between its first and its last one',
  past: 'another branch leads past it, and past layers that are not in it',
  shapes: 'its input and output have different shapes',
  axis: 'which axis of its output has the channels is not to be told',
  type: 'its output is no float32',
} as const;

/** Of one element each; what a norm or an activation may be of in a graph that has it in pieces. */
const activations: ReadonlySet<string> = new Set(
  'Relu LeakyRelu PRelu Clip Sigmoid HardSigmoid HardSwish Elu Selu Celu Gelu QuickGelu Tanh Erf Softplus Softsign Mish Mul Div Add'.split(
    ' ',
  ),
);
const norms: ReadonlySet<string> = new Set(['BatchNormalization', ...activations]);

/** A position at which one tensor is all that what follows needs of the image. */
interface Waist {
  before: number;
  tensor: string;
}

export class Spans {
  /** Tensors that hold numbers of the image, and not just its size. */
  readonly #data: ReadonlySet<string>;
  readonly #waists: readonly Waist[];
  /** Positions of the steps that read a layer's weight or bias. */
  readonly #places = new Map<Layer, { weight: readonly number[]; bias: readonly number[] }>();
  readonly #layersAt = new Map<number, Layer[]>();
  /** Names of blocks, of the layers that are in one. */
  readonly #blocks: ReadonlyMap<Layer, string>;
  readonly #axes: ReadonlyMap<string, number>;

  /**
   * @param output - the logits
   * @param layers - all of the model
   */
  constructor(
    private readonly flow: Dataflow,
    private readonly shapes: ReadonlyMap<string, TensorShape>,
    output: string,
    layers: readonly Layer[],
  ) {
    this.#data = dataIn(flow);
    this.#waists = waistsOf(flow, this.#data, output);
    for (const layer of layers) {
      const readers = this.#readersOf(layer.weight.tensor);
      // Others may ask for no more than its size or type.
      const own = readers.filter((at) => flow.steps[at]!.node.opType === layer.op);
      const weight = own.length > 0 ? own : readers;
      this.#places.set(layer, { weight, bias: layer.bias ? this.#readersOf(layer.bias.tensor) : [] });
      for (const at of weight) {
        const known = this.#layersAt.get(at);
        if (known) known.push(layer);
        else this.#layersAt.set(at, [layer]);
      }
    }
    this.#blocks = new Map(
      layers.flatMap((layer) => {
        const place = placeInNames(layer.name);
        return place ? [[layer, place.block] as const] : [];
      }),
    );
    this.#axes = channelAxes(flow, shapes, this.#layersAt);
  }

  /** What a reset of activations replaces of a layer or group, or why that cannot be. */
  replacementOf(one: Resettable, kind: 'skip' | 'mean'): Replacement | string {
    const [only] = membersOf(one);
    const ends = 'members' in one ? this.#group(one.members) : this.#single(only!);
    if (typeof ends === 'string') return ends;
    return kind === 'skip' ? this.#skip(ends) : this.#mean(ends);
  }

  #skip({ input, output, shortcut = input }: Ends): Replacement | string {
    const [from, to] = [this.shapes.get(shortcut), this.shapes.get(output)];
    if (to?.type !== FLOAT || from?.type !== FLOAT) return WHY.type;
    if (from.dims.join() !== to.dims.join()) return WHY.shapes;
    return { output, source: shortcut, dims: to.dims, axis: this.#axisOf(output) ?? 0 };
  }

  #mean({ output, result = output }: Ends): Replacement | string {
    const shape = this.shapes.get(result);
    if (shape?.type !== FLOAT) return WHY.type;
    const axis = this.#axisOf(result);
    return axis === undefined ? WHY.axis : { output: result, source: null, dims: shape.dims, axis };
  }

  /** Rows and tokens have their channels last, whatever was before them. */
  #axisOf(tensor: string): number | undefined {
    const rank = this.shapes.get(tensor)?.dims.length ?? 0;
    return this.#axes.get(tensor) ?? (rank === 2 || rank === 3 ? rank - 1 : undefined);
  }

  /** A module alone: its operator, with the addition of its bias. */
  #single(layer: Layer): Ends | string {
    const { weight, bias } = this.#places.get(layer)!;
    const [at] = weight;
    if (layer.hidden !== undefined) return WHY.cell;
    if (at === undefined || weight.length > 1 || layer.uses > 1) return WHY.several;
    if (this.#layersAt.get(at)!.length > 1) return WHY.joint;
    const step = this.flow.steps[at]!;
    const [input, ...others] = this.#dataRead(step);
    const [made, ...more] = step.makes;
    if (input === undefined || made === undefined || others.length > 0 || more.length > 0) return WHY.ends;
    if (!layer.bias || bias.includes(at)) return { input, output: made };
    const [adds = -1, ...elsewhere] = bias;
    const add = this.flow.steps[adds];
    const [output] = add?.makes ?? [];
    const isPlain = add?.node.opType === 'Add' && add.reads.includes(made) && elsewhere.length === 0;
    return isPlain && output !== undefined ? { input, output } : WHY.bias;
  }

  #group(members: readonly Layer[]): Ends | string {
    const positions = members.flatMap((layer) => {
      const { weight, bias } = this.#places.get(layer)!;
      return [...weight, ...bias];
    });
    const [first, last] = [smallest(positions), largest(positions)];
    const start = this.#waists.findLast(({ before }) => before <= first);
    const end = this.#waists.findIndex(({ before }) => before > last);
    const { before, tensor: output } = this.#waists[end] ?? { before: 0, tensor: '' };
    if (!start || before === 0) return WHY.ends;
    const others = [...this.#layersAt].flatMap(([at, layers]) =>
      layers.every((layer) => members.includes(layer)) ? [] : [at],
    );
    if (others.some((at) => first <= at && at <= last)) return WHY.between;
    if (others.some((at) => start.before <= at && at < before)) return WHY.past;

    const { tensor: input } = start;
    const sum = this.#sum(output, input);
    if (!sum) return { input, output: this.#behind(end, norms) };
    // A part of a block gives what is added; a block the sum, and the activation of that.
    const result = this.#isPart(members) ? sum.branch : this.#behind(end, activations);
    return { input, output, shortcut: sum.shortcut, result };
  }

  /** Whether a block has layers besides these of its own. */
  #isPart(members: readonly Layer[]): boolean {
    const blocks = new Set(members.flatMap((layer) => this.#blocks.get(layer) ?? []));
    return [...this.#blocks].some(([layer, block]) => blocks.has(block) && !members.includes(layer));
  }

  /**
   * Of a sum of two, the shortcut: the input, or the branch with fewer layers. Where the two branches share layers, as those
   * of the last of several sums do, it is the input that all sums begin with.
   */
  #sum(output: string, input: string): { shortcut: string; branch: string } | null {
    const step = this.#makerOf(output);
    const [a, b] = step?.node.opType === 'Add' ? this.#dataRead(step) : [];
    if (a === undefined || b === undefined) return null;
    const [ofA, ofB] = [this.#layersBetween(input, a), this.#layersBetween(input, b)];
    const isShared = [...ofA].some((layer) => ofB.has(layer));
    if (isShared || ofA.size === ofB.size) return { shortcut: input, branch: ofA.size < ofB.size ? b : a };
    return ofA.size < ofB.size ? { shortcut: a, branch: b } : { shortcut: b, branch: a };
  }

  #layersBetween(input: string, tensor: string): Set<Layer> {
    const found = new Set<Layer>();
    const seen = new Set([input]);
    const open = [tensor];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const at = seen.has(name) ? undefined : this.flow.maker.get(name);
      seen.add(name);
      if (at === undefined) continue;
      for (const layer of this.#layersAt.get(at) ?? []) found.add(layer);
      for (const read of this.#dataRead(this.flow.steps[at]!)) open.push(read);
    }
    return found;
  }

  /** What such operators make of the tensor at a waist, as far as nothing else comes between. */
  #behind(waist: number, allowed: ReadonlySet<string>): string {
    let at = waist;
    for (; at + 1 < this.#waists.length; at++) {
      const [from, to] = [this.#waists[at]!.before, this.#waists[at + 1]!.before];
      const steps = this.flow.steps.slice(from, to).filter((step) => this.#dataRead(step).length > 0);
      if (steps.some(({ node }) => !allowed.has(node.opType))) break;
    }
    return this.#waists[at]!.tensor;
  }

  #makerOf(tensor: string): Step | undefined {
    return this.flow.steps[this.flow.maker.get(tensor) ?? -1];
  }

  #dataRead(step: Step): string[] {
    return [...new Set(valuesRead(step).filter((name) => this.#data.has(name)))];
  }

  /** Of a stored tensor, also through steps that do not depend on the image. */
  #readersOf(tensor: string): number[] {
    const found = new Set<number>();
    const open = [tensor];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      for (const at of this.flow.readers.get(name) ?? []) {
        const step = this.flow.steps[at]!;
        if (step.dynamic) found.add(at);
        else for (const made of step.makes) open.push(made);
      }
    }
    return [...found].sort((a, b) => a - b);
  }
}

interface Ends {
  input: string;
  /** What a shortcut takes the place of. */
  output: string;
  /** What takes its place, if not the input. */
  shortcut?: string;
  /** What comes out, if that is not the output. */
  result?: string;
}

/** What a step reads for its numbers, and not for its size or type only. */
function valuesRead({ node, reads }: Step): readonly string[] {
  if (node.opType === 'Shape' || node.opType === 'Size') return [];
  return node.opType === 'CastLike' ? node.input.slice(0, 1) : reads;
}

function dataIn({ steps, input }: Dataflow): Set<string> {
  const data = new Set([input]);
  for (const step of steps) {
    if (!valuesRead(step).some((name) => data.has(name))) continue;
    for (const name of step.makes) data.add(name);
  }
  return data;
}

function waistsOf({ steps, input }: Dataflow, data: ReadonlySet<string>, output: string): Waist[] {
  const lastRead = new Map([[output, steps.length]]);
  for (const [position, step] of steps.entries()) {
    for (const name of valuesRead(step)) if (name !== output && data.has(name)) lastRead.set(name, position);
  }
  const waists: Waist[] = [{ before: 0, tensor: input }];
  const live = new Set([input]);
  for (const [position, { makes }] of steps.entries()) {
    for (const name of makes) if (data.has(name)) live.add(name);
    for (const name of live) if ((lastRead.get(name) ?? -1) <= position) live.delete(name);
    const [only] = live;
    const isNew = only !== undefined && only !== waists.at(-1)!.tensor;
    if (live.size === 1 && isNew) waists.push({ before: position + 1, tensor: only });
  }
  return waists;
}
