/**
 * Which of a graph's inputs are the images and which tensor is the logits, by name or by rule; the graph is then
 * changed to have just these: what it takes becomes float32 N x channels x height x width, what only other inputs
 * or outputs need is left out.
 */
import { create } from '@bufbuild/protobuf';
import { CritmapError } from '../../errors.js';
import { type GraphIndex, indexGraph, originOf, readsOf } from '../graph.js';
import { modulePath } from '../names.js';
import { type Graph, type Tensor, TensorSchema, type ValueInfo, ValueInfoSchema } from '../onnx_pb.js';
import { elementCount, typeName } from '../tensors.js';
import { shapeOf, shapeText } from '../value-info.js';
import { channelsFirst, hasChannelsLast } from './channels.js';
import { endingOf } from './ending.js';
import { classesOf, unwrapLogits, withoutZipMaps } from './logits.js';
import { fromFloats, takesPixels } from './pixels.js';
import { asTwoClasses } from './two-classes.js';

/** What a person names; by rule otherwise. */
export interface EndChoice {
  /** The images; every other input that the logits need gets zeros. */
  input?: string | undefined;
  /** The logits: an output, or any tensor that a node makes. */
  output?: string | undefined;
}

export interface Ends {
  input: string;
  output: string;
  /** The file's images are N x height x width x channels; a Transpose has been put in front. */
  channelsLast: boolean;
  /** Inputs that get zeros. */
  zeroed: string[];
  /** The file's images are integers, pixels from 0 to 255; a Cast has been put in front. */
  pixels: boolean;
  /** The file's output that was chosen; `output` is what it becomes. */
  chosen: string;
  /** Other outputs of the file that are N x classes. */
  others: string[];
  /** What the softmax is of that the file's output is. */
  softmaxOf?: string;
  /** The probabilities whose logarithm is compared. */
  logOf?: string;
  /** The node that takes no other number of images than this. */
  batchFixedBy?: { node: string; batch: number };
  /** A node that computes over the images of a batch, each of which is then not predicted by itself. */
  mixedBy?: { node: string; op: string };
  /** What softmaxes over parts of the classes are of. */
  partsOf?: string;
  /** The file's one output per image, where it has become logits of two classes. */
  single?: string;
  /** That is a probability, not a logit. */
  probability?: boolean;
  /** Operations with a stored tensor that do not lead to the output, and were left out: an auxiliary head's. */
  aside: { name: string; op: string }[];
}

/**
 * Without names: the logits are the N x classes output that most layers lead to, the images the one input that
 * they need.
 * @throws CritmapError (ERR_MODEL) when there is no such input or output, or a name is none of the graph's
 */
export function chooseEnds(path: string, graph: Graph, choice: EndChoice = {}): Ends {
  const refuse = (why: string) => new CritmapError('ERR_MODEL', `${path}: ${why}`);
  withoutZipMaps(graph);
  const index = indexGraph(graph);
  const inputs = graph.input;
  const { name: chosen, others: rest } = chooseOutput(index, choice.output, refuse);
  const behind = tensorsBehind(index, chosen);
  const needed = inputs.filter(({ name }) => behind.has(name));
  const images = chooseInput(inputs, needed, chosen, choice.input, refuse);
  const others = needed.filter((input) => input !== images);
  graph.initializer = [...graph.initializer, ...zeroed(others, refuse)];
  refuseSorted(index, chosen, refuse);
  const aside = layersBeside(index, behind);
  keepOnly(graph, images, chosen, behind);
  const pixels = takesPixels(images);
  const floats = pixels ? fromFloats(graph, images) : images;
  const shape = shapeOf(floats);
  const channelsLast = shape?.length === 4 && hasChannelsLast(index, images.name, shape);
  const input = channelsLast ? channelsFirst(graph, floats, shape) : floats.name;
  const { output, ...softmax } = unwrapLogits(graph, chosen);
  const zeros = others.map(({ name }) => name);
  const made = { input, output, channelsLast, pixels, chosen, others: rest, zeroed: zeros };
  const ends = { ...made, aside, ...softmax };
  const [logits] = graph.output;
  const sizes = logits && shapeOf(logits);
  if (sizes?.length !== 2 || sizes[1] !== 1) return ends;
  return { ...ends, output: asTwoClasses(graph, output), single: output };
}

