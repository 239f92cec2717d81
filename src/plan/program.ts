/**
 * The parts of a sweep as a program for the engine: graphs to make sessions of, tensors with their memory, and
 * the steps of one batch. Segments go in order, so only one segment's activations are alive; a cell is its
 * resets, or what takes a tensor's place, its layer's part, the plain segments after it, and its logits.
 */
import { setImmediate } from 'node:timers/promises';
import type { Cell } from '../design/cells.js';
import { membersOf, type Resettable } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import type { EngineProgram, EngineStep } from '../native/engine.js';
import type { Node, Tensor } from '../onnx/onnx_pb.js';
import { FLOAT } from '../onnx/tensors.js';
import type { TensorShape } from '../onnx/value-info.js';
import { isActivation, type MeasuredReplacement } from '../resets/activation.js';
import { type ResetContext, replacementIn } from '../resets/kinds.js';
import { parameterResets } from '../resets/parameter-resets.js';
import { leavesLayer } from '../resets/reset.js';
import { type BaseGraph, nodesOf } from './base-graph.js';
import type { Dataflow } from './dataflow.js';
import { type Extracted, extract, type Part } from './extract.js';
import type { KeyedParameter } from './keys.js';
import { bytesOf } from './lay-out.js';
import type { PlanLimits } from './limits.js';
import type { ActivationPart, LayerPart, Parts } from './parts.js';
import { type Place, type PlacedLayer, placesOf } from './placed.js';
import { ProgramBuilder } from './program-builder.js';

/** A graph that the engine makes a session of. */
export interface SessionGraph {
  name: string;
  /** Whether nothing of it is reset and the weights of all its convolutions are stored in the graph. */
  constantConvolutions: boolean;
  /** Made when it is asked for, so that not all of them are in memory at once. */
  extract(): Extracted;
}

export interface Compiled {
  sessions: SessionGraph[];
  program: EngineProgram;
  /** What the program's keys are of, in their order. */
  keyed: readonly KeyedParameter[];
  /** Bytes of one worker's tensors. */
  workerBytes: number;
  /** The most bytes of tensors inside of a session; only where sessions are shared. */
  insideBytes?: number;
  /** Bytes of the weights that sessions have as constants; only where sessions are shared. */
  storedBytes?: number;
}

export interface CompileInput {
  model: Model;
  source: BaseGraph;
  flow: Dataflow;
  parts: Parts;
  shapes: ReadonlyMap<string, TensorShape>;
  cells: readonly Cell[];
  /** How many cells were planned for; more than there are in a part of a sweep. */
  planned: number;
  context: ResetContext;
  limits: PlanLimits;
  /** What a part is instead, with the same inputs and outputs. */
  rewrite?: ((part: Part) => Part) | undefined;
}

/** With turns of the event loop in between: hundreds of cells take some tens of milliseconds. */
export function compile(input: CompileInput): Promise<Compiled> {
  return new Compiler(input).compile();
}

class Compiler {
  readonly #sessions: SessionGraph[] = [];
  readonly #sessionOf = new Map<string, number>();
  readonly #builder: ProgramBuilder;
  /** Parameters that several cells reset alike, by tensor, reset and trial: the step that does it, and its cells. */
  readonly #shared = new Map<string, { slot: number; cells: number[] }>();
  /** Slots of the original run's tensors, by name. */
  readonly #original = new Map<string, number>();

  constructor(private readonly input: CompileInput) {
    this.#builder = new ProgramBuilder(input.model, input.shapes);
  }

