/** A program for the engine while it is made: its slots, constants and steps, whatever sessions they run. */
import type { Cell } from '../design/cells.js';
import type { Model } from '../model/model.js';
import type { EngineProgram, EngineRule, EngineStep, StepCells } from '../native/engine.js';
import type { ResetRule } from '../native/reset-rule.js';
import type { TensorShape } from '../onnx/value-info.js';
import type { ParameterReset } from '../resets/parameters.js';
import type { KeyedParameter } from './keys.js';
import { bytesOf, layOut, type View } from './lay-out.js';
import type { Place } from './placed.js';

export type ResetStep = Extract<EngineStep, { kind: 'reset' }>;

/** The shape of one slice's rows. */
export const sliceOf = ({ type, dims: [rows = 1, ...row] }: TensorShape, slices: number): TensorShape => ({
  type,
  dims: [rows / slices, ...row],
});

export class ProgramBuilder {
  readonly steps: EngineStep[] = [];
  /** What the program's keys are of, in their order. */
  readonly keyed: KeyedParameter[] = [];
  readonly #slots: TensorShape[] = [];
  readonly #constants: Float32Array[] = [];
  readonly #constantOf = new Map<Float32Array, number>();
  readonly #views = new Map<number, View>();
  readonly #slicesOf = new Map<number, readonly number[]>();

  /** @param count - slices of a batch */
  constructor(
    private readonly model: Model,
    private readonly shapes: ReadonlyMap<string, TensorShape>,
    private readonly count = 1,
  ) {}

  slot(shape: TensorShape): number {
    return this.#slots.push(shape) - 1;
  }

  /** A slot's rows of each of the batch's slices, as slots. */
  slices(slot: number): readonly number[] {
    const known = this.#slicesOf.get(slot);
    if (known) return known;
    const shape = sliceOf(this.#slots[slot]!, this.count);
    const found = Array.from({ length: this.count }, (_, i) => {
      const view = this.slot(shape);
      this.#views.set(view, { slot, offset: i * bytesOf(shape) });
      return view;
    });
    this.#slicesOf.set(slot, found);
    return found;
  }

  constant(values: Float32Array): number {
    const known = this.#constantOf.get(values);
    if (known !== undefined) return known;
    const index = this.#constants.push(values) - 1;
    this.#constantOf.set(values, index);
    return index;
  }

  /** @throws RangeError for a tensor that is not the graph's */
  shape(name: string): TensorShape {
    const shape = this.shapes.get(name);
    if (!shape) throw new RangeError(`the tensor ${name} has no known shape`);
    return shape;
  }

  /** A step that makes every channel of a slot one number, bit by bit. */
  fill(slot: number, values: Float32Array, inner: number, cell?: StepCells): void {
    this.steps.push({
      kind: 'reset',
      slot,
      rule: { kind: 'constant', value: 1 },
      layout: { channels: values.length, inner },
      factor: this.constant(values),
      ...(cell !== undefined && { cell }),
    });
  }

  /** A slot like a tensor's, in which every channel is one number. */
  filled(tensor: string, values: Float32Array, axis: number, cell: Cell): number {
    const shape = this.shape(tensor);
    const slot = this.slot(shape);
    const inner = shape.dims.slice(axis + 1).reduce((product, d) => product * d, 1);
    this.fill(slot, values, inner, cell.index);
    return slot;
  }

  /**
   * A step that fills a slot with a parameter.
   * @param reset - undefined for a parameter that stays as it is
   * @param cells - for which it is done, whose draw is that of `cell`; more may be added. For every batch without them
   */
  reset(
    place: Place,
    slot: number,
    reset: ParameterReset | undefined,
    cell?: { of: Cell; cells: number[] },
  ): ResetStep {
    const { parameter, blocked, shift } = place;
    const own = () => this.constant(this.model.values(parameter.tensor));
    const rule = reset?.rule ?? {
      kind: 'interpolate',
      donor: this.model.values(parameter.tensor),
      alpha: 1,
    };
    const factor = product(reset?.factor, place.factor);
    const changes = changing.has(rule.kind);
    return {
      kind: 'reset',
      slot,
      rule: this.#engineRule(rule, cell?.of, reset),
      layout: parameter.layout,
      ...(changes && { source: own() }),
      ...(factor && { factor: this.constant(factor) }),
      ...(shift && { shift: this.constant(shift) }),
      ...(blocked && { blocked }),
      ...(cell && { cell: cell.cells }),
    };
  }

  /** The whole program, its slots laid out; the bytes of one worker's. */
  finish(input: number, logits: number, cells: number): { program: EngineProgram; workerBytes: number } {
    const program: EngineProgram = {
      slots: [],
      constants: this.#constants,
      input,
      logits,
      cells,
      steps: this.steps,
      slices: this.count,
      keys: this.keyed.length,
    };
    const { slots, bytes } = layOut(this.#slots, program, this.#views);
    return { program: { ...program, slots }, workerBytes: bytes };
  }

  /** @param reset - whose rule it is; what no reset draws has no key */
  #engineRule(rule: ResetRule, cell: Cell | undefined, reset: ParameterReset | undefined): EngineRule {
    if (rule.kind === 'interpolate') return { ...rule, donor: this.constant(rule.donor) };
    if (rule.kind === 'quantize') return { ...rule, scales: this.constant(rule.scales) };
    if (!('key' in rule)) return rule;
    const { owner, role } = reset!;
    const key = this.keyed.push({ cell: cell!, owner, role }) - 1;
    return rule.kind === 'blend' ? { ...rule, donor: this.constant(rule.donor), key } : { ...rule, key };
  }
}

/** Rules that start from the layer's own weights. */
const changing: ReadonlySet<ResetRule['kind']> = new Set([
  ...(['shuffle', 'noise', 'interpolate', 'blend', 'quantize', 'prune'] as const),
]);

function product(a: Float32Array | undefined, b: Float32Array | undefined): Float32Array | undefined {
  return a && b ? a.map((value, c) => value * (b[c] ?? 1)) : (a ?? b);
}
