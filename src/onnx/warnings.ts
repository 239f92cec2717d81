/**
 * What may make a sweep of a model mean less than it seems: layers that cannot be reset, folded BatchNorm or
 * weight standardisation, an output that is not logits. Each one line, with what to do.
 */

import { some } from '../errors.js';
import type { OnnxFile } from './file.js';
import type { GraphIndex } from './graph.js';
import type { ModelIo } from './io.js';
import type { Layer } from './layers.js';
import type { LeftOut } from './left-out.js';
import { madeUp, modulePath } from './names.js';
import { mixesImages } from './passes/batch.js';
import { endingOf } from './passes/ending.js';
import type { Ends } from './passes/ends.js';
import { floats } from './tensors.js';

export interface Doubtful {
  file: OnnxFile;
  index: GraphIndex;
  io: ModelIo;
  ends: Ends;
  layers: readonly Layer[];
  leftOut: readonly LeftOut[];
}

export function doubtsOf(model: Doubtful): string[] {
  const { ends } = model;
  const found = [
    ...leftOut(model),
    foldedLayers(model),
    foldedNorms(model),
    foldedStandardisation(model),
    compared(model),
    ends.batchFixedBy &&
      `its node ${ends.batchFixedBy.node} takes ${ends.batchFixedBy.batch === 1 ? 'one image' : `${ends.batchFixedBy.batch} images`} at a time whatever its input says, and so does the sweep; export it with an open batch to be faster`,
    ends.pixels && `its input takes pixels from 0 to 255, which it gets as they are`,
    ...ends.zeroed.map((name) => `its input ${name} gets zeros, since critmap feeds the images only`),
    model.file.converted?.length &&
      `its numbers are ${model.file.converted.join(' and ')}; critmap computes with the same weights in float32`,
    ends.single !== undefined &&
      `its output ${ends.chosen} is one number, taken for the ${ends.probability ? 'probability' : 'logit'} of the second of two classes${ends.probability ? '' : ', or its sigmoid'}`,
    ends.mixedBy && mixesImages(ends.mixedBy),
    ends.others.length > 0 &&
      `${some([ends.chosen, ...ends.others])} could each be its logits; ${ends.chosen} is compared, to which most layers lead (--output names another)`,
    model.io.classes === 1 && 'it has one class, so no prediction can change',
  ];
  return found.filter((text) => typeof text === 'string').map((text) => `${model.file.path}: ${text}`);
}

/** Trained matrices and kernels that are not layers, by what they are instead. */
function leftOut({ leftOut }: Doubtful): string[] {
  const reasons = new Set(leftOut.map(({ why }) => why));
  return [...reasons].map((reason) => {
    const names = leftOut.flatMap(({ name, op, why }) => (why === reason ? [`${name} (${op})`] : []));
    return `${names.length} operation(s) with a stored tensor are no layers and left out: ${some(names, 3)}; ${reason}`;
  });
}

const activation = /^(Relu|LeakyRelu|Gelu|Erf|Tanh|Sigmoid|HardSwish)$/;

/**
 * Products of stored tensors are computed by an export that folds constants. Their bias is still added, or is in what was
 * computed, of which an activation is taken.
 */
