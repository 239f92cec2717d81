/**
 * The program of a sweep whose sessions are shared (shared-parts.ts). All weights are tensors of the worker, which every
 * batch fills; a session is given those of the part that it computes, and a cell's own where they are reset.
 */
import { setImmediate } from 'node:timers/promises';
import type { Cell } from '../design/cells.js';
import { membersOf, type Resettable } from '../model/layer-group.js';
import type { EngineStep } from '../native/engine.js';
import type { Tensor } from '../onnx/onnx_pb.js';
import { dimensions, FLOAT, floats } from '../onnx/tensors.js';
import { isActivation, type MeasuredReplacement } from '../resets/activation.js';
import { replacementIn } from '../resets/kinds.js';
import { parameterResets } from '../resets/parameter-resets.js';
import { leavesLayer } from '../resets/reset.js';
import { ownGraph } from './base-graph.js';
import { dependents } from './dataflow.js';
import { extract } from './extract.js';
import { insideBytes } from './inside.js';
import { bytesOf } from './lay-out.js';
import { type Place, placesOf } from './placed.js';
import { type Compiled, type CompileInput, isStep, type SessionGraph, slotOf } from './program.js';
import { ProgramBuilder } from './program-builder.js';
import { foldedNodes, type SharedPart, type SharedParts, tensorsBetween } from './shared-parts.js';
import { type StructureContext, structureOf } from './structure.js';

/** A session and the stored tensors that it takes behind the inputs of the part. */
interface SharedSession {
  session: number;
  weights: readonly string[];
}

/** What a cell has instead of the model's stored tensors: a slot, or what one is to be filled with. */
type Instead = Map<string, number | Tensor>;

/** With turns of the event loop in between. */
export function compileShared(input: CompileInput, shared: SharedParts): Promise<Compiled> {
  return new SharedCompiler(input, shared).compile();
}

class SharedCompiler {
  readonly #builder: ProgramBuilder;
  readonly #sessions: SessionGraph[] = [];
  readonly #byStructure = new Map<string, number>();
  readonly #byPart = new Map<string, SharedSession>();
  /** Slots of the model's own weights. */
  readonly #weights = new Map<string, number>();
  /** Parameters that several cells reset alike. */
  readonly #alike = new Map<string, { slot: number; cells: number[] }>();
  readonly #about: StructureContext;
  /** The model's own values where a factor goes with them. */
  readonly #scaled: ReadonlyMap<string, Place>;
  readonly #folded: ReturnType<typeof foldedNodes>;
  /** Steps that make something of reset weights alone. */
  readonly #made: ReadonlySet<number>;
  #inside = 0;

