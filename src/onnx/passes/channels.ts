/** Images channels last: how they are told, and the Transpose that lets such a graph take them channels first. */
import { create } from '@bufbuild/protobuf';
import { attributeInts, type GraphIndex } from '../graph.js';
import {
  AttributeSchema,
  type Graph,
  NodeSchema,
  TypeSchema,
  type ValueInfo,
  ValueInfoSchema,
} from '../onnx_pb.js';
import type { Size } from '../value-info.js';

/**
 * Whether images of this shape are N x height x width x channels: few channels at the end and none in front are not
 * enough, features of a small width look the same.
 */
export function hasChannelsLast(index: GraphIndex, images: string, shape: readonly Size[]): boolean {
  const [, first, second, last] = shape;
  if (!isChannels(last) || isChannels(first)) return false;
  return first === second || first === null || isMadeChannelsFirst(index, images);
}

const preparing = /^(Identity|Cast|Add|Sub|Mul|Div|Clip|Pad)$/;

/** Whether a Transpose to channels first reads the images, as they are or normalised. */
function isMadeChannelsFirst(index: GraphIndex, images: string): boolean {
  const seen = new Set([images]);
  // A set goes on over what is added to it.
  for (const name of seen) {
    for (const node of index.consumers.get(name) ?? []) {
      if (node.opType === 'Transpose' && attributeInts(node, 'perm')?.join() === '0,3,1,2') return true;
      if (preparing.test(node.opType)) for (const made of node.output) seen.add(made);
    }
  }
  return false;
}

const isChannels = (size: Size | undefined) => size === 1 || size === 3 || size === 4;

/** Puts a Transpose in front of a graph that takes N x height x width x channels. */
export function channelsFirst(
  graph: Graph,
  images: ValueInfo,
  [batch, height, width, channels]: readonly Size[],
): string {
  const name = `${images.name} channels first`;
  const perm = create(AttributeSchema, { name: 'perm', ints: [0n, 2n, 3n, 1n], type: 7 });
  graph.node = [
    create(NodeSchema, {
      opType: 'Transpose',
      name,
      input: [name],
      output: [images.name],
      attribute: [perm],
    }),
    ...graph.node,
  ];
  const dims = [batch, channels, height, width].map((size, i) =>
    size ? { dimValue: BigInt(size) } : { dimParam: ['batch', 'channels', 'height', 'width'][i] as string },
  );
  const elemType = images.type?.tensorType?.elemType ?? 0;
  const type = create(TypeSchema, { tensorType: { elemType, shape: { dim: dims } } });
  graph.input = graph.input.map((input) =>
    input === images ? create(ValueInfoSchema, { name, type }) : input,
  );
  return name;
}
