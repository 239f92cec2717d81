/**
 * What a sweep is made of: layers or groups of them, each under the resets that it can be tested under, and what is left
 * out with its reason. For resets of activations the graph says which tensors they replace, and the first images of the
 * sample what that comes to.
 */
import { type Cell, planCells } from '../design/cells.js';
import { chosenOf, type LayerChoice, withoutParts } from '../design/groups.js';
import { calibrate } from '../engines/calibrate.js';
import { CritmapError, messageOf, some } from '../errors.js';
import { type ImageSet, shuffled } from '../images/index.js';
import { factsOf, membersOf, opOf, type Resettable } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import type { Layer } from '../onnx/layers.js';
import { isNormOp } from '../onnx/norm-ops.js';
import { ownGraph } from '../plan/base-graph.js';
import { dataflowOf } from '../plan/dataflow.js';
import { type ImageSize, shapesOf } from '../plan/shapes.js';
import { Spans } from '../plan/spans.js';
import { Activations, CALIBRATION_IMAGES, isActivation, type Replacement } from '../resets/activation.js';
import type { Reset } from '../resets/kinds.js';
import type { Summary } from '../run/summary.js';
import { readImages } from './chunks-ahead.js';

export interface Targets {
  /** Those that are tested under one reset at least. */
  layers: readonly Resettable[];
  cells: readonly Cell[];
  /** Of the model what is no layer, of the chosen layers what cannot be tested. */
  leftOut: NonNullable<Summary['leftOut']>;
  /** By cell; nothing where no reset is of activations. */
  replacements: ReadonlyMap<Cell, Replacement>;
}

export interface CellChoice extends LayerChoice {
  resets: readonly Reset[];
  design: { trials: number };
}

/**
 * @param size - of the images
 * @throws CritmapError: ERR_OPTION for a choice that leaves nothing to test, ERR_MODEL for a graph without known shapes
 */
export async function chooseTargets(model: Model, size: ImageSize, choice: CellChoice): Promise<Targets> {
  const { resets, design } = choice;
  const chosen = chosenOf(model.layers, choice, model.behind);
  refuseIdle(chosen, resets);
  const found = await findReplacements(model, size, chosen, resets.filter(isActivation));
  const leftOut: Targets['leftOut'] = [...model.leftOut, ...withoutParts(model.layers, choice)];
  const tested = new Set<Resettable>();
  const isTested = (layer: Resettable, reset: Reset) => {
    const there = found.get(layer)?.get(reset);
    if (typeof there !== 'string') tested.add(layer);
    else leftOut.push({ name: layer.name, op: factsOf(layer, positions).op, why: there, reset: reset.label });
    return typeof there !== 'string';
  };
  const positions = new Map(model.layers.map(({ name }, i) => [name, i]));
  const cells = planCells(chosen, resets, design.trials, isTested);
  if (cells.length === 0) throw nothingToTest(chosen, resets, found);
  const replacements = cells.flatMap((cell) => {
    const there = found.get(cell.layer)?.get(cell.reset);
    return there === undefined || typeof there === 'string' ? [] : [[cell, there] as const];
  });
  return {
    layers: chosen.filter((layer) => tested.has(layer)),
    cells,
    leftOut,
    replacements: new Map(replacements),
  };
}

/** A norm has no matrix, and its numbers are each a channel of their own. */
function refuseIdle(layers: readonly Resettable[], resets: readonly Reset[]): void {
  const norm = layers.find((layer) => isNormOp(opOf(layer)));
  const idle = resets.find(({ kind }) => kind === 'quantize' || kind === 'lowrank');
  if (norm && idle) {
    throw new CritmapError(
      'ERR_RESET',
      `--reset ${idle.label} leaves a norm such as ${norm.name} as it is; leave out --include norm, or choose layers with --layers`,
    );
  }
}

/** By layer and reset, what is replaced, or why that cannot be. */
type Found = Map<Resettable, Map<Reset, Replacement | string>>;

async function findReplacements(
  model: Model,
  size: ImageSize,
  layers: readonly Resettable[],
  resets: readonly Extract<Reset, { kind: 'skip' | 'mean' }>[],
): Promise<Found> {
  if (resets.length === 0) return new Map();
  const { io } = model;
  const source = ownGraph(model, 'keep');
  let spans: Spans;
  try {
    const flow = dataflowOf(source.graph, io.input, io.output);
    const shapes = await shapesOf(source, flow, size, io.batch ?? 1);
    spans = new Spans(flow, shapes, io.output, modulesOf(model.layers));
  } catch (cause) {
    const why = `skip and mean need the shapes of its tensors: ${messageOf(cause)}`;
    throw new CritmapError('ERR_MODEL', `${model.file.path}: ${why}`, { cause });
  }
  const found = (layer: Resettable, { kind }: Reset & { kind: 'skip' | 'mean' }) => {
    const own = ownModules(layer, model.layers);
    return typeof own === 'string' ? own : spans.replacementOf(own, kind);
  };
  return new Map(
    layers.map((layer) => [layer, new Map(resets.map((reset) => [reset, found(layer, reset)]))]),
  );
}

