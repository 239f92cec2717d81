/**
 * The sessions that parts of a model share (shared-parts.ts): a part's weights are inputs, behind its own, so that parts
 * which are alike but for their values are one session. Pure.
 */
import type { Tensor } from '../onnx/onnx_pb.js';
import { dimensions, FLOAT } from '../onnx/tensors.js';
import type { TensorShape } from '../onnx/value-info.js';
import { ownGraph } from './base-graph.js';
import { dependents } from './dataflow.js';
import { extract, type Part } from './extract.js';
import { insideBytes } from './inside.js';
import { type Place, placesOf } from './placed.js';
import type { CompileInput, SessionGraph } from './program.js';
import { sliceOf } from './program-builder.js';
import { foldedNodes, type SharedPart, type SharedParts, tensorsBetween } from './shared-parts.js';
import { type StructureContext, structureOf } from './structure.js';

/** A session and the stored tensors that it takes behind the inputs of the part. */
export interface SharedSession {
  session: number;
  weights: readonly string[];
}

export class SharedSessions {
  readonly graphs: SessionGraph[] = [];
  /** The most bytes of tensors inside of one. */
  insideBytes = 0;
  /** Of trained weights, in all of them together. */
  storedBytes = 0;
  /** The model's own values where a factor or a shift goes with them. */
  readonly scaled: ReadonlyMap<string, Place>;
  /** Stored tensors by name. */
  readonly stored: ReadonlyMap<string, Tensor>;
  readonly #byStructure = new Map<string, number>();
  readonly #byPart = new Map<string, SharedSession>();
  readonly #weightNames = new Map<string, readonly string[]>();
  readonly #about: StructureContext;
  readonly #folded: ReturnType<typeof foldedNodes>;
  /** Steps that make something of reset weights alone. */
  readonly #made: ReadonlySet<number>;

  constructor(
    private readonly input: CompileInput,
    private readonly shared: SharedParts,
  ) {
    const { model, source, flow, context } = input;
    // As trained, also where a reset takes the norm behind a layer with it.
    const { places } = context.norm === 'reset' ? ownGraph(model, 'keep') : source;
    const between = tensorsBetween(shared);
    const placed = [...new Set(places.values())].filter(
      ({ fold }) => fold && !between.has(fold.conv.output[0]!),
    );
    this.#folded = foldedNodes(placed);
    const shifts = placed.flatMap(({ fold }) => fold?.shift ?? []);
    const factored = placed.flatMap(placesOf).filter(({ factor, shift }) => factor ?? shift);
    this.scaled = new Map(factored.map((place) => [place.tensor, place]));
    const reset = shared.parts.layers.flatMap(({ parameters }) => parameters);
    this.#made = new Set(dependents(flow, reset).filter((at) => !flow.steps[at]!.dynamic));
    this.stored = new Map([...source.graph.initializer, ...shifts].map((one) => [one.name, one]));
    // Of norms that resets take with them; small ones would be a part of the structure.
    const extra = context.norm === 'reset' ? [...source.places.values()].flatMap(({ extra }) => extra) : [];
    const given = [...shifts, ...extra].map(({ name }) => name);
    const parameters = new Set([...reset, ...this.scaled.keys(), ...given]);
    this.#about = { flow, stored: this.stored, parameters, shapeOf: (name) => this.#shape(name) };
  }

  /** With the trained weights in it, for convolutions with channels last. */
  asTrained(part: SharedPart, segment: number): SharedSession {
    const key = `trained ${keyOf(part)}`;
    const known = this.#byPart.get(key);
    if (known) return known;
    const { source, flow, shapes, rewrite = (part) => part } = this.input;
    const { steps, inputs, outputs } = part;
    // ONNX Runtime folds norms itself where weights are constants.
    const nodes = steps.map((at) => flow.steps[at]!.node);
    const convolutions = nodes.filter(({ opType }) => /^Conv(Transpose)?$/.test(opType));
    const content = rewrite({ nodes, inputs, outputs });
    const session =
      this.graphs.push({
        name: `segment ${segment} from step ${steps[0]}, as trained`,
        constantConvolutions: convolutions.every(({ input }) => this.stored.has(input[1] ?? '')),
        extract: () => extract(source, flow, content, (name) => this.#shape(name)),
      }) - 1;
    this.insideBytes = Math.max(this.insideBytes, insideBytes(content, shapes));
    for (const name of this.weightsOf(part))
      this.storedBytes += this.stored.get(name)?.rawData.byteLength ?? 0;
    const found = { session, weights: [] };
    this.#byPart.set(key, found);
    return found;
  }

  /** @param inSlices - its tensors have the rows of one slice, not of the batch */
  of(part: SharedPart, segment: number, inSlices: boolean): SharedSession {
    const key = `${inSlices} ${keyOf(part)}`;
    const known = this.#byPart.get(key);
    if (known) return known;
    const { source, flow, shapes } = this.input;
    const content = this.#contentOf(part);
    const { slices } = this.shared;
    const rowsOf = (name: string) => (inSlices ? sliceOf(this.#shape(name), slices) : this.#shape(name));
    const { key: structure, weights } = structureOf(content, { ...this.#about, shapeOf: rowsOf });
    const stored = new Map([...this.stored, ...(content.extra ?? []).map((one) => [one.name, one] as const)]);
    const shapeOf = (name: string) =>
      weights.includes(name) ? { type: FLOAT, dims: dimensions(stored.get(name)!) } : rowsOf(name);
    const same = this.#byStructure.get(structure);
    const session =
      same ??
      this.graphs.push({
        name: `segment ${segment} from step ${part.steps[0]}${inSlices ? ', a slice' : ''}`,
        // They are inputs.
        constantConvolutions: false,
        extract: () =>
          extract(source, flow, { ...content, inputs: [...content.inputs, ...weights] }, shapeOf),
      }) - 1;
    if (same === undefined) {
      this.#byStructure.set(structure, session);
      if (!inSlices) this.insideBytes = Math.max(this.insideBytes, insideBytes(content, shapes));
    }
    const found = { session, weights };
    this.#byPart.set(key, found);
    return found;
  }

  /** Stored tensors that a part's session takes, whatever its rows. */
  weightsOf(part: SharedPart): readonly string[] {
    const key = keyOf(part);
    const found = this.#weightNames.get(key) ?? structureOf(this.#contentOf(part), this.#about).weights;
    this.#weightNames.set(key, found);
    return found;
  }

  #contentOf({ steps, inputs, outputs }: SharedPart): Part {
    const { flow, rewrite = (part) => part } = this.input;
    const nodes = this.#folded(this.#withMade(steps).map((at) => flow.steps[at]!.node));
    return rewrite({ nodes, inputs, outputs });
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

  /** Of the whole batch. */
  #shape(name: string): TensorShape {
    return this.input.shapes.get(name)!;
  }
}

const keyOf = ({ steps, inputs, outputs }: SharedPart) => [steps, inputs, outputs].map(String).join('\n');
