/**
 * Checks one exported model against what PyTorch says of it (oracle/export_zoo.py): its layers and parameters, its logits,
 * the logits after a one-layer donor reset, and both engines against each other and the graph as it is.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe } from '../../src/commands/inspect-model.js';
import { type Cell, planCells } from '../../src/design/cells.js';
import { checkEngine } from '../../src/engines/check.js';
import type { Engine, EngineOptions } from '../../src/engines/engine.js';
import { openFastEngine } from '../../src/engines/fast.js';
import { openReferenceEngine } from '../../src/engines/reference.js';
import { messageOf } from '../../src/errors.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import type { Comparison } from '../../src/native/addon.js';
import { writeOnnx } from '../../src/onnx/file.js';
import type { Layer } from '../../src/onnx/layers.js';
import { elementCount } from '../../src/onnx/tensors.js';
import { compareLogits } from '../../src/resets/arrays.js';
import type { Reset } from '../../src/resets/kinds.js';
import { parseReset } from '../../src/resets/parse.js';
import { resetLayer } from '../../src/resets/reset.js';
import { comparisonOf } from '../comparison.js';
import { readNpyFloats } from '../npy-floats.js';

/** NAME.json. */
export interface Exported {
  layers: {
    name: string;
    /** All of its names, where the module is shared. */
    aliases?: string[];
    type: string;
    shape: number[];
    bias: boolean;
    groups: number;
  }[];
  /** Shapes of all of PyTorch's parameters, by name. */
  parameters?: Record<string, number[]>;
  /** All names of each, as a shared module's has several, and which of them that is. */
  names?: Record<string, string>;
  logits: number[][];
  /** Logits with one layer's weight and bias from the donor, by layer. */
  donor: Record<string, number[][]>;
  /** Exports that there are, NAME.KIND.onnx and NAME.KIND.donor.onnx. */
  kinds: string[];
  /** Exports that PyTorch cannot make, and why. */
  failed: Record<string, string>;
}

export interface Checked {
  layers: number;
  /** Furthest from PyTorch's logits, relative to the row's largest: untouched, and after donor resets. */
  original: number;
  donor: number;
  /** The runtime's optimised graph was cut, not the model's own. */
  warnings: readonly string[];
  /** What is not as it must be. */
  problems: string[];
}

const context = { seed: 0, init: 'auto', norm: 'keep' } as const;

/** What invariant 1 allows. */
const LOGITS = 1e-3;

const RESETS = ['random', 'zero', 'constant=0.05'];

/** Layers that get a reset on both engines, evenly spread; the reference makes a session of each. */
const SAMPLED = 6;

export const readExported = (folder: string, name: string): Exported =>
  JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));

/** @param all every layer gets every reset on both engines; otherwise some */
export async function checkExport(folder: string, name: string, kind: string, all = true): Promise<Checked> {
  const truth = readExported(folder, name);
  const images = readNpyFloats(join(folder, `${name}.npy`));
  const model = await loadModel(join(folder, `${name}.${kind}.onnx`));
  const problems = layerProblems(model, truth);
  const original = furthest(await logitsOf(model, new Map(), images), truth.logits);
  if (!(original < LOGITS)) problems.push(`logits are off by ${original}`);

  const donorPath = join(folder, `${name}.${kind}.donor.onnx`);
  const donor = existsSync(donorPath) ? await loadModel(donorPath) : undefined;
  problems.push(...accountProblems(model, truth, /^(torchscript|dynamo-plain)$/.test(kind)));
  // Deep ones take minutes on the reference engine, which makes a session of each.
  const step = all ? 1 : Math.max(1, Math.floor(model.layers.length / SAMPLED));
  const sampled = model.layers.filter((_, i) => i % step === 0);
  const cells = planCells(sampled, await Promise.all(RESETS.map((words) => parseReset(words))), 1);
  const answers = new Map<Layer, number[][]>();
  let worst = 0;
  for (const [layer, expected] of donor ? Object.entries(truth.donor) : []) {
    const aliases = truth.layers.find(({ name }) => name === layer)?.aliases ?? [layer];
    const found = model.layers.find((one) => aliases.includes(one.name));
    if (!found || !donor) continue;
    const reset: Reset = { kind: 'interpolate', label: 'donor', alpha: 0, donor };
    const { tensors } = await resetLayer(model, found, reset, 0, context);
    const off = furthest(await logitsOf(model, tensors, images), expected);
    if (!(off < LOGITS)) problems.push(`donor reset of ${layer}: logits are off by ${off}`);
    worst = Math.max(worst, off);
    cells.push({ index: cells.length, layer: found, reset, trial: 0 });
    answers.set(found, expected);
  }
  problems.push(...(await engineProblems(model, cells, images, truth.logits, answers)));
  return { layers: model.layers.length, original, donor: worst, warnings: model.warnings, problems };
}