function foldedLayers({ index }: Doubtful): string | false {
  const biasName = /\.bias(#\d+)?$/;
  const found = index.graph.node.flatMap((node) => {
    const given = activation.test(node.opType) ? index.tensors.get(node.input[0] ?? '') : undefined;
    // A vector that is no more than arranged is a gate.
    if (given && given.dims.filter((size) => size > 1n).length > 1 && madeUp.test(given.name))
      return [`one before ${modulePath(node) ?? node.name}`];
    if (node.opType !== 'Add') return [];
    const tensors = node.input.map((name) => index.tensors.get(name));
    const bias = tensors.find((tensor) => tensor?.dims.length === 1 && biasName.test(tensor.name));
    const result = tensors.find((tensor) => tensor !== bias);
    const isResult = result && madeUp.test(result.name) && result.dims.length > 1;
    return bias && isResult && result.dims.at(-1) === bias.dims[0]
      ? [modulePath(node) ?? bias.name.replace(biasName, '')]
      : [];
  });
  return (
    found.length > 0 &&
    `${found.length} layer(s) depend on no image and are no longer in the file, since the export computed what they give (${some(found, 3)}). Export again without folding constants (docs/export.md)`
  );
}

/** Exporters leave traces where they fold a norm; without any, biases where most networks have norms are one. */
function foldedNorms({ file, index, layers }: Doubtful): string | false {
  const convolutions = layers.filter(({ op }) => op === 'Conv');
  const plain = convolutions.filter(({ bias, norm }) => bias !== null && norm === null);
  const folded = plain.filter((layer) => wasFolded(index, layer));
  const advice = `Export again with BatchNorm kept (${recipe(file)}; docs/export.md), or sweep with --init match, which draws with the trained weights' spread of every channel and keeps the biases`;
  if (folded.length > 0) {
    return `BatchNorm is folded into ${folded.length} of its ${convolutions.length} convolutions (${folded[0]?.name}, ...), so a reset takes the norm's scale and shift away too and layers seem more critical than they are. ${advice}`;
  }
  const own = plain.filter(({ weight, bias }) => hasOwnBias(weight.tensor, bias?.tensor ?? ''));
  const unclear = plain.length - own.length;
  const norms = file.graph.node.some(({ opType }) => /Normalization$/.test(opType));
  if (norms || convolutions.length < 3 || unclear <= convolutions.length / 2) return false;
  return `its convolutions have biases and no BatchNorm. If the export folded BatchNorm into them, a reset takes the norms away too and layers seem more critical than they are. ${advice}`;
}

/** Whether the export left traces of a BatchNorm that it folded into a convolution. */
export function wasFolded(index: GraphIndex, { weight, bias }: Layer): boolean {
  const named = bias?.tensor ?? '';
  if (named === `${weight.tensor}_bias`) return true;
  if (/_(weights|bias)_fused_bn/.test(`${weight.tensor} ${named}`)) return true;
  // TorchScript's exporter: only what was computed at export loses its name.
  if (/^onnx::/.test(weight.tensor) && /^onnx::/.test(named)) return true;
  const rules = index.consumers
    .get(weight.tensor)
    ?.flatMap((node) => node.metadataProps.filter(({ key }) => key.endsWith('rewriter.rule_name')));
  return rules?.some(({ value }) => value.includes('FuseBatchNorm')) ?? false;
}

/** `conv.weight` and `conv.bias`: of one module, as trained. */
function hasOwnBias(weight: string, bias: string): boolean {
  return /weight$/.test(weight) && bias === weight.replace(/weight$/, 'bias');
}

/** The one line that a person changes. */
function recipe({ proto, graph }: OnnxFile): string {
  if (proto.producerName !== 'pytorch') return 'without the optimisation that fuses it';
  const dynamo =
    graph.node.some(({ metadataProps }) => metadataProps.length > 0) ||
    graph.initializer.some(({ name }) => name.endsWith('.weight_bias'));
  return dynamo
    ? 'torch.onnx.export(..., dynamo=True, optimize=False)'
    : 'torch.onnx.export(..., training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)';
}

/** What float32 leaves of a mean of zero, relative to the spread. */
const ZERO_MEAN = 1e-5;

/** Weights whose every output channel has mean zero were standardised when they were stored. */
function foldedStandardisation({ file, index, layers }: Doubtful): string | false {
  const given = new Set([...(file.computed?.values() ?? [])].map(({ tensor }) => tensor));
  const found = layers.filter(({ op, weight }) => {
    if (op !== 'Conv' || given.has(weight.tensor)) return false;
    const tensor = index.tensors.get(weight.tensor);
    return tensor !== undefined && hasZeroMeans(floats(tensor), weight.layout.channels);
  });
  if (found.length === 0) return false;
  return `the weights of ${found.length} convolution(s) (${found[0]?.name}, ...) have mean zero in every channel: the export stored them standardised, and a reset puts weights that are not in their place. Export again without folding constants (docs/export.md), or sweep with --init match`;
}

function hasZeroMeans(values: Float32Array, channels: number): boolean {
  const inner = values.length / channels;
  let measured = 0;
  for (let c = 0; c < channels; c++) {
    let [sum, squares] = [0, 0];
    for (let i = c * inner; i < (c + 1) * inner; i++) {
      sum += values[i]!;
      squares += values[i]! ** 2;
    }
    if (squares === 0) continue;
    if (Math.abs(sum / inner) > ZERO_MEAN * Math.sqrt(squares / inner)) return false;
    measured++;
  }
  // A channel or two may be so by chance.
  return measured > 2;
}

/** What is compared, where that is not the file's output as it is. */
function compared({ index, io, ends }: Doubtful): string | false {
  if (ends.softmaxOf !== undefined) {
    return `its output ${ends.chosen} is a softmax; what that is of, ${ends.softmaxOf}, is compared`;
  }
  if (ends.logOf !== undefined) {
    return `its output ${ends.chosen} is probabilities, each row's sum is 1; their logarithm is compared, whose softmax they are`;
  }
  if (ends.partsOf !== undefined) {
    return `its output ${ends.chosen} is several softmaxes side by side, each over a part of it; the comparison takes them for logits of classes that exclude each other. Name what they are taken of, --output ${JSON.stringify(ends.partsOf)}, or export without them, and see whether that is meant`;
  }
  const { node: last } = endingOf(index, io.output);
  return (
    last?.opType === 'Sigmoid' &&
    `its output ${io.output} is a sigmoid, of each class on its own; the comparison takes them for logits of classes that exclude each other. Name what it is taken of, --output ${JSON.stringify(last?.input[0])}, or export without it, and see whether that is meant`
  );
}
