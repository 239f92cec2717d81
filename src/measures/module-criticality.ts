/**
 * Module criticality of every layer: a sweep whose resets are the points of a grid, each the initial and the trained weights
 * mixed and noise added, and what of them is least. It is a sweep like any other: nothing before a module is computed
 * twice, and what was stopped goes on.
 */
import { join } from 'node:path';
import { chosenOf } from '../design/groups.js';
import { CritmapError, quoted } from '../errors.js';
import { replaceFile } from '../files/replace.js';
import { type ImageSet, whyUnlabelled } from '../images/image-set.js';
import { inSeveral, membersOf, type Resettable } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import { checkOptionValues, type OptionKinds, refuseMisuse, unchecked } from '../options.js';
import { donorDistance } from '../resets/donor.js';
import type { Reset } from '../resets/kinds.js';
import type { LayerSummary, Summary } from '../run/summary.js';
import { smallest } from '../statistics/extremes.js';
import { Listeners } from '../sweep/listeners.js';
import { type SweepOptions, scriptOptions } from '../sweep/settings.js';
import { sweep } from '../sweep/sweep.js';
import { version } from '../version.js';
import { gridCsv, modulesCsv } from './module-csv.js';
import {
  type Criterion,
  type GridValues,
  gridOptions,
  type SharedValues,
  sharedOptions,
  THRESHOLDS,
} from './options.js';
import { type GridPoint, gridPoint, type ModuleMinimum, moduleMinimum, networkSum } from './valley.js';

/** What {@link moduleCriticality} takes. */
export interface ModuleCriticalityOptions
  extends GridValues,
    SharedValues,
    Pick<SweepOptions, 'out' | 'force' | 'command' | 'signal' | 'onProgress' | 'onWarning'> {
  /** The same architecture with the weights that training began with. */
  donor: Model;
}

/** One module's criticality and where on the grid it was found. */
export interface ModuleResult extends ModuleMinimum {
  module: string;
  /** That are moved together. */
  parameters: number;
  /** |trained - initial|, the Euclidean norm over all of them. */
  distance: number;
  /** In the order of the grid, by alpha and then sigma. */
  points: readonly GridPoint[];
  /** Of a group, its layers. */
  members?: readonly string[];
}

/** Losses and threshold: percent of images for `error` and `agreement`, nats for `loss`. */
export interface ModuleCriticality {
  version: 1;
  critmap: string;
  model: { name: string; sha256: string };
  donor: { file: string; sha256: string };
  data: { source: string; images: number; fingerprint: string };
  criterion: Criterion;
  threshold: number;
  /** Of the untouched model. */
  untouched: number;
  alphas: readonly number[];
  sigmas: readonly number[];
  /** Draws of the noise that a point's loss is the mean of. */
  draws: number;
  modules: readonly ModuleResult[];
  /** The network's criticality: the sum over modules; null where one of them has no value on the grid. */
  sum: number | null;
}

export const moduleFiles = {
  result: 'module-criticality.json',
  table: 'module-criticality.csv',
  grid: 'module-criticality-grid.csv',
} as const;

/**
 * For every layer (or group) the least alpha^2 |trained - initial|^2 / sigma^2 on a grid of 0 <= alpha, sigma <= 1 for which
 * the loss stays within a threshold of the untouched model's, when the layer's weights are (1 - alpha) initial + alpha trained
 * plus Gaussian noise of standard deviation sigma, in the mean over draws of the noise; and their sum.
 *
 * @param images their labels are needed by the criteria `error` and `loss`
 * @returns also in `out`, beside the files of the sweep, as `module-criticality.json`, `.csv` and `-grid.csv`
 * @throws CritmapError as {@link sweep}: `ERR_OPTION` for grids and criteria that cannot be, `ERR_RESET` for a donor of
 *   another architecture; TypeError for misuse
 */