  constructor(
    private readonly input: CompileInput,
    private readonly shared: SharedParts,
  ) {
    const { model, source, flow, shapes, context } = input;
    this.#builder = new ProgramBuilder(model, shapes);
    // As trained, also where a reset takes the norm behind a layer with it.
    const { places } = context.norm === 'reset' ? ownGraph(model, 'keep') : source;
    const between = tensorsBetween(shared);
    const placed = [...new Set(places.values())].filter(
      ({ fold }) => fold && !between.has(fold.conv.output[0]!),
    );
    this.#folded = foldedNodes(placed);
    const shifts = placed.flatMap(({ fold }) => fold?.shift ?? []);
    const factored = placed.flatMap(placesOf).filter(({ factor, shift }) => factor ?? shift);
    this.#scaled = new Map(factored.map((place) => [place.tensor, place]));
    const reset = shared.parts.layers.flatMap(({ parameters }) => parameters);
    this.#made = new Set(dependents(flow, reset).filter((at) => !flow.steps[at]!.dynamic));
    const stored = [...source.graph.initializer, ...shifts].map((one): [string, Tensor] => [one.name, one]);
    const parameters = new Set([...reset, ...this.#scaled.keys(), ...shifts.map(({ name }) => name)]);
    this.#about = { flow, stored: new Map(stored), parameters, shapeOf: (name) => this.#builder.shape(name) };
  }

  async compile(): Promise<Compiled> {
    const { source, planned, limits, cells: all } = this.input;
    const { segments, parts } = this.shared;
    const cells = all.filter(({ reset }) => !isActivation(reset));
    const input = this.#builder.slot(this.#builder.shape(source.input));
    const original = new Map([[source.input, input]]);
    const ahead = planned * bytesOf(this.#builder.shape(source.output)) > limits.keptLogits;
    if (ahead) this.#runOn(0, original);

    const compares: EngineStep[] = [];
    /** Cells whose logits are the original's. */
    const left: Cell[] = [];
    const slots = ahead ? new Map([[source.input, input]]) : original;
    const add = (slot: number, { index: cell }: Cell) =>
      (ahead ? this.#builder.steps : compares).push({ kind: 'compare', slot, cell });
    for (const i of segments.keys()) {
      await setImmediate();
      this.#run(this.#segment(i), slots);
      for (const { layer, outputs } of parts.layers.filter(({ segment }) => segment === i)) {
        for (const cell of cells.filter((cell) => cell.layer === layer)) {
          const slot = await this.#cell(cell, i, outputs.length > 0, slots);
          if (slot === undefined) left.push(cell);
          else add(slot, cell);
        }
      }
      for (const { output } of parts.activations.filter(({ segment }) => segment === i)) {
        for (const { cell, replacement } of this.#replacing(output))
          add(this.#activationCell(cell, replacement, i, slots), cell);
      }
    }
    const logits = slotOf(original, source.output);
    for (const { index } of left) compares.push({ kind: 'compare', slot: logits, cell: index });
    for (const step of compares) this.#builder.steps.push(step);
    await setImmediate();
    return {
      sessions: this.#sessions,
      ...this.#builder.finish(input, logits, all.length),
      keyed: this.#builder.keyed,
      insideBytes: this.#inside,
    };
  }

  /** Steps of one cell; the slot of its logits, or undefined where the reset leaves the layer as it is. */
  async #cell(
    cell: Cell,
    segment: number,
    reaches: boolean,
    original: ReadonlyMap<string, number>,
  ): Promise<number | undefined> {
    const { model, source, context } = this.input;
    const { layer, reset, trial } = cell;
    const resets = await parameterResets(model, layer, reset, trial, context);
    if (leavesLayer(layer, reset, resets, context)) return undefined;
    const instead: Instead = new Map();
    const placed = membersOf(layer).map((member) => source.places.get(member)!);
    // Of the norm that a reset takes with it.
    if (context.norm === 'reset') {
      for (const { extra } of placed) for (const tensor of extra) instead.set(tensor.name, tensor);
    }
    const places = placed.flatMap(placesOf);
    const { parameters } = this.shared.parts.layers.find((part) => part.layer === layer)!;
    for (const tensor of parameters) {
      const key = JSON.stringify([tensor, reset.label, trial]);
      const known = isStep(layer) ? this.#alike.get(key) : undefined;
      if (known) {
        instead.set(tensor, known.slot);
        known.cells.push(cell.index);
        continue;
      }
      const place = places.find((place) => place.tensor === tensor)!;
      const slot = this.#builder.slot({ type: FLOAT, dims: place.dims });
      instead.set(tensor, slot);
      const cells = [cell.index];
      if (isStep(layer)) this.#alike.set(key, { slot, cells });
      // What this reset leaves, while another one of the sweep replaces it, stays as it is.
      this.#builder.reset(
        this.#scaled.has(tensor) ? place : { ...place, factor: undefined },
        slot,
        resets.find(({ parameter }) => parameter === place.parameter),
        { of: cell, cells },
      );
    }
    // A layer that does not reach the logits has nothing to run.
    if (!reaches) return slotOf(original, source.output);
    return this.#suffix(this.#beginOf(layer, segment), segment, new Map(original), cell, instead);
  }

  #beginOf(layer: Resettable, segment: number): SharedSession & { part: SharedPart } {
    const part = this.shared.begins.get(layer)!;
    return this.#session(`segment ${segment} from step ${part.steps[0]}`, part);
  }

  /** Cells in which a tensor is replaced. */
  #replacing(output: string): { cell: Cell; replacement: MeasuredReplacement }[] {
    return this.input.cells
      .filter(({ reset }) => isActivation(reset))
      .map((cell) => ({ cell, replacement: replacementIn(this.input.context, cell) }))
      .filter(({ replacement }) => replacement.output === output);
  }

  #activationCell(
    cell: Cell,
    { output, source, mean, axis }: MeasuredReplacement,
    segment: number,
    original: ReadonlyMap<string, number>,
  ): number {
    const slots = new Map(original);
    slots.set(
      output,
      source === null ? this.#builder.filled(output, mean!, axis, cell) : slotOf(original, source),
    );
    const part = this.shared.replaces.get(output)!;
    if (part.outputs.length === 0) return slotOf(slots, this.input.source.output);
    return this.#suffix(this.#session(`behind ${output}`, part), segment, slots, cell);
  }

  /** From a beginning in a segment to the logits; their slot. */
  #suffix(
    begin: SharedSession & { part: SharedPart },
    segment: number,
    slots: Map<string, number>,
    cell: Cell,
    instead?: Instead,
  ): number {
    this.#run(begin, slots, cell, instead);
    this.#runOn(segment + 1, slots, cell, instead);
    return slotOf(slots, this.input.source.output);
  }

