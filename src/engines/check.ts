/**
 * The runtime and the plan are checked too: what an engine computes must be the model. Its original logits, and those
 * of a layer under draws of its own, are those of the graph as it is on a few images, or a sweep ends before it begins.
 */
import type { Cell } from '../design/cells.js';
import { drawOf, type SliceDesign } from '../design/slices.js';
import { CritmapError, messageOf } from '../errors.js';
import { parametersIn } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import { storedValues } from '../model/targets.js';
import type { Precision } from '../native/cards.js';
import { mixesImages } from '../onnx/passes/batch.js';
import { rewired } from '../onnx/rewire.js';
import { isActivation } from '../resets/activation.js';
import { isRandom, type ResetContext, replacementIn } from '../resets/kinds.js';
import { resetLayer } from '../resets/reset.js';
import { largest } from '../statistics/extremes.js';
import { type Chunk, floatsOf, imagesOf, slicesIn } from './chunk.js';
import { CROSSED, type Engine, type Logits } from './engine.js';
import { openUnoptimised, type Unoptimised } from './unoptimised.js';

/** Images that are compared: a fault of the optimiser changes all of them, or nearly. */
const CHECKED_IMAGES = 4;

/** A wrong layer changes all images. */
const imagesOfDraw = (checked: number) => Math.min(2, checked);

/** Draws of the one layer. */
const DRAWS = 2;

/** Layers of more parameters are not the one that is checked where there are others: each draw is a copy of it. */
const MOST_PARAMETERS = 2 ** 24;

/** Relative to a row's largest logit; TF32 and float16 have 10 bits of fraction, dozens of layers lose some. */
const TOLERANCE: Record<Precision, number> = { fp32: 1e-3, tf32: 0.05, fp16: 0.05 };

/** Of a number, with which inputs and weights are moved to see what rounding comes to. */
const ROUNDING: Record<Precision, number> = { fp32: 2 ** -20, tf32: 2 ** -10, fp16: 2 ** -10 };

/** As many times as far, the sum of all layers' rounding may move what one rounding moves by 1. */
const ROUNDINGS = 30;

/** What float32 on a card may be off by, whatever rounding moves. */
const ROUNDED = 1e-5;

/**
 * As {@link ROUNDINGS}, of a card that computes in float32. On the demo's models other orders of summation move logits 0.7
 * times as far as ROUNDING of the images does, 10 bits of every factor (TF32's) 370 to 770 times. Convolutions by
 * Winograd's algorithm are less exact than sums in another order.
 */
const CARD_ROUNDINGS = 64;

export interface CheckSettings extends ResetContext {
  batch: number;
  threads: number;
  precision?: Precision | undefined;
  /** Those that compute, whose float32 must be float32. */
  cards?: readonly number[] | undefined;
  design?: SliceDesign | undefined;
}

/**
 * @param cells those of the engine
 * @param chunk the first images; null where there is nothing to compute
 * @returns warnings: that the check could not be made
 * @throws CritmapError (ERR_MODEL) when the logits differ; the signal's reason
 */
export async function checkEngine(
  model: Model,
  engine: Engine,
  cells: readonly Cell[],
  chunk: Chunk | null,
  settings: CheckSettings,
  signal?: AbortSignal,
): Promise<string[]> {
  if (!chunk) return [];
  const { threads } = settings;
  const count = Math.min(CHECKED_IMAGES, chunk.count, engine.batch);
  signal?.throwIfAborted();
  const draws = await drawsToCheck(model, cells, chunk, settings);
  const changing = (draw: Draw) => engine.changed(chunk, imagesOfDraw(count), draw.cell, draw.slice);
  const [found, ...changed] = await Promise.all([engine.original(chunk, count), ...draws.map(changing)]);
  const unoptimised = { size: chunk, classes: found.classes, threads: Math.min(threads, count), signal };
  const parameters = [...new Set(draws.flatMap(({ values }) => [...values.keys()]))];
  const own = await openUnoptimised(model, { ...unoptimised, parameters }).catch(
    (error: unknown) => error as Error,
  );
  signal?.throwIfAborted();
  const unchecked = (error: unknown) => [
    `${model.file.path}: ONNX Runtime runs it only as it optimises it, which could not be checked therefore: ${messageOf(error)}`,
  ];
  if (own instanceof Error) return unchecked(own);
  try {
    let expected: Float32Array;
    try {
      expected = await own.logits(chunk, count);
    } catch (error) {
      signal?.throwIfAborted();
      return unchecked(error);
    }
    await refuseRounded(model, own, chunk, found, expected, settings);
    await refuseOriginal(model, engine, chunk, found, expected, settings);
    for (const [i, logits] of changed.entries()) {
      signal?.throwIfAborted();
      const draw = draws[i]!;
      const graph = draw.model && (await openUnoptimised(draw.model, { ...unoptimised, parameters: [] }));
      try {
        await checkDraw(model, engine, graph ?? own, { ...draw, ...logits }, chunk, settings);
      } finally {
        await graph?.close();
      }
    }
    return [];
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    await own.close();
  }
}

