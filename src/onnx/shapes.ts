/**
 * Shapes that a graph tells without being run: where a Reshape goes, by integers that are stored or that exporters
 * put together from stored ones and from shapes.
 */
import { attributeInt, attributeInts, type GraphIndex } from './graph.js';
import type { Node } from './onnx_pb.js';
import { elementCount, integers } from './tensors.js';

/** More axes than any runtime takes, and so the longest shape. */
const HIGHEST_RANK = 16;

/**
 * The shape of what Reshape, Flatten, Squeeze or Unsqueeze makes of a tensor.
 * @param dims the tensor's
 * @param given the node's second input, where it is known
 * @returns undefined where it cannot be told; sizes that do not fit the tensor come out wrong or broken
 */
export function shapeAfter(
  node: Node,
  dims: readonly number[],
  given: readonly number[] | undefined,
): number[] | undefined {
  switch (node.opType) {
    case 'Reshape': {
      if (!given || (given.includes(0) && attributeInt(node, 'allowzero', 0) !== 0)) return undefined;
      const kept = given.map((size, axis) => (size === 0 ? (dims[axis] ?? 0) : size));
      const rest = kept.reduce((product, size) => (size < 0 ? product : product * size), 1);
      return kept.map((size) => (size < 0 ? elementCount(dims) / rest : size));
    }
    case 'Flatten': {
      const axis = attributeInt(node, 'axis', 1);
      const split = axis < 0 ? axis + dims.length : axis;
      return [elementCount(dims.slice(0, split)), elementCount(dims.slice(split))];
    }
    case 'Squeeze':
    case 'Unsqueeze': {
      // Their axes are an attribute before opset 13.
      const axes = attributeInts(node, 'axes') ?? given;
      if (node.opType === 'Squeeze') {
        const out = axes?.map((axis) => (axis < 0 ? axis + dims.length : axis));
        return dims.filter((size, axis) => (out ? !out.includes(axis) : size !== 1));
      }
      if (!axes) return undefined;
      const rank = dims.length + axes.length;
      const added = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
      const old = dims[Symbol.iterator]();
      return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (old.next().value ?? 0)));
    }
    default:
      return undefined;
  }
}

/** Integers by the name of their tensor, whatever its rank. */
export type KnownIntegers = Map<string, readonly number[]>;

/** Integers that are stored, or were told by an earlier node. */
export function integersOf(
  index: GraphIndex,
  known: KnownIntegers,
  name: string | undefined,
): readonly number[] | undefined {
  const stored = index.tensors.get(name ?? '');
  const short =
    stored && stored.rawData.byteLength <= 8 * HIGHEST_RANK && stored.int64Data.length <= HIGHEST_RANK;
  const values = known.get(name ?? '') ?? (short ? integers(stored) : undefined);
  return values && values.length <= HIGHEST_RANK ? values : undefined;
}

/**
 * What a node that works on shapes gives.
 * @param shapeOf shapes that are known, by name
 * @returns undefined where it cannot be told, or is too long for a shape
 */
export function integersAfter(
  index: GraphIndex,
  node: Node,
  known: KnownIntegers,
  shapeOf: (name: string) => readonly number[] | undefined,
): readonly number[] | undefined {
  const [first = '', second] = node.input;
  const of = (name: string | undefined) => integersOf(index, known, name);
  switch (node.opType) {
    case 'Constant':
      return node.attribute.every(({ ints }) => ints.length <= HIGHEST_RANK)
        ? attributeInts(node, 'value_ints')
        : undefined;
    case 'Shape':
      return shapeOf(first)?.slice(attributeInt(node, 'start', 0), endOf(node));
    case 'Gather': {
      const [from, at] = [of(first), of(second)];
      const values = at?.map((i) => from?.at(i));
      return values?.every((value) => value !== undefined) ? (values as number[]) : undefined;
    }
    case 'Concat': {
      const parts = node.input.length <= HIGHEST_RANK ? node.input.map(of) : [undefined];
      return parts.every((part) => part !== undefined) ? (parts as number[][]).flat() : undefined;
    }
    case 'Identity':
    case 'Squeeze':
    case 'Unsqueeze':
      return of(first);
    default:
      return undefined;
  }
}

function endOf(node: Node): number | undefined {
  const end = attributeInt(node, 'end', Number.NaN);
  return Number.isNaN(end) ? undefined : end;
}
