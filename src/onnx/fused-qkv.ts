/**
 * Linears that give an attention's queries, keys and values at once (`qkv`, `in_proj`), as three parts: rows of the
 * weight in PyTorch's order, a third each. What the graph does with the result tells how the thirds lie.
 */
import { attributeInt, attributeInts, type GraphIndex, originOf } from './graph.js';
import type { Layer, Parameter } from './layers.js';
import type { Node } from './onnx_pb.js';
import { integers } from './tensors.js';

export const parts = ['q', 'k', 'v'] as const;

/** What modules with all three are called. */
const named = /(^|[./_])(qkv|qkvs|in_proj|to_qkv|w_?qkv|qkv_proj|c_attn|query_key_value)$/i;
/** The same of a convolution, or a Linear that a module holds: `qkv.conv`. */
const holding = /(^|[./_])qkvs?[./]/i;

/** Parameters of torch.nn.MultiheadAttention, which are in thirds; exporters write shapes of it that nobody follows. */
const ofMultihead = /(^|[./])in_proj_(weight|bias)(#\d+)?$/;

/** @returns its parts, or why it is left whole; undefined for a layer that is none of an attention */
export function splitQkv(index: GraphIndex, layer: Layer): Layer[] | string | undefined {
  if (!named.test(layer.name) && !holding.test(layer.name)) return undefined;
  const { op, weight, bias, uses } = layer;
  if (!/^(MatMul|Gemm)$/.test(op))
    return `it is ${/^Conv/.test(op) ? 'a convolution' : `of ${op}`}, not a Linear`;
  if (uses > 1) return 'its weight is used in several places';
  const { channels } = weight.layout;
  const [outputs = 0, inputs = 0] = weight.shape;
  if (weight.shape.length !== 2 || outputs !== channels) return 'its weight is no matrix';
  const node = index.consumers
    .get(weight.tensor)
    ?.find(({ opType }) => opType === op || opType === 'Transpose' || opType === 'Identity');
  const product = node?.opType === op ? node : productOf(index, node, op);
  const isTorchs = [weight.tensor, bias?.tensor ?? ''].some((name) => ofMultihead.test(name));
  const why = isTorchs && outputs % 3 === 0 ? null : product && arrangement(index, product, outputs);
  if (why !== null) return why ?? 'the graph does not show what reads its weight';
  const each = outputs / 3;
  // Draws are made four numbers at a time.
  if ((each * inputs) % 4 !== 0 || each % 4 !== 0)
    return `a third of it, ${each} channels, is no multiple of 4`;
  return parts.map((part, i) => partOf(layer, part, each, i * each, bias));
}

function productOf(index: GraphIndex, node: Node | undefined, op: string): Node | undefined {
  return index.consumers.get(node?.output[0] ?? '')?.find(({ opType }) => opType === op);
}

function partOf(whole: Layer, name: string, channels: number, from: number, bias: Parameter | null): Layer {
  const { weight } = whole;
  const inputs = weight.shape[1] ?? 0;
  const of = (parameter: Parameter, inner: number): Parameter => {
    const { stored, layout } = parameter;
    const isRow = !layout.transposed;
    const axis = isRow ? stored.indexOf(parameter.layout.channels) : stored.length - 1;
    return {
      tensor: `${parameter.tensor} critmap ${name}`,
      stored: stored.map((size, i) => (i === axis ? channels : size)),
      shape: parameter.shape.map((size, i) => (i === 0 ? channels : size)),
      layout: { ...layout, channels, first: from * inner },
      within: { parameter, from },
    };
  };
  return {
    ...whole,
    name: `${whole.name}.${name}`,
    weight: of(weight, inputs),
    bias: bias && of(bias, 1),
    parameters: channels * (inputs + (bias ? 1 : 0)),
    whole,
  };
}

/** Nodes that are followed; a damaged file may have a cycle. */
const MOST = 12;

/** An axis of a tensor on its way: that of the three, that of what follows it, or another. */
type Axis = 'three' | 'inner' | 'other';

/**
 * Whether the result comes apart in three thirds one after the other.
 * @returns null, or why not
 */
function arrangement(index: GraphIndex, product: Node, outputs: number): string | null {
  if (outputs % 3 !== 0) return `its ${outputs} outputs are no three equal parts`;
  let name = product.output[0] ?? '';
  let axes: Axis[] | undefined;
  for (let steps = 0; steps < MOST; steps++) {
    const readers = index.consumers.get(name) ?? [];
    const [reader] = readers;
    if (!reader) break;
    const rank = axes?.length;
    const axisOf = (axis: number, of = rank ?? 0) => (axis < 0 ? axis + of : axis);
    if (readers.length > 1 || /^(Gather|Slice|Split)$/.test(reader.opType)) {
      return taken(index, readers, axes, outputs) ?? null;
    }
    switch (reader.opType) {
      case 'Add':
      case 'Identity':
      case 'Cast':
        break;
      case 'Reshape': {
        const found = axesAfter(index, reader, outputs);
        // Before the three are told apart, tokens may be put into other rows.
        if (found === 'kept' && !axes) break;
        if (!found || found === 'kept' || axes) return UNKNOWN;
        axes = found;
        break;
      }
      case 'Transpose': {
        const perm = attributeInts(reader, 'perm');
        if (!axes) break;
        if (!perm || perm.length !== axes.length) return UNKNOWN;
        axes = perm.map((axis) => axes![axis]!);
        break;
      }
      case 'Unsqueeze':
      case 'Squeeze': {
        const given = integersAt(index, reader.input[1]) ?? attributeInts(reader, 'axes');
        if (!axes || !given) return UNKNOWN;
        const isNew = reader.opType === 'Unsqueeze';
        const places = new Set(given.map((axis) => axisOf(axis, axes!.length + (isNew ? given.length : 0))));
        if (isNew) {
          const old = axes[Symbol.iterator]();
          axes = Array.from({ length: axes.length + given.length }, (_, i) =>
            places.has(i) ? ('other' as const) : (old.next().value ?? 'other'),
          );
        } else {
          axes = axes.filter((_, i) => !places.has(i));
        }
        break;
      }
      default:
        return UNKNOWN;
    }
    name = reader.output[0] ?? '';
  }
  return UNKNOWN;
}

const UNKNOWN = 'the graph does not show that its outputs are queries, keys and values one after the other';

/** Of the nodes that take the parts: whether they take thirds. @returns undefined when they do */
function taken(
  index: GraphIndex,
  readers: readonly Node[],
  axes: readonly Axis[] | undefined,
  outputs: number,
): string | undefined {
  // Shape is asked for beside.
  const takers = readers.filter(({ opType }) => opType !== 'Shape');
  for (const reader of takers) {
    const axis = (at: number) =>
      at < 0 ? (axes ? axes[axes.length + at] : at === -1 ? 'last' : at) : (axes?.[at] ?? at);
    switch (reader.opType) {
      case 'Gather':
        if (axis(attributeInt(reader, 'axis', 0)) !== 'three') return UNKNOWN;
        break;
      case 'Split': {
        const at = axis(attributeInt(reader, 'axis', 0));
        const sizes = integersAt(index, reader.input[1]) ?? attributeInts(reader, 'split');
        const equal = new Set(sizes ?? [1]).size === 1;
        if (at === 'three' && reader.output.length === 3) break;
        if (axes || at === 'three') return UNKNOWN;
        if (!equal || reader.output.length !== 3)
          return `its outputs are split into ${sizes?.join(', ') ?? `${reader.output.length} parts`}, not into three equal ones`;
        if (sizes && sizes[0] !== outputs / 3) return UNKNOWN;
        break;
      }
      case 'Slice': {
        const [from, to, along] = [1, 2, 3].map((slot) => integersAt(index, reader.input[slot])?.[0]);
        const at = along === undefined ? undefined : axis(along);
        if (from === undefined || to === undefined) return UNKNOWN;
        if (at === 'three' && to - from === 1) break;
        if (axes || from % (outputs / 3) !== 0) return UNKNOWN;
        if (Math.min(to, outputs) - from !== outputs / 3)
          return `its outputs are sliced from ${from} to ${to}, not into three equal parts`;
        break;
      }
      default:
        return UNKNOWN;
    }
  }
  return takers.length > 0 ? undefined : UNKNOWN;
}

/**
 * What a Reshape makes of the last axis: `[..., 3, heads, width]`, `[..., 3, width]`; of `[..., heads, 3, width]` the
 * axis of the three is not the outermost.
 */
function axesAfter(index: GraphIndex, node: Node, outputs: number): Axis[] | 'kept' | undefined {
  const sizes = sizesAt(index, node.input[1]);
  if (!sizes) return undefined;
  if (sizes.at(-1) === outputs) return 'kept';
  let product = 1;
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    const size = sizes[axis];
    // One unknown size, inside, is what is left.
    product *= size === undefined || size <= 0 ? 1 : size;
    const unknown = sizes.slice(axis).filter((one) => one === undefined || one <= 0).length;
    // Behind images and tokens: further in it may be a part of each head.
    const isWhole =
      unknown === 0 ? product === outputs : unknown === 1 && axis <= 2 && outputs % product === 0;
    if (size === 3 && isWhole) {
      return sizes.map((_, i) => (i < axis ? 'other' : i === axis ? 'three' : 'inner'));
    }
    if (unknown === 0 && product >= outputs) return undefined;
  }
  return undefined;
}

/** Integers of a stored shape, or of one that is put together: undefined where they depend on the image. */
function sizesAt(index: GraphIndex, name: string | undefined): (number | undefined)[] | undefined {
  const stored = integersAt(index, name);
  if (stored) return stored;
  const node = index.producer.get(name ?? '');
  if (node?.opType !== 'Concat') return undefined;
  return node.input.map((one) => {
    const found = integersAt(index, one) ?? integersAt(index, index.producer.get(one)?.input[0]);
    return index.producer.get(one)?.opType === 'Shape' || found?.length !== 1 ? undefined : found[0];
  });
}

function integersAt(index: GraphIndex, name: string | undefined): number[] | undefined {
  if (!name) return undefined;
  const proto = originOf(index, name)?.proto;
  if (proto) return integers(proto);
  const node = index.producer.get(name);
  return node?.opType === 'Constant' ? attributeInts(node, 'value_ints') : undefined;
}
