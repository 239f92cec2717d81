/**
 * What a part of a graph is, but for names and the values of weights: parts that are alike in that can be one session,
 * which takes weights as inputs. So the equal blocks of a network are one session. Pure.
 */
import { createHash } from 'node:crypto';
import { toBinary } from '@bufbuild/protobuf';
import { readsOf } from '../onnx/graph.js';
import { AttributeSchema, type Node, type Tensor, TensorSchema } from '../onnx/onnx_pb.js';
import { dimensions, elementCount, FLOAT } from '../onnx/tensors.js';
import type { TensorShape } from '../onnx/value-info.js';
import type { Dataflow } from './dataflow.js';
import type { Part } from './extract.js';

export interface Structure {
  /** Equal for parts of which one session can do the work of the other. */
  key: string;
  /** Stored tensors that its session takes as inputs, behind the part's own, in this order. */
  weights: string[];
}

export interface StructureContext {
  flow: Dataflow;
  /** Stored tensors by name. */
  stored: ReadonlyMap<string, Tensor>;
  /** Stored tensors that are always inputs. */
  parameters: ReadonlySet<string>;
  shapeOf: (name: string) => TensorShape;
}

/**
 * Floats from so many elements on are weights. Fewer, and numbers of other types, are what operators want to know
 * when a session is made, such as scales to resize by, epsilons and shapes; they are a part of the structure.
 */
const WEIGHT_ELEMENTS = 8;

/** @throws RangeError when the part reads a tensor that is neither an input, nor stored, nor made by a constant step */
export function structureOf(part: Part, { flow, stored, parameters, shapeOf }: StructureContext): Structure {
  const extra = new Map((part.extra ?? []).map((tensor) => [tensor.name, tensor]));
  const made = new Set(part.nodes.flatMap((node) => node.output));
  /** What stands for a tensor that has been met. */
  const known = new Map<string, string>([['', '']]);
  const weights: string[] = [];
  const words: string[] = [];
  const meet = (name: string, word: string) => {
    known.set(name, word);
    return word;
  };
  const read = (name: string, isArgument = false): string => {
    const word = known.get(name);
    if (word !== undefined) return word;
    const tensor = extra.get(name) ?? stored.get(name);
    if (made.has(name)) throw new RangeError(`the part reads ${name} before it is made`);
    if (tensor && (parameters.has(name) || (!isArgument && isWeight(tensor)))) {
      words.push(`w${dimensions(tensor).join('x')}`);
      return meet(name, `w${weights.push(name)}`);
    }
    if (tensor) return meet(name, contentOf(tensor));
    const position = flow.maker.get(name);
    const step = position === undefined ? undefined : flow.steps[position];
    if (!step || step.dynamic) throw new RangeError(`the part lacks the tensor ${name}`);
    take(step.node);
    return known.get(name)!;
  };
  let count = 0;
  const take = (node: Node) => {
    const inputs = node.input.map((name, i) => read(name, i > 0 && resizing.has(node.opType)));
    // A graph inside of a node reads tensors by their names, reset ones too.
    if (!isPlain(node)) for (const name of readsOf(node)) if (stored.has(name)) read(name);
    const own = isPlain(node) ? '' : node.output.join();
    words.push(`${node.domain}.${node.opType}(${inputs.join()})${attributesOf(node)}${own}`);
    for (const name of node.output) if (name !== '') meet(name, `t${count++}`);
  };
  for (const [i, name] of part.inputs.entries()) words.push(`${meet(name, `i${i}`)}:${shown(shapeOf(name))}`);
  for (const node of part.nodes) take(node);
  for (const name of part.outputs) words.push(`${read(name)}:${shown(shapeOf(name))}`);
  return { key: words.join('\n'), weights };
}

/** Operators that want to know what they read besides their images, however much it is. */
const resizing: ReadonlySet<string> = new Set(['Resize', 'Upsample']);

function isWeight(tensor: Tensor): boolean {
  return tensor.dataType === FLOAT && elementCount(dimensions(tensor)) >= WEIGHT_ELEMENTS;
}

const shown = ({ type, dims }: TensorShape) => `${type} ${dims.join('x')}`;

const isPlain = ({ attribute }: Node) => attribute.every(({ g, graphs }) => !g && graphs.length === 0);

const attributes = new WeakMap<Node, string>();

function attributesOf(node: Node): string {
  const found =
    attributes.get(node) ??
    [...node.attribute]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((one) => digest(toBinary(AttributeSchema, one)))
      .join();
  attributes.set(node, found);
  return found;
}

const contents = new WeakMap<Tensor, string>();

function contentOf(tensor: Tensor): string {
  const found = contents.get(tensor) ?? digest(toBinary(TensorSchema, { ...tensor, name: '' }));
  contents.set(tensor, found);
  return found;
}

/** Short ones as they are. */
const digest = (bytes: Uint8Array) =>
  bytes.length <= 32 ? Buffer.from(bytes).toString('hex') : createHash('sha256').update(bytes).digest('hex');
