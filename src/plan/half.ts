/**
 * A sweep's parts in float16, for cards whose tensor cores multiply it. Products (convolutions, matrix products)
 * compute in float16, and so do operators between them that only move values or change each by itself. All else stays
 * float32: norms and other statistics, softmax, exponentials and powers, averages, whatever reads the images, and the
 * last product, so that logits are float32. No value is clipped: above 65504 it becomes infinite, the next products give
 * NaN, and the logits of that image are invalid. What a kernel of Relu makes of NaN is not defined, and zero would hide
 * it; so Relus are LeakyRelus of slope 0, whose product with NaN, or with -infinity, is NaN.
 *
 * Stored weights stay float32, and reset ones come in float32; both are cast where a product takes them. A tensor has
 * the same type wherever it is, in and between parts.
 */
import { create } from '@bufbuild/protobuf';
import { ElementType } from '../native/engine.js';
import { capturedNames } from '../onnx/graph.js';
import { AttributeSchema, type Graph, type Node, NodeSchema } from '../onnx/onnx_pb.js';
import { FLOAT } from '../onnx/tensors.js';
import type { TensorShape } from '../onnx/value-info.js';
import { type Dataflow, isDynamic, type Step } from './dataflow.js';
import type { Part } from './extract.js';

const FLOAT16 = ElementType.float16;

/** Which inputs have the type of the output: those at these positions. */
type Inputs = readonly number[] | 'all';

/** Computed in float16. */
const products: Readonly<Record<string, Inputs>> = {
  Conv: 'all',
  ConvTranspose: 'all',
  Gemm: 'all',
  MatMul: 'all',
};

/** Computed in float16 where all that they read of the images is float16. */
const followers: Readonly<Record<string, Inputs>> = {
  ...every('Add Sub Mul Div Neg Abs Min Max', 'all'),
  ...every('Relu LeakyRelu PRelu Clip Sigmoid HardSigmoid HardSwish Tanh Gelu', 'all'),
  ...every('Identity Transpose Flatten Concat MaxPool GlobalMaxPool DepthToSpace SpaceToDepth', 'all'),
  ...every('Dropout Reshape Squeeze Unsqueeze Split Slice Gather Expand Tile', [0]),
  Pad: [0, 2],
  Where: [1, 2],
};

function every(operators: string, inputs: Inputs): Record<string, Inputs> {
  return Object.fromEntries(operators.split(' ').map((operator) => [operator, inputs]));
}

/** The tensors that depend on the images and are float16. */
export type HalfTensors = ReadonlySet<string>;

/**
 * @param norms folded into the convolutions before them (fold.ts), so a part of these products
 * @param output the logits
 */
export function halfTensors(
  graph: Graph,
  flow: Dataflow,
  shapes: ReadonlyMap<string, TensorShape>,
  norms: ReadonlySet<Node>,
  output: string,
): HalfTensors {
  // A graph inside of a node takes tensors from outside by name and type.
  const captured = capturedNames(graph);
  const last = lastProduct(flow, output);
  const half = new Set<string>();
  const isFloat = (name: string) => shapes.get(name)?.type === FLOAT;
  for (const [position, step] of flow.steps.entries()) {
    if (!step.dynamic || last.has(position)) continue;
    const { node } = step;
    const reads = imagesOf(flow, step).filter(isFloat);
    const follows = isFollower(node) && reads.length > 0 && reads.every((name) => half.has(name));
    if (!isProduct(node) && !norms.has(node) && !follows) continue;
    const makes = step.makes.filter(isFloat);
    if (makes.some((name) => captured.has(name))) continue;
    for (const name of makes) half.add(name);
  }
  return half;
}

/** Shapes with the tensors' new types. */
export function halfShapes(
  shapes: ReadonlyMap<string, TensorShape>,
  half: HalfTensors,
): Map<string, TensorShape> {
  return new Map(
    [...shapes].map(([name, shape]) => [name, half.has(name) ? { ...shape, type: FLOAT16 } : shape]),
  );
}