/** Outputs whose layers are counted, each by a walk through the graph; no model that is exported has as many. */
const MOST_OUTPUTS = 1000;
const MOST_LISTED = 12;

type Refuse = (why: string) => CritmapError;

interface Choice {
  name: string;
  /** What else it could be. */
  others: string[];
}

function chooseOutput(index: GraphIndex, wanted: string | undefined, refuse: Refuse): Choice {
  const described = index.graph.output.map((output) => ({ name: output.name, shape: shapeOf(output) }));
  const shapes = listed(
    described.map(({ name, shape }) => `${name} ${shape ? shapeText(shape) : ''}`.trim()),
  );
  if (wanted !== undefined) {
    if (index.producer.has(wanted)) return { name: wanted, others: [] };
    throw refuse(`it has no output or tensor ${wanted}; its outputs are ${shapes}`);
  }
  const flat = described.filter(({ shape }) => classesOf(shape));
  const candidates = flat.length > 0 ? flat : described.filter(({ shape }) => !shape);
  if (candidates.length > MOST_OUTPUTS) {
    throw refuse(
      `any of its ${candidates.length} outputs could be the logits (${shapes}); name the one that is with --output`,
    );
  }
  // Features and auxiliary heads leave layers behind them unused.
  let found: { name: string; layers: number } | undefined;
  for (const { name } of candidates) {
    const layers = layersBehind(index, name);
    if (!found || layers > found.layers) found = { name, layers };
  }
  const chosen = found?.name;
  if (chosen !== undefined) {
    const sizeOf = ({ shape }: (typeof described)[number]) => classesOf(shape)?.classes ?? null;
    const size = candidates.filter(({ name }) => name === chosen).map(sizeOf)[0];
    // Outputs of another width are features.
    const alike = candidates.filter((one) => one.name !== chosen && sizeOf(one) === size);
    return { name: chosen, others: alike.map(({ name }) => name) };
  }
  throw refuse(
    `no output is N x classes (${described.length > 0 ? shapes : 'the graph has no outputs'}); critmap needs the logits: if a tensor of the graph is them, name it with --output${likelyLogits(index)}`,
  );
}

/** The best classes' values do not tell whose they are. */
function refuseSorted(index: GraphIndex, chosen: string, refuse: Refuse): void {
  const { node } = endingOf(index, chosen);
  if (node?.opType !== 'TopK') return;
  throw refuse(
    `its output ${chosen} is the largest values in their order (${node.name || node.opType}), which do not tell the classes; name what they are taken of, --output ${JSON.stringify(node.input[0])}`,
  );
}

/** What the last Linear gives, in a sentence's words. */
function likelyLogits({ graph, consumers, tensors }: GraphIndex): string {
  const last = graph.node.findLast(
    ({ opType, input }) => /^(Gemm|MatMul)$/.test(opType) && tensors.has(input[1] ?? ''),
  );
  const [made = ''] = last?.output ?? [];
  const [next] = consumers.get(made) ?? [];
  const name = next?.opType === 'Add' ? next.output[0] : made;
  return name ? `; its last Linear gives ${JSON.stringify(name)}` : '';
}

/** A message stays one that a person reads. */
function listed(descriptions: readonly string[]): string {
  const more = descriptions.length - MOST_LISTED;
  const shown = descriptions.slice(0, MOST_LISTED).join(', ') || 'none';
  return more > 0 ? `${shown} and ${more} more` : shown;
}

const LAYERS = /^(Conv|ConvTranspose|Gemm|MatMul|Einsum)$/;

