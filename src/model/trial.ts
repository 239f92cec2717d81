/**
 * What a graph does not tell of itself is seen in a trial with noise, where there is a doubt: whether its output is
 * probabilities, and whether it takes as many images at once as its input says.
 */
import { create } from '@bufbuild/protobuf';
import type { Tensor as RunTensor } from 'onnxruntime-node';
import { onnxruntimeNode } from '../native/onnxruntime-node.js';
import { sessionOptions } from '../native/session-options.js';
import { sessionOf } from '../onnx/file.js';
import { type GraphIndex, indexGraph } from '../onnx/graph.js';
import { type Node, ValueInfoSchema } from '../onnx/onnx_pb.js';
import { fixBatch, mayFixBatch, mayMixImages } from '../onnx/passes/batch.js';
import { endingOf } from '../onnx/passes/ending.js';
import type { Ends } from '../onnx/passes/ends.js';
import { asLogarithm, movedSoftmax, withoutSoftmax } from '../onnx/passes/logits.js';
import { asTwoClasses, asTwoProbabilities } from '../onnx/passes/two-classes.js';
import { largest } from '../statistics/extremes.js';
import { modelInput } from './input.js';
import type { Model } from './model.js';

/**
 * Changes the file's graph where the trial shows that it must be: what a softmax is of, log p in the place of p, two
 * classes in the place of one number; and the batch is what a node makes of it.
 * @returns whether anything was changed, and the model has to be made again
 */
export async function tryOut(model: Model): Promise<boolean> {
  const { file, io } = model;
  const { ends } = file;
  if (!ends) return false;
  const index = indexGraph(file.graph);
  const fixed = io.batch === null ? mayFixBatch(index, io.input) : undefined;
  const mixing = io.batch === null ? mayMixImages(index, io.input) : undefined;
  const softmax = movedSoftmax(file.graph, io.output);
  const compared = ends.single ?? io.output;
  const unsure =
    ends.single === undefined ? !isSurelyLogits(index, compared) : mayBeProbability(index, compared);
  if (!fixed && !mixing && softmax === undefined && !unsure && io.classes !== null) return false;
  // Another number than the one that would fit by chance.
  const ownBatch = io.batch ?? (fixed?.batch === 2 ? 3 : 2);
  let changed = false;
  let seen = await runOnNoise(model, ownBatch, softmax);
  const change = (more: Partial<Ends>) => {
    file.ends = { ...(file.ends as Ends), ...more };
    changed = true;
  };
  const isOwn = seen && (fixed || mixing) ? await isEachItsOwn(model, seen.rows) : true;
  if (fixed && !(seen && isOwn)) {
    for (const batch of new Set([1, fixed.batch])) {
      seen = await runOnNoise(model, batch, softmax);
      if (!seen) continue;
      fixBatch(file.graph, batch);
      change({ batchFixedBy: { node: nameOf(fixed.node), batch } });
      break;
    }
  } else if (mixing && !isOwn) {
    change({ mixedBy: { node: nameOf(mixing), op: mixing.opType } });
  }
  const rows = seen?.rows;
  if (softmax !== undefined) {
    // What does not run is said where it matters; most of them are over all classes.
    if (seen?.inner?.every(isDistribution) ?? true) change(withoutSoftmax(file.graph, io.output));
    else change({ partsOf: indexGraph(file.graph).producer.get(softmax)?.input[0] ?? softmax });
  }
  if (ends.single === undefined && rows?.every(({ length }) => length === 1)) {
    const single = file.ends!.output;
    const isProbable = mayBeProbability(index, single) && rows.every(isProbability);
    const isSquashed = endingOf(index, single).node?.opType === 'Sigmoid';
    if (isProbable && !isSquashed)
      change({ single, output: asTwoProbabilities(file.graph, single), probability: true });
    else change({ single, output: asTwoClasses(file.graph, single) });
  } else if (ends.single !== undefined && unsure && rows?.every(isProbability)) {
    change({ output: asTwoProbabilities(file.graph, ends.single), probability: true });
  } else if (softmax === undefined && unsure && rows?.every(isDistribution)) {
    change({ output: asLogarithm(file.graph, io.output), logOf: io.output });
  }
  return changed;
}

const nameOf = ({ name, output, opType }: Node) => name || output[0] || opType;

/** What rounding may leave between two ways of computing a row, relative to its largest. */
const CLOSE = 1e-3;

/** Whether the first image's row is what the image has alone: some graphs mix the images of a batch. */
async function isEachItsOwn(model: Model, [first = []]: readonly number[][]): Promise<boolean> {
  const [alone] = (await runOnNoise(model, 1))?.rows ?? [];
  const size = largest(first.map(Math.abs));
  return alone === undefined || first.every((value, c) => Math.abs(value - alone[c]!) <= CLOSE * size);
}

