/**
 * What can be told of a layer without resetting it: from its weights, and from passes of the untouched model. Beside it, of a
 * finished run, the criticality that it may predict, and the rank correlation of the two.
 */
import { chosenOf } from '../design/groups.js';
import { CritmapError, quoted, some } from '../errors.js';
import type { ImageSet } from '../images/index.js';
import { modelInput } from '../model/input.js';
import { membersOf, parametersIn, type Resettable } from '../model/layer-group.js';
import type { Model } from '../model/model.js';
import { everyLayer, parameterCount, withTargets } from '../model/targets.js';
import { isNormOp } from '../onnx/norm-ops.js';
import { checkOptionValues, type OptionKinds, refuseMisuse } from '../options.js';
import { ownGraph } from '../plan/base-graph.js';
import { ownMacs } from '../plan/macs.js';
import { donorDistance } from '../resets/donor.js';
import { resetsIn, type Summary } from '../run/summary.js';
import { correlationInterval, spearman } from '../statistics/correlation.js';
import { sweepOptions } from '../sweep/options.js';
import { version } from '../version.js';
import { blockInfluences } from './influence.js';
import { stableRank } from './stable-rank.js';

/** What {@link predictors} takes. */
export interface PredictorOptions {
  /** For block influence; not closed. */
  images?: ImageSet;
  /** For relative change: the same architecture with other weights, such as those that training began with. */
  donor?: Model;
  /** For criticality: a finished run of the model (`readRun`), whose layers or groups are the rows. */
  run?: { summary: Summary };
  /** Which of the run's resets; default the first. */
  reset?: string;
  /** Without a run: which layers, and which of them together, as in a sweep. */
  layers?: readonly string[];
  exclude?: readonly string[];
  group?: string;
  /** For block influence; default: all cores. */
  threads?: number;
  signal?: AbortSignal;
}

/** Null is what was not asked for, or is not to be had. */
export interface PredictorRow {
  /** A layer, or a group of layers. */
  layer: string;
  /** 1 minus the mean cosine similarity of input and output, 0 to 2. */
  blockInfluence: number | null;
  /** |W - W0| / |W0| of weight and bias. */
  relativeChange: number | null;
  /** |W|_F^2 / |W|_2^2 of the unfolded weight; of a group the mean of its layers'. Norms have none. */
  stableRank: number | null;
  /** Percent of all layers' parameters. */
  parameterShare: number;
  /** Percent of the model's multiply-accumulates. */
  macShare: number | null;
  /** Of the run, percent. */
  criticality: number | null;
  criticalityLow: number | null;
  criticalityHigh: number | null;
}

export const predictorNames = [
  'blockInfluence',
  'relativeChange',
  'stableRank',
  'parameterShare',
  'macShare',
] as const;
/** The name of a predictor, and of its column. */
export type Predictor = (typeof predictorNames)[number];

/** Spearman's, of a predictor and criticality over the rows that have both. */
export interface PredictorCorrelation {
  predictor: Predictor;
  rows: number;
  /** Null of fewer than 4 rows, and where one of them is the same in all rows. */
  rho: number | null;
  /** 95 %, by Bonett and Wright's variance; null as `rho` is. */
  low: number | null;
  high: number | null;
  p: number | null;
}

/** What {@link predictors} gives. */
export interface Predictors {
  version: 1;
  critmap: string;
  model: { name: string; sha256: string };
  donor: { file: string; sha256: string } | null;
  /** Of block influence. */
  data: { source: string; images: number } | null;
  /** Of the run. */
  reset: string | null;
  rows: readonly PredictorRow[];
  /** Empty without a run. */
  correlations: readonly PredictorCorrelation[];
}

/**
 * @throws CritmapError: `ERR_OPTION` for a run of another model, or layers beside a run; `ERR_RESET` for a donor of another
 *   architecture; `ERR_MODEL`, `ERR_IMAGES`; TypeError for misuse; the signal's reason
 */
export async function predictors(given: Model, options: PredictorOptions = {}): Promise<Predictors> {
  refuse(given, options);
  const { images, donor, run, signal } = options;
  const { threads } = checkOptionValues({ threads: sweepOptions.threads }, { threads: options.threads });
  // A run's layers may be norms, or parts of fused weights.
  const model = run?.summary.model.sha256 === given.sha256 ? withTargets(given, run.summary.options) : given;
  const found = run ? rowsOfRun(model, run.summary, options) : null;
  const rows = found?.rows ?? chosenOf(model.layers, options);
  // The donor first: it is looked at in no time, and may be the wrong one.
  const changes = rows.map((row) => (donor ? changeFrom(donor, model, row) : null));
  const influences = images
    ? await blockInfluences(model, images, rows, { threads, signal })
    : rows.map(() => null);
  const ranks = await ranksOf(model, rows, signal);
  const macs = await macSharesOf(model, rows, images);
  const all = parameterCount(model);
  const table = rows.map((row, i): PredictorRow => {
    const measured = found?.criticality[i];
    return {
      layer: row.name,
      blockInfluence: influences[i]!,
      relativeChange: changes[i]!,
      stableRank: ranks[i]!,
      parameterShare: (100 * parametersIn(row)) / all,
      macShare: macs[i]!,
      criticality: measured?.mean ?? null,
      criticalityLow: measured?.low ?? null,
      criticalityHigh: measured?.high ?? null,
    };
  });
  return {
    version: 1,
    critmap: version,
    model: { name: model.name, sha256: model.sha256 },
    donor: donor ? { file: donor.file.source ?? donor.file.path, sha256: donor.sha256 } : null,
    data: images ? { source: images.source, images: images.count } : null,
    reset: found?.reset ?? null,
    rows: table,
    correlations: found ? predictorNames.map((name) => correlationOf(name, table)) : [],
  };
}