export async function moduleCriticality(
  model: Model,
  images: ImageSet,
  options: ModuleCriticalityOptions,
): Promise<ModuleCriticality> {
  if (!model?.layers || !images?.shape || !options?.donor?.layers) {
    throw new TypeError(
      'moduleCriticality takes a model (loadModel), images (openImages) and { donor: Model }',
    );
  }
  // Also a sweep's options that would make it another measure, such as its resets.
  refuseMisuse('moduleCriticality', options, known);
  const { donor, out } = options;
  const listeners = new Listeners();
  const [grid, others] = divided(listeners.guarded(options));
  const { alphas, sigmas } = grid;
  const criterion = criterionOf(grid.criterion, images);
  const threshold = grid.threshold ?? THRESHOLDS[criterion];
  // Before anything is computed: a donor that does not fit is met here.
  const chosen = chosenOf(model.layers, others);
  refuseOverlaps(chosen, others.group);
  const distances = chosen.map((module) => ({
    module: module.name,
    distance: donorDistance(model, module, donor, others.parts).difference,
  }));
  const resets = resetsOf(donor, alphas, sigmas);
  const { summary } = await sweep(model, images, { ...others, resets });
  const untouched = untouchedOf(summary, criterion);
  const modules = distances.map(({ module, distance }): ModuleResult => {
    const rows = summary.layers.filter(({ layer }) => layer === module);
    const losses = new Map(rows.map((row) => [row.reset, lossOf(row, criterion)]));
    const points = resets.map(({ label, alpha, sigma }) =>
      gridPoint({ alpha, sigma, loss: losses.get(label) ?? null }, distance, untouched + threshold),
    );
    const { parameters, members } = rows[0]!;
    const found = { module, parameters, distance, ...moduleMinimum(points), points };
    return members ? { ...found, members } : found;
  });
  const result: ModuleCriticality = {
    version: 1,
    critmap: version,
    model: { name: model.name, sha256: model.sha256 },
    donor: { file: donor.file.source ?? donor.file.path, sha256: donor.sha256 },
    data: { source: images.source, images: images.count, fingerprint: summary.data.fingerprint },
    ...{ criterion, threshold, untouched, alphas, sigmas },
    draws: smallest(summary.layers.map(({ draws }) => draws)),
    modules,
    sum: networkSum(modules.map(({ value }) => value)),
  };
  if (out !== undefined) await write(out, result);
  listeners.rethrow();
  return result;
}

async function write(out: string, result: ModuleCriticality): Promise<void> {
  await replaceFile(join(out, moduleFiles.result), `${JSON.stringify(result, null, 1)}\n`);
  await replaceFile(join(out, moduleFiles.table), modulesCsv(result));
  await replaceFile(join(out, moduleFiles.grid), gridCsv(result));
}

type GridReset = Extract<Reset, { kind: 'interpolate' }> & { sigma: number };

/** By words that `critmap verify` understands. */
function resetsOf(donor: Model, alphas: readonly number[], sigmas: readonly number[]): GridReset[] {
  return alphas.flatMap((alpha) =>
    sigmas.map((sigma) => {
      const label = `interpolate=${donor.file.path}@${alpha}~${sigma}`;
      return { kind: 'interpolate' as const, label, alpha, sigma, donor };
    }),
  );
}

const { out, force, command, signal, onProgress, onWarning } = scriptOptions;
const known = {
  ...{ donor: null, ...unchecked(gridOptions), ...unchecked(sharedOptions) },
  ...{ out, force, command, signal, onProgress, onWarning },
} as const satisfies OptionKinds<ModuleCriticalityOptions>;

/** The options of the grid, checked, and those of the sweep. */
function divided(options: ModuleCriticalityOptions) {
  const entries = Object.entries(options).filter(([name]) => name !== 'donor');
  const ofGrid = entries.filter(([name]) => name in gridOptions);
  const others = entries.filter(([name]) => !(name in gridOptions));
  const grid = checkOptionValues(gridOptions, Object.fromEntries(ofGrid) as GridValues);
  return [grid, Object.fromEntries(others) as SharedValues & SweepOptions] as const;
}

/** The sum is over modules that are apart. @throws CritmapError (ERR_OPTION) for a layer that is in several */
function refuseOverlaps(modules: readonly Resettable[], group = 'layer'): void {
  const name = inSeveral(modules.map((module) => membersOf(module).map((layer) => layer.name)));
  if (name === undefined) return;
  throw new CritmapError(
    'ERR_OPTION',
    `--group ${group} has ${quoted(name)} in several modules, and the sum over them would count it several times; give a --group that has each layer in one, such as block`,
  );
}

/** @throws CritmapError (ERR_OPTION) for a criterion that needs labels, without any */
function criterionOf(asked: Criterion | undefined, images: ImageSet): Criterion {
  const labelled = images.maxLabel !== null;
  if (asked === undefined) return labelled ? 'error' : 'agreement';
  if (asked === 'agreement' || labelled) return asked;
  throw new CritmapError(
    'ERR_OPTION',
    `--criterion ${asked} needs labels, ${whyUnlabelled(images)}, or take --criterion agreement`,
  );
}

/** @throws CritmapError (ERR_IMAGES) where the untouched model has no valid output at all */
function untouchedOf({ baseline, data }: Summary, criterion: Criterion): number {
  if (criterion === 'agreement') return 0;
  if (baseline) return criterion === 'error' ? 100 - baseline.top1 : baseline.loss;
  throw new CritmapError(
    'ERR_IMAGES',
    `none of the ${data.images} images of ${data.source} has both a label and a valid output of the untouched model; --criterion agreement needs no labels`,
  );
}

/** An invalid output is an error, a change of class, and no loss that could be within a threshold. */
function lossOf(row: LayerSummary, criterion: Criterion): number | null {
  if (criterion === 'error') return row.top1 === null ? null : 100 - row.top1;
  if (criterion === 'loss') return row.invalid > 0 ? null : row.loss;
  return row.agreement.mean === null ? null : 100 - row.agreement.mean;
}
