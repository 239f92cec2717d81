/** Sizes of the images that a graph leaves open: channels are the first convolution's, the rest as is asked for. */
import { create } from '@bufbuild/protobuf';
import { CritmapError } from '../../errors.js';
import { attributeInt, type GraphIndex, indexGraph } from '../graph.js';
import { type Graph, Shape_DimensionSchema, TypeSchema, ValueInfoSchema } from '../onnx_pb.js';
import { FLOAT } from '../tensors.js';
import { type Size, shapeOf, shapeText } from '../value-info.js';

/** What a person says of a model's images. */
export interface SizeChoice {
  channels?: number | undefined;
  /** Edge length in pixels. */
  size?: number | undefined;
}

/**
 * Changes the shape of the graph's one input.
 * @throws CritmapError (ERR_OPTION) when the graph has other sizes than those asked for
 */
export function settleSizes(path: string, graph: Graph, { channels, size }: SizeChoice): void {
  const [images] = graph.input;
  const shape = images && shapeOf(images);
  if (!images || shape?.length !== 4) return;
  const wanted = [null, channels ?? null, size ?? null, size ?? null];
  const other = wanted.findIndex((one, axis) => one !== null && shape[axis] !== null && shape[axis] !== one);
  if (other >= 0) {
    const option = other === 1 ? `--channels ${channels}` : `--size ${size}`;
    throw new CritmapError(
      'ERR_OPTION',
      `${option} does not fit ${path}, whose images are ${shapeText(shape.slice(1))} (channels x height x width); leave it out`,
    );
  }
  const known = wanted.map((one, axis) => one ?? shape[axis] ?? null);
  const read = shape[1] === null ? channelsOf(indexGraph(graph), images.name) : null;
  if (read && channels && channels !== read.channels && !(channels === 1 && read.broadcasts)) {
    throw new CritmapError(
      'ERR_OPTION',
      `--channels ${channels} does not fit ${path}, whose first convolution ${read.layer} reads ${read.channels}; leave it out`,
    );
  }
  known[1] ??= read?.channels ?? null;
  if (known.every((one, axis) => one === shape[axis])) return;
  const type = create(TypeSchema, { tensorType: { elemType: FLOAT, shape: { dim: known.map(dimension) } } });
  graph.input = [create(ValueInfoSchema, { name: images.name, type })];
}

const dimension = (size: Size, axis: number) =>
  create(Shape_DimensionSchema, size === null ? { dimParam: `axis ${axis}` } : { dimValue: BigInt(size) });

const preparing = /^(Identity|Cast|Add|Sub|Mul|Div|Clip|Pad|Resize)$/;
const arithmetic = /^(Add|Sub|Mul|Div)$/;

/** What the first convolution reads of images, as they are or prepared. */
interface FirstConvolution {
  layer: string;
  channels: number;
  /** Arithmetic with more than a number comes before it, which may make several channels of a single one. */
  broadcasts: boolean;
}

function channelsOf(index: GraphIndex, images: string): FirstConvolution | null {
  const seen = new Map([[images, false]]);
  // A map goes on over what is added to it.
  for (const [name, broadcasts] of seen) {
    for (const node of index.consumers.get(name) ?? []) {
      const weight =
        node.opType === 'Conv' && node.input[0] === name && index.tensors.get(node.input[1] ?? '');
      if (weight) {
        const channels = Number(weight.dims[1] ?? 0) * attributeInt(node, 'group', 1);
        return channels > 0 ? { layer: weight.name, channels, broadcasts } : null;
      }
      if (!preparing.test(node.opType)) continue;
      const isNumber = (other: string) =>
        index.tensors.get(other)?.dims.every((side) => side === 1n) ?? false;
      const mayBroadcast =
        arithmetic.test(node.opType) && !node.input.every((one) => one === name || isNumber(one));
      for (const made of node.output) seen.set(made, broadcasts || mayBroadcast);
    }
  }
  return null;
}