/** What passes logits on, one by one or as means. */
const passing =
  /^(Identity|Cast|Flatten|Squeeze|Unsqueeze|Reshape|Transpose|Dropout|GlobalAveragePool|AveragePool|ReduceMean|BatchNormalization)$/;
const making = /^(Gemm|MatMul|Conv|ConvTranspose|Einsum|LogSoftmax|Log)$/;

/** Whether an output comes from a Linear or a convolution by what makes no probabilities. */
function isSurelyLogits({ producer, tensors, graph }: GraphIndex, output: string): boolean {
  let node = producer.get(output);
  for (let steps = 0; node && steps <= graph.node.length; steps++) {
    if (making.test(node.opType)) return true;
    const given = node.input.filter((name) => !tensors.has(name));
    const next = passing.test(node.opType) ? node.input[0] : given.length === 1 ? given[0] : undefined;
    if (!passing.test(node.opType) && !/^(Add|Sub|Mul|Div)$/.test(node.opType)) return false;
    // An inverse, or a difference from 1, may be anything.
    if (/^(Sub|Div)$/.test(node.opType) && next !== node.input[0]) return false;
    node = next ? producer.get(next) : undefined;
  }
  return false;
}

const squashing = /^(Sigmoid|HardSigmoid|Softmax|Exp)$/;

/** Whether one number comes from what makes probabilities, by what looks at nothing else. */
function mayBeProbability({ producer, tensors, graph }: GraphIndex, output: string): boolean {
  let node = producer.get(output);
  for (let steps = 0; node && steps <= graph.node.length; steps++) {
    if (squashing.test(node.opType)) return true;
    const given = node.input.filter((name) => name !== '' && !tensors.has(name));
    if (making.test(node.opType) || given.length !== 1) return false;
    node = producer.get(given[0] ?? '');
  }
  return false;
}

/** The last of a row's numbers: the only one, or the second class's. */
const isProbability = (row: readonly number[]) => {
  const value = row.at(-1) ?? Number.NaN;
  return value >= 0 && value <= 1;
};

/** What a sum of rounded probabilities may be off by. */
const ROUNDING = 1e-3;

function isDistribution(row: readonly number[]): boolean {
  const sum = row.reduce((total, value) => total + value, 0);
  return (
    row.length > 1 &&
    Math.abs(sum - 1) < ROUNDING &&
    row.every((value) => value >= 0 && value <= 1 + ROUNDING)
  );
}

interface Seen {
  /** The output's. */
  rows: number[][];
  /** Those of another tensor, a row for each image, where it has as many. */
  inner?: number[][] | undefined;
}

/**
 * @param inner another tensor to look at
 * @returns undefined where the model does not run, or gives no row for each image
 */
async function runOnNoise(model: Model, batch: number, inner?: string): Promise<Seen | undefined> {
  const { io, file } = model;
  try {
    const { channels, height, width } = modelInput(model).shape;
    const count = batch * channels * height * width;
    const scale = file.ends?.pixels ? 127.5 : 2;
    // Of no pattern that pooling would take away.
    const noise = Float32Array.from({ length: count }, (_, i) => {
      const value = Math.sin(i * i * 0.7 + i);
      return Math.round(scale * (file.ends?.pixels ? value + 1 : value) * 64) / 64;
    });
    const { InferenceSession, Tensor } = onnxruntimeNode();
    const outputs = inner === undefined ? [io.output] : [io.output, inner];
    const output = [...file.graph.output];
    if (inner !== undefined && inner !== io.output) output.push(create(ValueInfoSchema, { name: inner }));
    const { bytes, externalData } = sessionOf({ ...file, graph: { ...file.graph, output } });
    const session = await InferenceSession.create(bytes, {
      ...sessionOptions,
      ...silent,
      externalData,
      graphOptimizationLevel: 'disabled',
    });
    try {
      const feeds = { [io.input]: new Tensor('float32', noise, [batch, channels, height, width]) };
      const found = await session.run(feeds, outputs, silent);
      const rows = rowsOf(found[io.output], batch);
      if (!rows || found[io.output]?.dims.length !== 2) return undefined;
      return { rows, inner: inner === undefined ? undefined : rowsOf(found[inner], batch) };
    } finally {
      await session.release();
    }
  } catch {
    // What is wrong with it is said where it matters.
    return undefined;
  }
}

/** That a graph does not run is an answer here, and ONNX Runtime need not print it. */
const silent = { logSeverityLevel: 4 } as const;

function rowsOf(found: RunTensor | undefined, batch: number): number[][] | undefined {
  const values = found?.data;
  if (found?.dims[0] !== batch || !(values instanceof Float32Array)) return undefined;
  const size = values.length / batch;
  return Array.from({ length: batch }, (_, i) => [...values.subarray(i * size, (i + 1) * size)]);
}