/** Norms are between modules, and parts of a module have no output of their own. */
const modulesOf = (layers: readonly Layer[]): Layer[] => [
  ...new Set(layers.filter(({ op }) => !isNormOp(op)).map((layer) => layer.whole ?? layer)),
];

/** What has an input and an output: the modules of a layer or group; or why there is none. */
function ownModules(one: Resettable, all: readonly Layer[]): Resettable | string {
  const members = membersOf(one);
  const modules = modulesOf(members);
  if (modules.length === 0)
    return 'a norm is neither left out nor replaced by a mean; other resets change it';
  const isWhole = all.every(
    ({ whole, name }) => !whole || !modules.includes(whole) || members.some((m) => m.name === name),
  );
  if (!isWhole || (!('members' in one) && one.whole))
    return 'it is a part of what one operator computes; leave out --split-qkv';
  if (!('members' in one)) return one;
  // All parts of a module are the module.
  return members.every(({ whole }) => whole === modules[0]) ? modules[0]! : { ...one, members: modules };
}

function nothingToTest(layers: readonly Resettable[], resets: readonly Reset[], found: Found): CritmapError {
  const reasons = new Set([...found.values()].flatMap((one) => [...one.values()].map(String)));
  const what = layers.length === 1 ? layers[0]!.name : `none of the ${layers.length} chosen layers or groups`;
  const labels = resets.map(({ label }) => label).join(' or ');
  return new CritmapError(
    'ERR_OPTION',
    `--reset ${labels}: ${what} ${layers.length === 1 ? 'cannot' : 'can'} be tested: ${some([...reasons], 3)}; --group block takes blocks with their shortcuts`,
  );
}

/**
 * What the resets of activations come to, on the first images of the sample's random order. The same whatever part of a
 * sweep is computed, and by whom.
 * @returns undefined where no cell has such a reset
 * @throws CritmapError: ERR_RESET for one that changes nothing or has no finite mean, ERR_OPTION for fewer images than the model's
 *   own batch; the signal's reason
 */
export async function measureActivations(
  model: Model,
  images: ImageSet,
  replacements: Targets['replacements'],
  signal?: AbortSignal,
): Promise<Activations | undefined> {
  if (replacements.size === 0) return undefined;
  const rows = model.io.batch ?? 1;
  const wanted = Math.min(images.count, Math.max(CALIBRATION_IMAGES, rows));
  const count = wanted - (wanted % rows);
  if (count === 0) {
    throw new CritmapError(
      'ERR_OPTION',
      `${model.file.path} takes ${rows} images at a time, and there are only ${images.count} for resets of activations to be measured on; give more images, or export it with an open batch`,
    );
  }
  // All bad images are named together.
  await images.fingerprint(signal);
  const chunk = await readImages(shuffled(images), 0, 0, count, signal);
  const measured = await calibrate(model, [...replacements.values()], chunk, signal);
  const activations = new Activations();
  for (const [i, cell] of [...replacements.keys()].entries()) {
    const one = measured[i]!;
    refuse(cell, one.change, one.mean);
    activations.add(cell, one);
  }
  return activations;
}

function refuse({ layer, reset }: Cell, change: number | null, mean: Float32Array | null): void {
  const without = `leave it out with --exclude, or choose another reset`;
  const refusal = (why: string) =>
    new CritmapError('ERR_RESET', `--reset ${reset.label}: ${why}; ${without}`);
  const numbers = [change ?? 0, ...(mean ?? [])];
  if (!numbers.every(Number.isFinite))
    throw refusal(`what ${layer.name} gives is not finite on the first images`);
  if (change === 0) throw refusal(`it changes nothing of what ${layer.name} gives on the first images`);
}

/** The same for a plan alone, in which numbers do not matter: nothing is measured. */
export function unmeasured(replacements: Targets['replacements']): Activations {
  const activations = new Activations();
  for (const [cell, one] of replacements) {
    const mean = one.source === null ? new Float32Array(one.dims[one.axis]!) : null;
    activations.add(cell, { ...one, mean, change: null });
  }
  return activations;
}
