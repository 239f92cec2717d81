/**
 * Finds a model's parameters in what the runtime made of its graph, by their values: under their own name, with
 * a BatchNorm folded in, transposed, or in the blocked order of its convolutions.
 */
import { setImmediate } from 'node:timers/promises';
import type { Model } from '../model/model.js';
import { everyLayer } from '../model/targets.js';
import { native } from '../native/addon.js';
import type { Blocked } from '../native/reset-rule.js';
import { type GraphIndex, indexGraph } from '../onnx/graph.js';
import type { Layer } from '../onnx/layers.js';
import { isNormOp } from '../onnx/norm-ops.js';
import type { Graph, Node, Tensor } from '../onnx/onnx_pb.js';
import { dimensions, elementCount, FLOAT, floats, withFloats } from '../onnx/tensors.js';
import type { ResetContext } from '../resets/kinds.js';
import { initialNorm } from '../resets/reset.js';
import { BLOCKED, replaceStored } from './base-graph.js';
import { type Affine, foldedNorm, layerScale } from './fold.js';
import type { Place, PlacedLayer } from './placed.js';
import { wholesOf } from './split.js';

/** What two ways of folding a norm, in float32, may differ by: |a - b| relative to |a|. */
const ROUNDING = 1e-5;

/** Channels that its kernels take at once, on any processor. */
const BLOCKS = [16, 8, 4, 32];

/** @returns where the parameters of the graph's own layers are, or which layer was not found */
export async function findPlaces(
  model: Model,
  graph: Graph,
  norm: ResetContext['norm'],
): Promise<Map<Layer, PlacedLayer> | string> {
  const finder = new Finder(model, graph, norm);
  await finder.measure();
  const places = new Map<Layer, PlacedLayer>();
  const taken = new Set<string>();
  for (const layer of wholesOf(everyLayer(model))) {
    // A norm may be a layer of its own, and go with another.
    const twin = [...places].find(([{ weight }]) => layer.accompanies && weight === layer.weight)?.[1];
    if (twin) {
      places.set(layer, twin);
      continue;
    }
    const place = await finder.find(layer);
    if (!place || taken.has(place.weight.tensor)) {
      return `the runtime changes ${layer.name} beyond recognition`;
    }
    taken.add(place.weight.tensor);
    places.set(layer, place);
  }
  return places;
}

/** A stored tensor of the optimised graph. */
interface Stored {
  tensor: Tensor;
  dims: number[];
  values: Float32Array;
  /** |values|, which no order of elements changes. */
  size: number;
  readers: readonly Node[];
}

/** Large weights take some milliseconds for every pass over them: the event loop has a turn in between. */
const LARGE = 2 ** 18;

/** Memory that is used again: the system takes longer to hand out pages than a pass over them takes. */
class Scratch {
  #room = new Float32Array();

  take(length: number): Float32Array {
    if (this.#room.length < length) this.#room = new Float32Array(length);
    return this.#room.subarray(0, length);
  }
}

class Finder {
  readonly #stored = new Map<string, Stored>();
  readonly #folds = new Scratch();
  readonly #orders = new Scratch();
  /** The model's own graph. */
  readonly #before: GraphIndex;

