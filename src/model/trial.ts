/**
 * What a graph does not tell of itself is seen in a trial with noise, where there is a doubt: whether its output is
 * probabilities, and whether it takes as many images at once as its input says.
 */
import { onnxruntimeNode } from '../native/onnxruntime-node.js';
import { sessionOptions } from '../native/session-options.js';
import { sessionOf } from '../onnx/file.js';
import { type GraphIndex, indexGraph } from '../onnx/graph.js';
import { fixBatch, mayFixBatch } from '../onnx/passes/batch.js';
import type { Ends } from '../onnx/passes/ends.js';
import { asLogarithm } from '../onnx/passes/logits.js';
import { largest } from '../statistics/extremes.js';
import { modelInput } from './input.js';
import type { Model } from './model.js';

/**
 * Changes the file's graph where the trial shows that it must be: log p is compared in the place of p, and the batch
 * is what a node makes of it.
 * @returns whether anything was changed, and the model has to be made again
 */
export async function tryOut(model: Model): Promise<boolean> {
  const { file, io } = model;
  const { ends } = file;
  if (!ends) return false;
  const index = indexGraph(file.graph);
  const fixed = io.batch === null ? mayFixBatch(index, io.input) : undefined;
  const unsure = ends.single === undefined && !isSurelyLogits(index, io.output);
  if (!fixed && !unsure) return false;
  // Another number than the one that would fit by chance.
  const ownBatch = io.batch ?? (fixed?.batch === 2 ? 3 : 2);
  let changed = false;
  let rows = await runOnNoise(model, ownBatch);
  if (fixed && !(rows && (await isEachItsOwn(model, rows)))) {
    for (const batch of new Set([1, fixed.batch])) {
      rows = await runOnNoise(model, batch);
      if (!rows) continue;
      fixBatch(file.graph, batch);
      const { node } = fixed;
      file.ends = { ...ends, batchFixedBy: { node: node.name || node.output[0] || node.opType, batch } };
      changed = true;
      break;
    }
  }
  if (!unsure || !rows?.every(isDistribution)) return changed;
  const output = asLogarithm(file.graph, io.output);
  file.ends = { ...(file.ends as Ends), output, logOf: io.output };
  return true;
}

/** What rounding may leave between two ways of computing a row, relative to its largest. */
const CLOSE = 1e-3;

/** Whether the first image's row is what the image has alone: some graphs mix the images of a batch. */
async function isEachItsOwn(model: Model, [first = []]: readonly number[][]): Promise<boolean> {
  const [alone] = (await runOnNoise(model, 1)) ?? [];
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

/** @returns the output's rows; undefined where the model does not run, or gives no row for each image */
async function runOnNoise(model: Model, batch: number): Promise<number[][] | undefined> {
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
    const { bytes, externalData } = sessionOf(file);
    const session = await InferenceSession.create(bytes, {
      ...sessionOptions,
      externalData,
      graphOptimizationLevel: 'disabled',
    });
    try {
      const feeds = { [io.input]: new Tensor('float32', noise, [batch, channels, height, width]) };
      const { [io.output]: found } = await session.run(feeds, [io.output]);
      const [rows, classes = 0, ...more] = found?.dims ?? [];
      const values = found?.data;
      if (rows !== batch || more.length > 0 || !(values instanceof Float32Array)) return undefined;
      return Array.from({ length: rows }, (_, i) => [...values.subarray(i * classes, (i + 1) * classes)]);
    } finally {
      await session.release();
    }
  } catch {
    // What is wrong with it is said where it matters.
    return undefined;
  }
}