/** The part with casts wherever a node computes in another type than a tensor has, and Relus that keep NaN. */
export function inHalf(part: Part, half: HalfTensors): Part {
  const nodes: Node[] = [];
  /** What there is of a tensor in the type that it does not have. */
  const others = new Map<string, string>();
  const other = (name: string, type: number) => `${name} critmap ${type === FLOAT16 ? 'float16' : 'float32'}`;
  const typeOf = (name: string) => (half.has(name) ? FLOAT16 : FLOAT);
  const cast = (from: string, to: string, type: number) => nodes.push(castNode(from, to, type));
  const read = (name: string, type: number): string => {
    if (name === '' || typeOf(name) === type) return name;
    const known = others.get(name);
    if (known !== undefined) return known;
    const made = other(name, type);
    cast(name, made, type);
    others.set(name, made);
    return made;
  };
  for (const node of part.nodes) {
    const inputs = isHalf(node, half) ? inputsOf(node) : [];
    const casts = (i: number) => inputs === 'all' || inputs.includes(i);
    const type = isHalf(node, half) ? FLOAT16 : FLOAT;
    // A float32 node reads float32 wherever the tensor is a float16 one; of other types there are none among those.
    const input = node.input.map((name, i) =>
      type === FLOAT16 ? (casts(i) ? read(name, FLOAT16) : name) : half.has(name) ? read(name, FLOAT) : name,
    );
    const outputs = node.output.filter((name) => type === FLOAT && half.has(name));
    const output = node.output.map((name) => (outputs.includes(name) ? other(name, FLOAT) : name));
    nodes.push({ ...(isRelu(node) ? leakless(node) : node), input, output });
    for (const name of outputs) {
      cast(other(name, FLOAT), name, FLOAT16);
      others.set(name, other(name, FLOAT));
    }
  }
  return { ...part, nodes };
}

/** A spread node has no `domain` where the file has none. */
const isProduct = ({ opType, domain }: Node) => !domain && Object.hasOwn(products, opType);

const isRelu = ({ opType, domain }: Node) => !domain && opType === 'Relu';

function leakless(node: Node): Node {
  const alpha = create(AttributeSchema, { name: 'alpha', f: 0, type: 1 });
  return { ...node, opType: 'LeakyRelu', attribute: [alpha] };
}

/** A square may be too large for float16 where its root is not: it is a statistic's. */
const isFollower = ({ opType, domain, input }: Node) =>
  !domain && Object.hasOwn(followers, opType) && !(opType === 'Mul' && input[0] === input[1]);

const inputsOf = ({ opType }: Node): Inputs => products[opType] ?? followers[opType] ?? [];

const isHalf = (node: Node, half: HalfTensors) =>
  (isProduct(node) || isFollower(node)) && half.has(node.output[0] ?? '');

/** What of a step's inputs depends on the images. */
function imagesOf(flow: Dataflow, { node }: Step): string[] {
  const inputs = inputsOf(node);
  return node.input.filter(
    (name, i) => name !== '' && (inputs === 'all' || inputs.includes(i)) && isDynamic(flow, name),
  );
}

/** The steps that make the logits, back to the last product before each, with it. */
function lastProduct({ steps, maker }: Dataflow, output: string): Set<number> {
  const found = new Set<number>();
  const waiting = [output];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const position = maker.get(name);
    const step = position === undefined ? undefined : steps[position];
    if (position === undefined || !step?.dynamic || found.has(position)) continue;
    found.add(position);
    if (isFollower(step.node)) for (const read of step.reads) waiting.push(read);
  }
  return found;
}

function castNode(from: string, to: string, type: number): Node {
  const attribute = create(AttributeSchema, { name: 'to', i: BigInt(type), type: 2 });
  return create(NodeSchema, {
    name: to,
    opType: 'Cast',
    input: [from],
    output: [to],
    attribute: [attribute],
  });
}