/** Every parameter is in a layer, in a norm, or listed with a reason; and nothing that is not PyTorch's is in the first two. */
function accountProblems(model: Model, { parameters, names = {} }: Exported, isWhole: boolean): string[] {
  const { account } = describe(model);
  const { total, layers, norms, elsewhere } = account;
  const sum = (list: readonly { parameters: number; percent: number }[], of: 'parameters' | 'percent') =>
    list.reduce((so, one) => so + one[of], 0);
  const all = [layers, norms, ...elsewhere];
  const problems: string[] = [];
  if (sum(all, 'parameters') !== total) problems.push(`${total} parameters are not those of the account`);
  if (Math.abs(sum(all, 'percent') - 100) > 1e-9) problems.push('the percentages do not add up to 100');
  if (elsewhere.some(({ why }) => why === '')) problems.push('a parameter is listed without a reason');
  // Exports that fold constants store what they computed in the place of parameters.
  if (!parameters || !isWhole) return problems;
  const nameOf = (tensor: string) => names[tensor.replace(/#\d+$/, '')] ?? tensor.replace(/#\d+$/, '');
  const made = elsewhere.filter(({ tensor }) => !parameters[nameOf(tensor)]);
  // What no image reaches (a mask of pretraining), or the model keeps computed (a bias of attention), is not in the file.
  const stored = new Set(model.file.graph.initializer.map(({ name }) => nameOf(name)));
  const trained = Object.entries(parameters)
    .filter(([name]) => stored.has(name))
    .reduce((so, [, shape]) => so + elementCount(shape), 0);
  if (total - sum(made, 'parameters') !== trained)
    problems.push(`${total - sum(made, 'parameters')} parameters accounted for, PyTorch has ${trained}`);
  return problems;
}

function layerProblems({ layers }: Model, truth: Exported): string[] {
  const nameOf = (name: string) => truth.layers.find(({ aliases }) => aliases?.includes(name))?.name ?? name;
  const found = layers.map(({ name }) => nameOf(name));
  const wanted = truth.layers.map(({ name }) => name);
  const [missing, extra] = [without(wanted, found), without(found, wanted)];
  const problems: string[] = [];
  if (missing.length > 0) problems.push(`${missing.length} layers not found: ${missing.slice(0, 4)}`);
  if (extra.length > 0) problems.push(`${extra.length} more layers: ${extra.slice(0, 4)}`);
  if (problems.length === 0 && found.join() !== wanted.join()) {
    const at = found.findIndex((name, i) => name !== wanted[i]);
    problems.push(`another order, from ${found[at]} for ${wanted[at]}`);
  }
  for (const module of truth.layers) {
    const layer = layers.find(({ name }) => nameOf(name) === module.name);
    if (!layer) continue;
    const { shape } = layer.weight;
    if (shape.join() !== module.shape.join())
      problems.push(`${module.name} is [${shape}], not [${module.shape}]`);
    if (layer.groups !== module.groups) problems.push(`${module.name} has ${layer.groups} groups`);
    // An export that folds BatchNorm gives a convolution a bias; one that has a bias keeps it.
    if (module.bias && !layer.bias) problems.push(`${module.name} lacks its bias`);
  }
  return problems;
}

const without = (names: readonly string[], others: readonly string[]) =>
  names.filter((name) => !others.includes(name));

/** The fast engine's counts are the reference's, its metrics too; donor cells are as PyTorch's logits say. */
async function engineProblems(
  model: Model,
  cells: readonly Cell[],
  images: { data: Float32Array; shape: number[] },
  logits: readonly number[][],
  donated: ReadonlyMap<Layer, number[][]>,
): Promise<string[]> {
  const [expected, found] = [
    await comparisons(openReferenceEngine, model, cells, images),
    await comparisons(openFastEngine, model, cells, images),
  ];
  const problems = await ownGraphProblems(model, cells, images);
  for (const [i, { layer, reset }] of cells.entries()) {
    const [a, b] = [expected[i], found[i]];
    const apart = a && b ? distance(a, b) : Number.NaN;
    // A constant classifier gives all classes the same logit, but for rounding: which of them is first says nothing.
    const isTie = reset.kind === 'constant' && layer === model.layers.at(-1);
    if ((a?.agreement !== b?.agreement && !isTie) || a?.invalid !== b?.invalid)
      problems.push(`${reset.label} of ${layer.name}: ${b?.agreement} agree, reference ${a?.agreement}`);
    if (!(apart < LOGITS)) problems.push(`${reset.label} of ${layer.name}: metrics apart by ${apart}`);
    if (reset.kind === 'interpolate' && b) {
      const wanted = await compareLogits(block(logits), block(donated.get(layer as Layer) ?? []));
      if (wanted.agreement !== b.agreement || !(distance(wanted, b) < LOGITS))
        problems.push(`donor reset of ${layer.name}: the fast engine differs from PyTorch`);
    }
  }
  return problems;
}

/** Cells whose logits are not those of the graph as it is, as a sweep's own check finds them. */
async function ownGraphProblems(
  model: Model,
  cells: readonly Cell[],
  { data, shape }: { data: Float32Array; shape: number[] },
): Promise<string[]> {
  const [count = 0, , height = 0, width = 0] = shape;
  const chunk = { index: 0, count, images: data, height, width, labels: undefined };
  const problems: string[] = [];
  const engine = await openFastEngine(model, { cells, context, size: chunk, batch: 3, threads: 1 });
  for (const cell of cells) {
    const settings = { ...context, batch: 3, threads: 1 };
    const unchecked = await checkEngine(model, engine, [cell], chunk, settings).catch((error) => [
      messageOf(error),
    ]);
    problems.push(...unchecked);
  }
  await engine.close();
  return problems;
}

function distance(a: Comparison, b: Comparison): number {
  const columns = ['cosine', 'l1', 'l2', 'js'] as const;
  const far = columns.map((column) =>
    Math.max(...a[column].map((value, i) => Math.abs(value - (b[column][i] ?? 0)))),
  );
  return Math.max(...far);
}

async function comparisons(
  open: (model: Model, options: EngineOptions) => Promise<Engine>,
  model: Model,
  cells: readonly Cell[],
  { data, shape }: { data: Float32Array; shape: number[] },
): Promise<Comparison[]> {
  const [count = 0, , height = 0, width = 0] = shape;
  const engine = await open(model, { cells, context, size: { height, width }, batch: 3, threads: 1 });
  const found: Comparison[] = [];
  try {
    const chunk = { index: 0, count, images: data, height, width, labels: undefined };
    await engine.evaluate(chunk, cells, {
      original: () => {},
      cell: (_, rows) => void found.push(comparisonOf(rows)),
    });
  } finally {
    await engine.close();
  }
  return found;
}

async function logitsOf(
  model: Model,
  replaced: ReadonlyMap<string, Float32Array>,
  { data, shape }: { data: Float32Array; shape: number[] },
): Promise<number[][]> {
  const session = await InferenceSession.create(writeOnnx(model.file, replaced), { logSeverityLevel: 3 });
  const { input, output } = model.io;
  const { [output]: logits } = await session.run({ [input]: new Tensor('float32', data, shape) }, [output]);
  await session.release();
  const [rows = 0, classes = 0] = logits?.dims ?? [];
  const values = logits?.data as Float32Array;
  return Array.from({ length: rows }, (_, i) => [...values.subarray(i * classes, (i + 1) * classes)]);
}

function block(rows: readonly number[][]) {
  const shape: [number, number] = [rows.length, rows[0]?.length ?? 0];
  return { data: Float32Array.from(rows.flat()), shape };
}

/** The largest difference, relative to the largest logit of its row. */
function furthest(found: readonly number[][], expected: readonly number[][]): number {
  const rows = expected.map((row, i) => {
    const far = Math.max(...row.map((value, j) => Math.abs(value - (found[i]?.[j] ?? Number.NaN))));
    return far / Math.max(...row.map(Math.abs));
  });
  return Math.max(...rows);
}