  constructor(
    private readonly model: Model,
    private readonly graph: Graph,
    private readonly norm: ResetContext['norm'],
  ) {
    const { consumers } = indexGraph(graph);
    for (const tensor of graph.initializer) {
      if (tensor.dataType !== FLOAT) continue;
      const values = floats(tensor);
      const readers = consumers.get(tensor.name) ?? [];
      this.#stored.set(tensor.name, {
        tensor,
        dims: dimensions(tensor),
        values,
        size: 0,
        readers,
      });
    }
    this.#before = indexGraph(model.file.graph);
  }

  /** Sizes of all tensors, one between two turns of the event loop. */
  async measure(): Promise<void> {
    for (const stored of this.#stored.values()) {
      stored.size = native().norms(stored.values, stored.values).original;
      if (stored.values.length > LARGE) await setImmediate();
    }
  }

  async find(layer: Layer): Promise<PlacedLayer | undefined> {
    // What it is multiplied with is folded where the weight is.
    if (layer.gains) return undefined;
    // A weight that is used as something else too may be anywhere.
    if (this.#uses(layer.weight.tensor) !== layer.uses && layer.uses > 1) return undefined;
    const trained =
      this.#folded(layer, new Map()) ??
      layerScale(layer, this.#before, (tensor) => this.model.values(tensor));
    for (const folded of trained ? [trained, null] : [null]) {
      const weight = await this.#weight(layer, folded);
      if (!weight) continue;
      const bias = this.#bias(layer, folded, weight.readers);
      if (bias === undefined) continue;
      if (layer.statistics) return this.#withStatistics(layer, weight.place, bias);
      return this.#placed(layer, folded, weight.place, bias);
    }
    return undefined;
  }

  /** A norm's own, which are where they were or not there any more. */
  #withStatistics(layer: Layer, weight: Place, bias: Place | null): PlacedLayer | undefined {
    const statistics = Object.values(layer.statistics ?? {}).map(
      (parameter): Place => ({ parameter, tensor: parameter.tensor, dims: parameter.stored }),
    );
    const same = statistics.every(
      ({ tensor }) =>
        this.#same(tensor, this.model.values(tensor)) &&
        this.#stored.get(tensor)?.readers.length === this.#uses(tensor),
    );
    return same ? { weight, bias, statistics, extra: [] } : undefined;
  }

  /** As a reset leaves it: with `--norm reset` the norm's values are the initial ones. */
  #placed(layer: Layer, folded: Affine | null, weight: Place, bias: Place | null): PlacedLayer | undefined {
    if (this.norm !== 'reset' || !layer.norm) return { weight, bias: layer.bias && bias, extra: [] };
    const fresh = initialNorm(this.model, layer.norm);
    if (!folded) {
      // The norm is a node of its own; its tensors must be as they were.
      const extra = replaceStored(this.graph, fresh);
      const same = extra.every(({ name }) => this.#same(name, this.model.values(name)));
      return extra.length === fresh.size && same ? { weight, bias: layer.bias && bias, extra } : undefined;
    }
    const found = this.#folded(layer, fresh);
    const stored = bias && this.#stored.get(bias.tensor);
    if (!found || !bias || !stored) return undefined;
    const { factor, shift } = found;
    const own = layer.bias ? this.model.values(layer.bias.tensor) : undefined;
    const constant = padded(affine(own, factor, shift), stored.values.length);
    return {
      weight: { ...weight, factor },
      bias: layer.bias && { ...bias, factor, shift },
      extra: [withFloats(stored.tensor, constant)],
    };
  }

  #isComputed(tensor: string): boolean {
    const computed = [...(this.model.file.computed?.values() ?? [])];
    return computed.some((one) => one.tensor === tensor);
  }

  #uses(tensor: string): number {
    return this.#before.consumers.get(tensor)?.length ?? 0;
  }

  #folded(layer: Layer, fresh: ReadonlyMap<string, Float32Array>): Affine | undefined {
    const values = (tensor: string) => fresh.get(tensor) ?? this.model.values(tensor);
    return foldedNorm(layer, this.model.file.graph.node, values);
  }

  async #weight(
    layer: Layer,
    folded: Affine | null,
  ): Promise<{ place: Place; readers: readonly Node[] } | undefined> {
    const { weight } = layer;
    const trained = this.model.values(weight.tensor);
    const named = this.#stored.get(weight.tensor);
    const place: Place = { parameter: weight, tensor: weight.tensor, dims: weight.stored };
    if (named && !folded && named.readers.length === layer.uses && this.#same(weight.tensor, trained)) {
      return { place, readers: named.readers };
    }
    // What the graph computes of a weight (its norm taken out, standardised) may be the same values: a constant in the
    // runtime's graph, which a reset would not pass through the computation.
    if (this.#isComputed(weight.tensor) || layer.hidden !== undefined) return undefined;
    // Vectors of ones and the like are found everywhere.
    if (isNormOp(layer.op)) return undefined;
    const turn = async () => trained.length > LARGE && setImmediate();
    await turn();
    const expected = folded ? this.#scaled(trained, folded.factor, weight.layout) : trained;
    await turn();
    const size = native().norms(expected, expected).original;
    const found: { place: Place; readers: readonly Node[] }[] = [];
    for (const [name, stored] of this.#stored) {
      if (Math.abs(stored.size - size) > ROUNDING * size || stored.values.length < expected.length) continue;
      if (stored.readers.length !== layer.uses || stored.readers.some((node) => node.input[1] !== name))
        continue;
      for (const blocked of orders(weight.stored, stored)) {
        await turn();
        if (!this.#matches(expected, stored.values, blocked, size)) continue;
        const { dims, readers } = stored;
        found.push({
          place: {
            ...place,
            tensor: name,
            dims,
            ...(blocked && { blocked }),
            ...(folded && { factor: folded.factor }),
          },
          readers,
        });
        break;
      }
    }
    // Two layers with the same values could be taken for each other.
    return found.length === 1 ? found[0] : undefined;
  }

  /** null when there is none; undefined when it is not found. */
  #bias(layer: Layer, folded: Affine | null, readers: readonly Node[]): Place | null | undefined {
    const { bias } = layer;
    if (!bias && !folded) return null;
    const own = bias ? this.model.values(bias.tensor) : undefined;
    const parameter = bias ?? { tensor: '', stored: [], shape: [], layout: { channels: 1, inner: 1 } };
    const named = bias && this.#stored.get(bias.tensor);
    if (bias && !folded && named && this.#uses(bias.tensor) === named.readers.length && own) {
      if (this.#same(bias.tensor, own)) return { parameter, tensor: bias.tensor, dims: named.dims };
    }
    // Those of a recurrent cell are no input of their own.
    if (layer.hidden !== undefined) return bias ? undefined : null;
    const name = readers[0]?.input[2] ?? '';
    if (!bias && name === '' && folded?.shift.every((value) => value === 0)) return null;
    const stored = this.#stored.get(name);
    if (!stored || readers.some((node) => node.input[2] !== name)) return undefined;
    if (stored.readers.length !== readers.length) return undefined;
    const expected = folded ? affine(own, folded.factor, folded.shift) : own;
    if (!expected || stored.values.length < expected.length) return undefined;
    const { original, difference } = native().norms(padded(expected, stored.values.length), stored.values);
    // A shift may be the small difference of large numbers.
    if (difference > ROUNDING * (original + Math.sqrt(expected.length))) return undefined;
    const length = expected.length;
    const blocked = { outputs: length, inputs: 1, kernel: 1, block: stored.values.length, inputBlock: 1 };
    return {
      parameter,
      tensor: name,
      dims: stored.dims,
      ...(stored.values.length > length && { blocked }),
      ...(folded && { factor: folded.factor, shift: folded.shift }),
    };
  }

  #scaled(values: Float32Array, factor: Float32Array, layout: Layer['weight']['layout']): Float32Array {
    const copy = this.#folds.take(values.length);
    copy.set(values);
    // Nothing but the factor: all of the copy stays.
    native().reset(copy, { kind: 'interpolate', donor: copy, alpha: 1 }, { layout, factor });
    return copy;
  }

  #matches(expected: Float32Array, found: Float32Array, order: Blocked | undefined, size: number): boolean {
    if (!order && expected.length !== found.length) return false;
    let ordered = expected;
    if (order) {
      ordered = this.#orders.take(found.length);
      native().toBlocked(expected, ordered, order);
    }
    return native().norms(ordered, found).difference <= ROUNDING * size;
  }

  #same(name: string, values: Float32Array): boolean {
    const stored = this.#stored.get(name)?.values;
    return stored?.length === values.length && native().norms(values, stored).difference === 0;
  }
}