  #runOn(first: number, slots: Map<string, number>, cell?: Cell, instead?: Instead): void {
    for (const i of this.shared.segments.keys())
      if (i >= first) this.#run(this.#segment(i), slots, cell, instead);
  }

  /** Reads and writes by name, its outputs in slots of their own. */
  #run(
    { session, weights, part }: SharedSession & { part: SharedPart },
    slots: Map<string, number>,
    cell?: Cell,
    instead?: Instead,
  ): void {
    const inputs = [
      ...part.inputs.map((name) => slotOf(slots, name)),
      ...weights.map((name) => this.#insteadOf(name, cell, instead) ?? this.#weight(name)),
    ];
    const outputs = part.outputs.map((name) => this.#builder.slot(this.#builder.shape(name)));
    for (const [i, name] of part.outputs.entries()) slots.set(name, outputs[i]!);
    this.#builder.steps.push({
      kind: 'run',
      session,
      inputs,
      outputs,
      ...(cell !== undefined && { cell: cell.index }),
    });
  }

  #insteadOf(name: string, cell: Cell | undefined, instead: Instead | undefined): number | undefined {
    const found = instead?.get(name);
    if (found === undefined || typeof found === 'number') return found;
    const slot = this.#builder.slot({ type: FLOAT, dims: dimensions(found) });
    this.#builder.fill(slot, floats(found), 1, cell!.index);
    instead!.set(name, slot);
    return slot;
  }

  /** The slot of a stored tensor as the model has it; filled in every batch, before it is first needed. */
  #weight(name: string): number {
    const known = this.#weights.get(name);
    if (known !== undefined) return known;
    const tensor = this.#about.stored.get(name)!;
    const slot = this.#builder.slot({ type: FLOAT, dims: dimensions(tensor) });
    const place = this.#scaled.get(name);
    if (place) this.#builder.reset(place, slot, undefined);
    else this.#builder.fill(slot, floats(tensor), 1);
    this.#weights.set(name, slot);
    return slot;
  }

  #segment(i: number): SharedSession & { part: SharedPart } {
    const part = this.shared.segments[i]!;
    return this.#session(`segment ${i} from step ${part.steps[0]}`, part);
  }

  #session(name: string, part: SharedPart): SharedSession & { part: SharedPart } {
    const key = [part.steps.join(), part.inputs.join(), part.outputs.join()].join('\n');
    const known = this.#byPart.get(key);
    if (known) return { ...known, part };
    const { source, flow, rewrite = (part) => part } = this.input;
    const nodes = this.#folded(this.#withMade(part.steps).map((at) => flow.steps[at]!.node));
    const content = rewrite({ nodes, inputs: part.inputs, outputs: part.outputs });
    const { key: structure, weights } = structureOf(content, this.#about);
    const stored = new Map([
      ...this.#about.stored,
      ...(content.extra ?? []).map((one) => [one.name, one] as const),
    ]);
    const shapeOf = (tensor: string) =>
      weights.includes(tensor)
        ? { type: FLOAT, dims: dimensions(stored.get(tensor)!) }
        : this.#builder.shape(tensor);
    const same = this.#byStructure.get(structure);
    const session =
      same ??
      this.#sessions.push({
        name,
        // They are inputs.
        constantConvolutions: false,
        extract: () =>
          extract(source, flow, { ...content, inputs: [...content.inputs, ...weights] }, shapeOf),
      }) - 1;
    if (same === undefined) {
      this.#byStructure.set(structure, session);
      this.#inside = Math.max(this.#inside, insideBytes(content, this.input.shapes));
    }
    const found = { session, weights };
    this.#byPart.set(key, found);
    return { ...found, part };
  }

  /** With the steps before them that make something of reset weights: sessions are given those, not what is stored. */
  #withMade(steps: readonly number[]): number[] {
    const { flow } = this.input;
    const all = new Set(steps);
    // Grows while it is walked through.
    for (const at of all) {
      for (const name of flow.steps[at]!.reads) {
        const maker = flow.maker.get(name);
        if (maker !== undefined && this.#made.has(maker)) all.add(maker);
      }
    }
    return [...all].sort((a, b) => a - b);
  }
}