async function refuseOriginal(
  model: Model,
  engine: Engine,
  chunk: Chunk,
  found: Logits,
  expected: Float32Array,
  { precision = 'fp32' }: CheckSettings,
): Promise<void> {
  const far = furthest(found, expected);
  if (far.distance <= TOLERANCE[precision]) return;
  const { path, ends } = model.file;
  const count = found.logits.length / found.classes;
  // The graph as it is got the images one by one.
  const repeated = await engine.original(repeatedImage(chunk, far.image, count), count);
  const [among, alike] = [found, repeated].map(({ logits, classes }) =>
    logits.slice(far.image * classes, (far.image + 1) * classes),
  );
  if (furthest({ ...found, logits: among! }, alike!).distance > TOLERANCE[precision]) {
    throw new CritmapError('ERR_MODEL', `${path}: ${mixesImages(ends?.mixedBy)}`);
  }
  const other = engine.name === 'fast' ? 'Try --engine reference, which is checked too, or export' : 'Export';
  throw new CritmapError(
    'ERR_MODEL',
    `${path}: ONNX Runtime's optimiser makes another model of it: on image ${far.image} the logit of class ${far.class} is ${far.found}, without optimising ${far.expected}. ${other} it in another way or with another opset, and please report it to critmap`,
  );
}

/**
 * A card that computes with fewer bits than float32 has is not what was asked for, though it may be near enough.
 * @throws CritmapError (ERR_MODEL)
 */
async function refuseRounded(
  model: Model,
  own: Unoptimised,
  chunk: Chunk,
  found: Logits,
  expected: Float32Array,
  { precision = 'fp32', cards }: CheckSettings,
): Promise<void> {
  const far = furthest(found, expected);
  // Further away it is another fault.
  const isNear = far.distance > ROUNDED && far.distance <= TOLERANCE.tf32;
  if (precision !== 'fp32' || cards === undefined || !isNear) return;
  const count = found.logits.length / found.classes;
  const images = moved(floatsOf(chunk, 0, count), ROUNDING.fp32);
  const logits = await own.logits({ ...chunk, count, images }, count);
  const rounding = furthest({ logits, classes: found.classes }, expected).distance;
  if (far.distance <= CARD_ROUNDINGS * rounding) return;
  throw new CritmapError(
    'ERR_MODEL',
    `${model.file.path}: the card computes with fewer bits than float32 has: on image ${far.image} the logit of class ${far.class} is ${far.found}, in the graph ${far.expected}, ${Math.round(far.distance / rounding)} times as far as rounding the images moves it. --precision tf32 allows that; please report it to critmap`,
  );
}

/** One of a chunk's images as often as there were others. */
function repeatedImage(chunk: Chunk, image: number, count: number): Chunk {
  const one = imagesOf(chunk, image, image + 1);
  const repeat = <T extends Float32Array | Uint8Array>(values: T, into: T) => {
    for (let i = 0; i < count; i++) into.set(values, i * values.length);
    return into;
  };
  const images =
    one instanceof Float32Array
      ? repeat(one, new Float32Array(count * one.length))
      : { ...one, pixels: repeat(one.pixels, new Uint8Array(count * one.pixels.length)) };
  return { ...chunk, count, images };
}

/** A cell under one of its draws. */
interface Draw {
  cell: Cell;
  slice: number;
  /** Of the tensors that it replaces. */
  values: ReadonlyMap<string, Float32Array>;
  /** With a graph of its own, where the cell replaces what a layer gives. */
  model?: Model;
}

/** Some draws of one layer and reset, and what one layer gives, which the model's hash chooses. */
async function drawsToCheck(
  model: Model,
  cells: readonly Cell[],
  chunk: Chunk,
  settings: CheckSettings,
): Promise<Draw[]> {
  const replacing = cells.filter(({ reset }) => isActivation(reset));
  const weights = cells.filter(({ reset }) => !isActivation(reset));
  const cell = replacing[chosenBy(model) % replacing.length];
  const file = cell && rewired(model.file, replacementIn(settings, cell));
  return [
    ...(await weightsToCheck(model, weights, chunk, settings)),
    ...(cell && file
      ? [{ cell, slice: slicesIn(chunk)[0]?.slice ?? 0, values: new Map(), model: { ...model, file } }]
      : []),
  ];
}

