/**
 * A plan in float16 (half.ts). Norms that follow a convolution at once are folded into it first, in float32, from the
 * trained values: their statistics never are float16, and nothing has to be cast between the two.
 */
import { create } from '@bufbuild/protobuf';
import type { Model } from '../model/model.js';
import { everyLayer } from '../model/targets.js';
import { isNormOp } from '../onnx/norm-ops.js';
import { type Node, NodeSchema, type Tensor, TensorSchema } from '../onnx/onnx_pb.js';
import { FLOAT, withFloats } from '../onnx/tensors.js';
import type { TensorShape } from '../onnx/value-info.js';
import type { BaseGraph } from './base-graph.js';
import type { Dataflow } from './dataflow.js';
import type { Part } from './extract.js';
import { foldNorm } from './fold.js';
import { halfShapes, halfTensors, inHalf } from './half.js';
import { wholesOf } from './split.js';

export interface HalfPlan {
  shapes: Map<string, TensorShape>;
  /** What a part is instead; its inputs and outputs stay, some as float16. */
  rewrite(part: Part): Part;
}

/** @param source the model's own graph */
export function planHalf(
  model: Model,
  source: BaseGraph,
  flow: Dataflow,
  shapes: ReadonlyMap<string, TensorShape>,
): HalfPlan {
  const folds = trainedFolds(model);
  const norms = new Set(folds.map(({ norm }) => norm));
  const half = halfTensors(source.graph, flow, shapes, norms, source.output);
  return {
    shapes: halfShapes(shapes, half),
    rewrite: (part) => inHalf(withFolds(part, folds), half),
  };
}

interface TrainedFold {
  conv: Node;
  norm: Node;
  /** Instead of both: the weight times the norm's factor, and the convolution by that. */
  nodes: readonly [scale: Node, conv: Node];
  /** The factor and the shift. */
  tensors: readonly Tensor[];
}

function trainedFolds(model: Model): TrainedFold[] {
  const ownNorms = new Set(
    everyLayer(model).flatMap(({ op, weight }) => (isNormOp(op) ? [weight.tensor] : [])),
  );
  return wholesOf(model.layers).flatMap((layer) => {
    // One that is reset for itself is a node of its own.
    if (ownNorms.has(layer.norm?.scale ?? '')) return [];
    const fold = foldNorm(layer, model.file.graph.node, (tensor) => model.values(tensor));
    if (!fold) return [];
    const { conv, norm, fused, shift, factor } = fold;
    const { tensor: weight, stored } = layer.weight;
    const [scaled, by] = [`${weight} critmap scaled`, `${weight} critmap factor`];
    const dims = stored.map((_, axis) => BigInt(axis === 0 ? factor.length : 1));
    const empty = create(TensorSchema, { name: by, dims, dataType: FLOAT });
    const scale = create(NodeSchema, { name: scaled, opType: 'Mul', input: [weight, by], output: [scaled] });
    const [input = '', , bias = ''] = fused.input;
    return {
      conv,
      norm,
      nodes: [scale, { ...fused, input: [input, scaled, bias] }],
      tensors: [withFloats(empty, factor), shift],
    };
  });
}

function withFolds(part: Part, folds: readonly TrainedFold[]): Part {
  const present = new Set(part.nodes);
  const own = folds.filter(({ conv, norm }) => present.has(conv) && present.has(norm));
  const byConv = new Map(own.map((fold) => [fold.conv, fold.nodes]));
  const norms = new Set(own.map(({ norm }) => norm));
  return {
    ...part,
    nodes: part.nodes.flatMap((node) => byConv.get(node) ?? (norms.has(node) ? [] : [node])),
    extra: [...(part.extra ?? []), ...own.flatMap(({ tensors }) => tensors)],
  };
}