const known = {
  ...{
    images: null,
    donor: null,
    run: null,
    reset: 'text',
    layers: 'texts',
    exclude: 'texts',
    group: 'text',
    threads: null,
  },
  signal: 'signal',
} as const satisfies OptionKinds<PredictorOptions>;

function refuse(model: Model, options: PredictorOptions): void {
  if (!model?.layers) throw new TypeError('predictors takes a model (loadModel) and options');
  refuseMisuse('predictors', options, known);
  const { images, donor, run, reset, layers, exclude, group } = options;
  if (images !== undefined && !images?.shape) throw new TypeError('images must be those of openImages');
  if (donor !== undefined && !donor?.layers) throw new TypeError('donor must be a model; loadModel loads it');
  if (run !== undefined && !Array.isArray(run?.summary?.layers)) {
    throw new TypeError('run must be a run; readRun reads it');
  }
  const wrong = (why: string) => new CritmapError('ERR_OPTION', why);
  if (run && (layers?.length || exclude?.length || group !== undefined)) {
    throw wrong('the rows are those of the run; leave out --layers, --exclude and --group, or --run');
  }
  if (!run && reset !== undefined) throw wrong('--reset says which of a run; give --run DIR too');
}

/** The run's layers and groups, found in the model. */
function rowsOfRun(model: Model, summary: Summary, { reset: asked }: PredictorOptions) {
  const { model: ran, layers } = summary;
  if (ran.sha256 !== model.sha256) {
    throw new CritmapError(
      'ERR_OPTION',
      `the run is of ${ran.name} (${ran.sha256.slice(0, 12)}), and ${model.file.path} is another model (${model.sha256.slice(0, 12)}); give the one that was swept, with its --weights`,
    );
  }
  const resets = resetsIn(summary);
  const reset = asked ?? resets[0]!;
  if (!resets.includes(reset)) {
    throw new CritmapError('ERR_OPTION', `the run has no reset ${quoted(reset)}; it has ${some(resets)}`);
  }
  const alone = new Map(model.layers.map((layer) => [layer.name, layer]));
  // Norms that go with a layer are among its members only.
  const together = new Map(everyLayer(model).map((layer) => [layer.name, layer]));
  const layerOf = (name: string, from = alone) => {
    const layer = from.get(name);
    if (layer) return layer;
    throw new CritmapError(
      'ERR_OPTION',
      `the run has a layer ${quoted(name)}, and ${model.file.path} has none`,
    );
  };
  const own = layers.filter((row) => row.reset === reset);
  const rows = own.map(
    ({ layer, members }): Resettable =>
      members ? { name: layer, members: members.map((name) => layerOf(name, together)) } : layerOf(layer),
  );
  return { reset, rows, criticality: own.map(({ criticality }) => criticality) };
}

function changeFrom(donor: Model, model: Model, row: Resettable): number | null {
  const { difference, theirs } = donorDistance(model, row, donor);
  return theirs > 0 ? difference / theirs : null;
}

async function ranksOf(
  model: Model,
  rows: readonly Resettable[],
  signal: AbortSignal | undefined,
): Promise<(number | null)[]> {
  const known = new Map<string, number | null>();
  // A norm's scale is no matrix.
  const matricesOf = (row: Resettable) => membersOf(row).filter(({ op }) => !isNormOp(op));
  for (const { name, weight } of rows.flatMap(matricesOf)) {
    signal?.throwIfAborted();
    if (known.has(name)) continue;
    const values = model.values(weight.tensor);
    // What is not finite has no rank; a sweep says so of its own accord.
    known.set(name, await stableRank(weight, values).catch(() => null));
  }
  return rows.map((row) => {
    const ranks = matricesOf(row).map(({ name }) => known.get(name) ?? null);
    const some = ranks.filter((rank) => rank !== null);
    return some.length < ranks.length || some.length === 0
      ? null
      : some.reduce((sum, rank) => sum + rank, 0) / some.length;
  });
}

async function macSharesOf(
  model: Model,
  rows: readonly Resettable[],
  images: ImageSet | undefined,
): Promise<(number | null)[]> {
  const layers = [...new Set(rows.flatMap(membersOf))];
  const size = images?.shape ?? modelInput(model).shape;
  const own = await ownMacs(ownGraph(model, 'keep'), layers, size, model.io.batch ?? 1).catch(() => null);
  if (!own || own.forward === 0) return rows.map(() => null);
  const shareOf = new Map(layers.map((layer, i) => [layer, (100 * own.layers[i]!) / own.forward]));
  return rows.map((row) => membersOf(row).reduce((sum, layer) => sum + shareOf.get(layer)!, 0));
}

/** Over two rows it is 1 or −1 whatever they are; an interval needs four. */
const FEWEST = 4;

function correlationOf(predictor: Predictor, table: readonly PredictorRow[]): PredictorCorrelation {
  const both = table.filter((row) => row[predictor] !== null && row.criticality !== null);
  const x = both.map((row) => row[predictor]!);
  const y = both.map((row) => row.criticality!);
  const found = both.length < FEWEST ? null : spearman(x, y);
  const interval = found && correlationInterval('spearman', found.coefficient, both.length);
  return {
    ...{ predictor, rows: both.length, rho: found?.coefficient ?? null },
    ...{ low: interval?.[0] ?? null, high: interval?.[1] ?? null, p: found?.p ?? null },
  };
}
