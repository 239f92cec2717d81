/**
 * The program of a sweep whose sessions are shared (shared-parts.ts). All weights are tensors of the worker, which every
 * batch fills; a session is given those of the part that it computes, and a cell's own where they are reset.
 */
import { setImmediate } from 'node:timers/promises';
import type { Cell } from '../design/cells.js';
import { membersOf } from '../model/layer-group.js';
import type { EngineStep } from '../native/engine.js';
import type { Tensor } from '../onnx/onnx_pb.js';
import { dimensions, FLOAT, floats } from '../onnx/tensors.js';
import { isActivation, type MeasuredReplacement } from '../resets/activation.js';
import { replacementIn } from '../resets/kinds.js';
import { parameterResets } from '../resets/parameter-resets.js';
import { leavesLayer } from '../resets/reset.js';
import { bytesOf } from './lay-out.js';
import { placesOf } from './placed.js';
import { type Compiled, type CompileInput, isStep, slotOf } from './program.js';
import { ProgramBuilder, type ResetStep } from './program-builder.js';
import { type SharedPart, type SharedParts, sliced } from './shared-parts.js';
import { SharedSessions } from './shared-sessions.js';

/** What a cell has instead of the model's stored tensors: a slot, what one is to be filled with, or is in each slice. */
type Instead = Map<string, number | Tensor | ResetStep>;

/** With turns of the event loop in between. */
export function compileShared(input: CompileInput, shared: SharedParts): Promise<Compiled> {
  return new SharedCompiler(input, shared).compile();
}

class SharedCompiler {
  readonly #builder: ProgramBuilder;
  readonly #sessions: SharedSessions;
  /** Slots of the model's own weights. */
  readonly #weights = new Map<string, number>();
  /** Parameters that several cells reset alike. */
  readonly #alike = new Map<string, { slot: number; cells: number[] }>();

  constructor(
    private readonly input: CompileInput,
    private readonly shared: SharedParts,
  ) {
    this.#builder = new ProgramBuilder(input.model, input.shapes, shared.slices);
    this.#sessions = new SharedSessions(input, shared);
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
      this.#run(this.#whole(i), i, slots);
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
      sessions: this.#sessions.graphs,
      ...this.#builder.finish(input, logits, all.length),
      keyed: this.#builder.keyed,
      insideBytes: this.#sessions.insideBytes,
      storedBytes: this.#sessions.storedBytes,
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
      const cells = [cell.index];
      // What this reset leaves, while another one of the sweep replaces it, stays as it is.
      const step = this.#builder.reset(
        this.#sessions.scaled.has(tensor) ? place : { ...place, factor: undefined },
        slot,
        resets.find(({ parameter }) => parameter === place.parameter),
        { of: cell, cells },
      );
      if (this.shared.slices > 1 && 'key' in step.rule) {
        instead.set(tensor, step);
        continue;
      }
      instead.set(tensor, slot);
      if (isStep(layer)) this.#alike.set(key, { slot, cells });
      this.#builder.steps.push(step);
    }
    // A layer that does not reach the logits has nothing to run.
    if (!reaches) return slotOf(original, source.output);
    const isDrawn = [...instead.values()].some(isDrawing);
    const { slices, begins } = this.shared;
    // One that is not drawn begins with the sessions for whole batches, where there are some that take its weights.
    const isWhole = slices > 1 && !isDrawn && this.input.limits.slower === null;
    const begin = isWhole ? this.#whole(segment) : begins.get(layer)!;
    return this.#suffix(begin, segment, new Map(original), cell, instead);
  }

  #whole(segment: number): SharedPart {
    return this.shared.segments[segment]!;
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
    return this.#suffix(part, segment, slots, cell);
  }

  /** From a beginning in a segment to the logits; their slot. */
  #suffix(
    begin: SharedPart,
    segment: number,
    slots: Map<string, number>,
    cell: Cell,
    instead?: Instead,
  ): number {
    this.#run(begin, segment, slots, cell, instead);
    this.#runOn(segment + 1, slots, cell, instead);
    return slotOf(slots, this.input.source.output);
  }

  #runOn(first: number, slots: Map<string, number>, cell?: Cell, instead?: Instead): void {
    for (const i of this.shared.segments.keys())
      if (i >= first) this.#run(this.#whole(i), i, slots, cell, instead);
  }

  /**
   * Reads and writes by name, its outputs in slots of their own. What is drawn anew for every slice is run for one
   * after the other, each on its rows of what the others are in, too.
   */
  #run(
    part: SharedPart,
    segment: number,
    slots: Map<string, number>,
    cell?: Cell,
    instead: Instead = new Map(),
  ): void {
    const hasConstants = this.input.limits.slower !== null;
    const changed = this.#sessions.weightsOf(part).flatMap((name) => instead.get(name) ?? []);
    const drawn = changed.filter(isDrawing);
    const isSliced = drawn.length > 0 || (hasConstants && this.shared.slices > 1 && changed.length > 0);
    const run = isSliced ? sliced(part, this.shared.segments[segment]!) : part;
    const { session, weights } =
      hasConstants && changed.length === 0
        ? this.#sessions.asTrained(run, segment)
        : this.#sessions.of(run, segment, isSliced);
    const given = weights.map((name) => this.#insteadOf(name, cell, instead) ?? this.#weight(name));
    const inputs = run.inputs.map((name) => slotOf(slots, name));
    const outputs = run.outputs.map((name) => this.#builder.slot(this.#builder.shape(name)));
    for (const [i, name] of run.outputs.entries()) slots.set(name, outputs[i]!);
    const of = { kind: 'run' as const, session, ...(cell !== undefined && { cell: cell.index }) };
    if (!isSliced) {
      this.#builder.steps.push({ ...of, inputs: [...inputs, ...given], outputs });
      return;
    }
    for (let slice = 0; slice < this.shared.slices; slice++) {
      const rows = (slot: number) => this.#builder.slices(slot)[slice]!;
      for (const step of drawn) this.#builder.steps.push({ ...step, slice });
      this.#builder.steps.push({
        ...{ ...of, slice },
        inputs: [...inputs.map(rows), ...given],
        outputs: outputs.map(rows),
      });
    }
  }

  #insteadOf(name: string, cell: Cell | undefined, instead: Instead): number | undefined {
    const found = instead.get(name);
    if (found === undefined || typeof found === 'number') return found;
    if (isDrawing(found)) return found.slot;
    const slot = this.#builder.slot({ type: FLOAT, dims: dimensions(found) });
    this.#builder.fill(slot, floats(found), 1, cell!.index);
    instead.set(name, slot);
    return slot;
  }

  /** The slot of a stored tensor as the model has it; filled in every batch, before it is first needed. */
  #weight(name: string): number {
    const known = this.#weights.get(name);
    if (known !== undefined) return known;
    const tensor = this.#sessions.stored.get(name)!;
    const slot = this.#builder.slot({ type: FLOAT, dims: dimensions(tensor) });
    const place = this.#sessions.scaled.get(name);
    if (place) this.#builder.steps.push(this.#builder.reset(place, slot, undefined));
    else this.#builder.fill(slot, floats(tensor), 1);
    this.#weights.set(name, slot);
    return slot;
  }
}

/** Whether it is drawn anew for every slice. */
const isDrawing = (instead: number | Tensor | ResetStep | undefined): instead is ResetStep =>
  typeof instead === 'object' && 'rule' in instead;