  async compile(): Promise<Compiled> {
    const { source, parts, limits } = this.input;
    const cells = this.input.cells.filter(({ reset }) => !isActivation(reset));
    const replacing = this.#replacing();
    const logitsName = this.input.source.output;
    const ahead = this.input.planned * bytesOf(this.#builder.shape(logitsName)) > limits.keptLogits;
    this.#original.set(source.input, this.#builder.slot(this.#builder.shape(source.input)));
    if (ahead) this.#runOn(0, this.#original);

    const compares: EngineStep[] = [];
    /** Cells whose logits are the original's. */
    const left: Cell[] = [];
    const segmentSlots = ahead
      ? new Map([[source.input, slotOf(this.#original, source.input)]])
      : this.#original;
    for (const [i, segment] of parts.segments.entries()) {
      await setImmediate();
      const made = [...segment.outputs, ...segment.taps];
      this.#run(this.#originalSession(i), segment.inputs, made, segmentSlots);
      for (const part of parts.layers.filter((part) => part.segment === i)) {
        for (const cell of cells.filter((cell) => cell.layer === part.layer)) {
          const slot = await this.#cell(part, cell, segmentSlots);
          if (slot === undefined) left.push(cell);
          else if (ahead) this.#builder.steps.push({ kind: 'compare', slot, cell: cell.index });
          else compares.push({ kind: 'compare', slot, cell: cell.index });
        }
      }
      for (const part of parts.activations.filter((part) => part.segment === i)) {
        for (const { cell, replacement } of replacing.get(part.output) ?? []) {
          const slot = this.#activationCell(part, cell, replacement, segmentSlots);
          (ahead ? this.#builder.steps : compares).push({ kind: 'compare', slot, cell: cell.index });
        }
      }
    }
    const logits = slotOf(this.#original, logitsName);
    for (const { index } of left) compares.push({ kind: 'compare', slot: logits, cell: index });
    for (const step of compares) this.#builder.steps.push(step);
    await setImmediate();
    const input = slotOf(this.#original, source.input);
    return {
      sessions: this.#sessions,
      ...this.#builder.finish(input, logits, this.input.cells.length),
      keyed: this.#builder.keyed,
    };
  }

  /** Steps of one cell; the slot of its logits, or undefined where the reset leaves the layer as it is. */
  async #cell(
    part: LayerPart,
    cell: Cell,
    original: ReadonlyMap<string, number>,
  ): Promise<number | undefined> {
    const { model, source, context } = this.input;
    const slots = new Map(original);
    const resets = await parameterResets(model, part.layer, cell.reset, cell.trial, context);
    if (leavesLayer(part.layer, cell.reset, resets, context)) return undefined;
    for (const tensor of part.parameters) {
      const key = JSON.stringify([tensor, cell.reset.label, cell.trial]);
      const known = this.#shared.get(key);
      if (isStep(part.layer) && known) {
        slots.set(tensor, known.slot);
        known.cells.push(cell.index);
        continue;
      }
      const place = this.#place(part, tensor);
      const slot = this.#builder.slot({ type: FLOAT, dims: place.dims });
      slots.set(tensor, slot);
      const reset = resets.find(({ parameter }) => parameter === place.parameter);
      const step = { cells: [cell.index], slot };
      if (isStep(part.layer)) this.#shared.set(key, step);
      // A parameter that this reset leaves, while another reset of the sweep replaces it: all of it stays.
      this.#builder.steps.push(this.#builder.reset(place, slot, reset, { of: cell, cells: step.cells }));
    }
    const inputs = [...part.parameters, ...part.inputs];
    // A layer that does not reach the logits has nothing to run.
    if (part.outputs.length === 0) return slotOf(original, source.output);
    this.#run(this.#layerSession(part), inputs, part.outputs, slots, cell.index);
    this.#runOn(part.next, slots, cell.index);
    return slotOf(slots, source.output);
  }

  /** Cells of resets of activations, by the tensor that they replace. */
  #replacing(): Map<string, { cell: Cell; replacement: MeasuredReplacement }[]> {
    const found = new Map<string, { cell: Cell; replacement: MeasuredReplacement }[]>();
    for (const cell of this.input.cells) {
      if (!isActivation(cell.reset)) continue;
      const replacement = replacementIn(this.input.context, cell);
      const known = found.get(replacement.output);
      if (known) known.push({ cell, replacement });
      else found.set(replacement.output, [{ cell, replacement }]);
    }
    return found;
  }

  /** Steps of one cell in which a tensor is replaced; the slot of its logits. */
  #activationCell(
    part: ActivationPart,
    cell: Cell,
    { output, source, mean, axis }: MeasuredReplacement,
    original: ReadonlyMap<string, number>,
  ): number {
    const slots = new Map(original);
    slots.set(
      output,
      source === null ? this.#builder.filled(output, mean!, axis, cell) : slotOf(original, source),
    );
    if (part.outputs.length > 0) {
      const session = this.#session(`behind ${output}`, this.#nodes(part.steps), part.inputs, part.outputs);
      this.#run(session, part.inputs, part.outputs, slots, cell.index);
    }
    this.#runOn(part.next, slots, cell.index);
    return slotOf(slots, this.input.source.output);
  }

  #placed(part: LayerPart): PlacedLayer[] {
    const { places } = this.input.source;
    return membersOf(part.layer).map((layer) => places.get(layer) as PlacedLayer);
  }

  #place(part: LayerPart, tensor: string): Place {
    const places = this.#placed(part).flatMap(placesOf);
    return places.find((place) => place.tensor === tensor) as Place;
  }

  #originalSession(i: number): number {
    const { steps, inputs, outputs, taps } = this.input.parts.segments[i] ?? noSegment;
    if (taps.length === 0) return this.#plainSession(i);
    return this.#session(`original run of segment ${i}`, this.#nodes(steps), inputs, [...outputs, ...taps]);
  }

  #plainSession(i: number): number {
    const { steps, inputs, outputs } = this.input.parts.segments[i] ?? noSegment;
    return this.#session(`segment ${i}`, this.#nodes(steps), inputs, outputs);
  }

  #layerSession(part: LayerPart): number {
    const placed = this.#placed(part);
    const inputs = [...part.parameters, ...part.inputs];
    const nodes = placed.reduce(nodesOf, this.#nodes(part.steps));
    const extra = placed.flatMap((one) => one.extra);
    return this.#session(`layer ${part.layer.name}`, nodes, inputs, part.outputs, extra, part);
  }

  #session(
    name: string,
    nodes: Node[],
    inputs: readonly string[],
    outputs: readonly string[],
    extra: readonly Tensor[] = [],
    part?: LayerPart,
  ): number {
    const known = this.#sessionOf.get(name);
    if (known !== undefined) return known;
    const { source, flow, rewrite = (part) => part } = this.input;
    const shapeOf = (tensor: string) =>
      part?.parameters.includes(tensor)
        ? { type: FLOAT, dims: this.#place(part, tensor).dims }
        : this.#builder.shape(tensor);
    const content = { nodes, inputs, outputs, extra };
    const make = () => extract(source, flow, rewrite(content), shapeOf);
    const index = this.#sessions.push({ name, constantConvolutions: false, extract: make }) - 1;
    this.#sessionOf.set(name, index);
    return index;
  }

  /** A session's run: reads and writes by name, its outputs in slots of their own. */
  #run(
    session: number,
    inputs: readonly string[],
    outputs: readonly string[],
    slots: Map<string, number>,
    cell?: number,
  ): void {
    const from = inputs.map((name) => slotOf(slots, name));
    const to = outputs.map((name) => this.#builder.slot(this.#builder.shape(name)));
    for (const [i, name] of outputs.entries()) slots.set(name, to[i] ?? 0);
    this.#builder.steps.push({
      kind: 'run',
      session,
      inputs: from,
      outputs: to,
      ...(cell !== undefined && { cell }),
    });
  }

  /** Plain segments from one on, of a cell or else as a part of the original run. */
  #runOn(first: number, slots: Map<string, number>, cell?: number): void {
    for (const [i, { inputs, outputs }] of this.input.parts.segments.entries()) {
      if (i >= first) this.#run(this.#plainSession(i), inputs, outputs, slots, cell);
    }
  }

  #nodes(positions: readonly number[]): Node[] {
    return positions.map((position) => this.input.flow.steps[position]?.node as Node);
  }
}

/**
 * Whether it is a step of a cascade. Its weights are drawn once for all steps, which need them all at the end anyway; other
 * groups would need more memory for that.
 */
export const isStep = (layer: Resettable) =>
  'members' in layer &&
  layer.at !== undefined &&
  // A layer with the norm behind it has such a place too.
  layer.members.filter(({ accompanies }) => !accompanies).length > 1;

const noSegment = { steps: [], inputs: [], outputs: [], taps: [] };

export function slotOf(slots: ReadonlyMap<string, number>, name: string): number {
  const slot = slots.get(name);
  if (slot === undefined) throw new RangeError(`the plan reads ${name} before it is made`);
  return slot;
}
