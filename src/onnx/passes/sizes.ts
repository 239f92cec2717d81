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
  known[1] ??= channelsOf(indexGraph(graph), images.name);
  if (known.every((one, axis) => one === shape[axis])) return;
  const type = create(TypeSchema, { tensorType: { elemType: FLOAT, shape: { dim: known.map(dimension) } } });
  graph.input = [create(ValueInfoSchema, { name: images.name, type })];
}

const dimension = (size: Size, axis: number) =>
  create(Shape_DimensionSchema, size === null ? { dimParam: `axis ${axis}` } : { dimValue: BigInt(size) });

const preparing = /^(Identity|Cast|Add|Sub|Mul|Div|Clip|Pad|Resize)$/;

/** Input channels of the first convolution that reads the images, as they are or prepared. */
function channelsOf(index: GraphIndex, images: string): Size {
  const seen = new Set([images]);
  // A set goes on over what is added to it.
  for (const name of seen) {
    for (const node of index.consumers.get(name) ?? []) {
      const weight =
        node.opType === 'Conv' && node.input[0] === name && index.tensors.get(node.input[1] ?? '');
      if (weight) return Number(weight.dims[1] ?? 0) * attributeInt(node, 'group', 1) || null;
      if (preparing.test(node.opType)) for (const made of node.output) seen.add(made);
    }
  }
  return null;
}