/** What would be layers, if it led anywhere. */
function layersBeside(index: GraphIndex, behind: ReadonlySet<string>): Ends['aside'] {
  return index.graph.node.flatMap((node) => {
    const { opType, output, input } = node;
    if (!LAYERS.test(opType) || output.some((name) => behind.has(name))) return [];
    if (!input.some((name) => (originOf(index, name)?.proto.dims.length ?? 0) > 1)) return [];
    return [{ name: modulePath(node) ?? (node.name || output[0] || ''), op: opType }];
  });
}

function layersBehind(index: GraphIndex, name: string): number {
  const behind = tensorsBehind(index, name);
  return index.graph.node.filter(
    ({ opType, output, input }) =>
      LAYERS.test(opType) && output.some((one) => behind.has(one)) && input.length > 1,
  ).length;
}

function chooseInput(
  inputs: readonly ValueInfo[],
  needed: readonly ValueInfo[],
  output: string,
  wanted: string | undefined,
  refuse: Refuse,
): ValueInfo {
  const list = (values: readonly ValueInfo[]) => listed(values.map(describe));
  if (wanted !== undefined) {
    const found = inputs.find(({ name }) => name === wanted);
    if (!found) throw refuse(`it has no input ${wanted}; its inputs are ${list(inputs)}`);
    if (!needed.includes(found)) throw refuse(`its output ${output} does not depend on the input ${wanted}`);
    return found;
  }
  const [only] = needed;
  if (only && needed.length === 1) return only;
  if (needed.length === 0) throw refuse(`its output ${output} does not depend on any input`);
  throw refuse(
    `the model takes ${needed.length} inputs (${list(needed)}); critmap feeds one, the images: name it with --input, the others then get zeros, or export the model with one input`,
  );
}

/** Values of all inputs that get zeros: what tells a model's mode or shifts its features is far smaller. */
const MOST_ZEROS = 2 ** 20;

/** Inputs that nobody feeds, as stored tensors. */
function zeroed(inputs: readonly ValueInfo[], refuse: Refuse): Tensor[] {
  let total = 0;
  return inputs.map((input) => {
    const shape = shapeOf(input);
    // The first open dimension is the batch's, and one row serves all images where it is broadcast.
    const dims = shape?.map((size, axis) => (axis === 0 ? (size ?? 1) : size));
    const type = input.type?.tensorType?.elemType ?? 0;
    const bytes = { 1: 4, 6: 4, 7: 8, 9: 1 }[type];
    const known = dims?.every((size) => size !== null) ? (dims as number[]) : undefined;
    total += elementCount(known ?? []);
    if (!known || !bytes || total > MOST_ZEROS) {
      throw refuse(
        `it also needs the input ${describe(input)}, which critmap cannot fill with zeros; export the model with the images as its one input`,
      );
    }
    const rawData = new Uint8Array(bytes * elementCount(known));
    return create(TensorSchema, { name: input.name, dims: known.map(BigInt), dataType: type, rawData });
  });
}

/**
 * Takes out all outputs but one, and other inputs and layers that do not lead to it. Stored tensors stay: a
 * checkpoint of the whole network still fits.
 */
function keepOnly(graph: Graph, images: ValueInfo, output: string, behind: ReadonlySet<string>): void {
  graph.node = graph.node.filter((node) => node.output.some((name) => behind.has(name)));
  graph.input = [images];
  const known = graph.output.find(({ name }) => name === output);
  graph.output = [known ?? create(ValueInfoSchema, { name: output })];
}

/** Names of all tensors that lead to one, stored ones included. */
function tensorsBehind(index: GraphIndex, name: string): Set<string> {
  const seen = new Set([name]);
  const waiting = [name];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const node = index.producer.get(next);
    for (const input of node ? readsOf(node) : []) {
      if (seen.has(input)) continue;
      seen.add(input);
      waiting.push(input);
    }
  }
  return seen;
}

function describe(value: ValueInfo): string {
  const shape = shapeOf(value);
  const type = typeName(value.type?.tensorType?.elemType ?? 0);
  return `${value.name}: ${type} ${shape ? shapeText(shape) : 'of unknown shape'}`;
}