const chosenBy = ({ sha256 }: Model) => Number.parseInt(sha256.slice(0, 8), 16);

async function weightsToCheck(
  model: Model,
  cells: readonly Cell[],
  chunk: Chunk,
  { design = CROSSED, ...context }: CheckSettings,
): Promise<Draw[]> {
  const random = cells.filter(({ layer, reset }) => isRandom(reset, layer));
  const kind = random.length > 0 ? random : cells;
  const small = kind.filter(({ layer }) => parametersIn(layer) <= MOST_PARAMETERS);
  const candidates = small.length > 0 ? small : kind;
  const chosen = candidates[chosenBy(model) % candidates.length];
  if (!chosen) return [];
  const { layer, reset } = chosen;
  const trials = candidates.filter((cell) => cell.layer === layer && cell.reset === reset);
  const found = new Map<number, Pick<Draw, 'cell' | 'slice'>>();
  for (const { slice } of slicesIn(chunk)) {
    for (const cell of trials) {
      const draw = drawOf(design, cell, slice);
      if (found.size < DRAWS && !found.has(draw)) found.set(draw, { cell, slice });
    }
  }
  return Promise.all(
    [...found].map(async ([draw, { cell, slice }]) => {
      const { tensors } = await resetLayer(model, layer, reset, draw, context);
      return { cell, slice, values: storedValues(model, tensors) };
    }),
  );
}

/** @throws CritmapError (ERR_MODEL) when the engine's logits are not those of the graph with the draw's weights */
async function checkDraw(
  model: Model,
  engine: Engine,
  own: Unoptimised,
  { cell, values, ...found }: Draw & Logits,
  chunk: Chunk,
  { precision = 'fp32' }: CheckSettings,
): Promise<void> {
  const count = found.logits.length / found.classes;
  const expected = await own.logits(chunk, count, values);
  const far = furthest(found, expected, { overflowing: precision === 'fp16' });
  if (far.distance <= TOLERANCE[precision]) return;
  // What rounding moves as far is no fault: a norm of channels that are all the same makes numbers of it.
  const by = ROUNDING[precision];
  const images = moved(floatsOf(chunk, 0, count), by);
  const nearby = new Map([...values].map(([name, own]) => [name, moved(own, by)]));
  const logits = await own.logits({ ...chunk, count, images }, count, nearby);
  const rounding = furthest({ logits, classes: found.classes }, expected).distance;
  if (far.distance <= ROUNDINGS * rounding) return;
  const other =
    engine.name === 'fast'
      ? 'Use --engine reference, which is checked too'
      : 'Export it in another way or with another opset';
  throw new CritmapError(
    'ERR_MODEL',
    `${model.file.path}: the ${engine.name} engine does not compute what the model's own graph does with ${cell.layer.name} reset (${cell.reset.label}): on image ${far.image} the logit of class ${far.class} is ${far.found}, in the graph ${far.expected}. ${other}, and please report it to critmap`,
  );
}

/** Every number a little larger or smaller, in no regular order. */
function moved(values: Float32Array, by: number): Float32Array {
  return values.map((value, i) => value * (1 + by * Math.sin(i * i + 1)));
}

/** Above this the other way of computing a sum may overflow. */
const NEARLY_INFINITE = 1e30;

/**
 * The largest difference, relative to the largest of its row; what is not finite must be the same.
 * @param overflowing rows with a number that is not finite, or nearly so, tell nothing
 */
export function furthest(
  { logits, classes }: Logits,
  expected: Float32Array,
  { overflowing = false }: { overflowing?: boolean } = {},
) {
  let far = { distance: 0, image: 0, class: 0, found: 0, expected: 0 };
  for (let from = 0; from < expected.length; from += classes) {
    const row = expected.subarray(from, from + classes);
    const size = largest(row.map((value) => (Number.isFinite(value) ? Math.abs(value) : 0)));
    if (size > NEARLY_INFINITE) continue;
    if (overflowing && !logits.subarray(from, from + classes).every(Number.isFinite)) continue;
    for (const [c, wanted] of row.entries()) {
      const found = logits[from + c] ?? Number.NaN;
      if (Object.is(found, wanted) || found === wanted) continue;
      const difference = Math.abs(found - wanted);
      // What cannot be compared is as far as can be.
      const distance = Number.isFinite(difference) ? difference / size : Number.POSITIVE_INFINITY;
      if (distance > far.distance)
        far = { distance, image: from / classes, class: c, found, expected: wanted };
    }
  }
  return far;
}