/** Orders in which a parameter may be stored there; undefined for its own. */
function* orders(own: readonly number[], { dims, readers }: Stored): Generator<Blocked | undefined> {
  const [outputs = 1, inputs = 1] = own;
  const kernel = elementCount(own.slice(2));
  if (readers[0]?.domain !== BLOCKED) {
    if (dims.join() === own.join()) yield undefined;
    const turned = own.length === 2 && dims[0] === inputs && dims[1] === outputs;
    if (turned) yield { outputs, inputs, kernel: 1, block: outputs, inputBlock: 1 };
    return;
  }
  // Kernels of another size may be of the same norm.
  if (dims.length !== own.length || elementCount(dims.slice(2)) !== kernel) return;
  for (const block of BLOCKS) {
    if (dims[0] !== Math.ceil(outputs / block) * block) continue;
    for (const inputBlock of [block, 1]) {
      if (dims[1] === Math.ceil(inputs / inputBlock) * inputBlock) {
        yield { outputs, inputs, kernel, block, inputBlock };
      }
    }
  }
}

function affine(values: Float32Array | undefined, factor: Float32Array, shift: Float32Array): Float32Array {
  return shift.map((s, c) => (values?.[c] ?? 0) * (factor[c] ?? 0) + s);
}

function padded(values: Float32Array, length: number): Float32Array {
  const result = new Float32Array(length);
  result.set(values);
  return result;
}
