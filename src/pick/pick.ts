/**
 * The layers of a run whose interval lies wholly below or above a threshold, and how much of the model they are. A layer
 * whose interval reaches across the threshold is never among them: it is not known well enough. Pure.
 */
import { CritmapError, quoted, some } from '../errors.js';
import { inSeveral } from '../model/layer-group.js';
import { isNormOp } from '../onnx/norm-ops.js';
import { type OptionKinds, refuseMisuse } from '../options.js';
import type { ShardPlan } from '../run/shard-plan.js';
import { type Estimate, type LayerSummary, resetsIn, type Summary } from '../run/summary.js';

/** What is held against the threshold. */
export type PickMetric = 'criticality' | 'agreement';

/** The threshold, and what is held against it. */
export interface PickOptions {
  /** Percent: layers whose interval ends below it. Either this or `above`. */
  below?: number | undefined;
  /** Percent: layers whose interval begins above it. */
  above?: number | undefined;
  /** Default `criticality`. */
  metric?: PickMetric | undefined;
  /** Label of one of the run's resets; default its first. */
  reset?: string | undefined;
}

/** A layer of a pick, with its numbers. */
export interface PickedLayer {
  layer: string;
  /** Of a norm. */
  op?: string;
  mean: number | null;
  low: number | null;
  high: number | null;
  /** What the interval covers; see `summary.json`. */
  interval: Estimate['interval'];
  parameters: number;
  /** Multiply-accumulates of one image with the layer's weight; null where they are not known. */
  macs: number | null;
  /** Of layers that were reset together. */
  members?: readonly string[] | undefined;
}

/** A part of a whole, and its share from 0 to 1; null of nothing. */
export interface Part {
  picked: number;
  of: number;
  share: number | null;
}

/** The layers below or above a threshold, and what share of the model they are. */
export interface LayerPick {
  model: string;
  metric: PickMetric;
  reset: string;
  below: number | null;
  above: number | null;
  /** Of the intervals, each by itself. */
  confidence: number | null;
  /** In graph order. */
  layers: PickedLayer[];
  /** Some of the run's rows are groups of layers that were reset together; counts and names are of rows. */
  groups?: true;
  /** Queries, keys and values were layers of their own: their names are no modules. */
  splitQkv?: true;
  /** Layers that the run has numbers of, and all of the model. */
  swept: number;
  modelLayers: number;
  /** Names of layers that may lie on either side: their intervals reach across the threshold, or they have none. */
  unknown: string[];
  /** Of the parameters of all the model's layers; of those that were swept where the run does not say what the model has. */
  parameters: Part & { ofModel: boolean };
  /** Of the whole model; null where the run does not say what its layers multiply. */
  macs: Part | null;
}

/** What is looked at of a run, as `readRun` gives it. */
export interface PickSource {
  summary: Summary;
  info?: { plan: ShardPlan | null } | undefined;
}

/**
 * @param run - of `readRun`
 * @throws TypeError for what is no run; CritmapError (ERR_OPTION) for a wrong threshold or metric, a reset that the run
 *   does not have, or groups that share layers
 */
export function pickLayers(run: PickSource, options: PickOptions): LayerPick {
  const layers = run?.summary?.layers;
  if (!Array.isArray(layers)) throw new TypeError('pickLayers takes a run (readRun) and options');
  const { metric, below, above, threshold } = checked(options);
  const reset = resetOf(run.summary, options.reset);
  const rows = layers.filter((layer) => layer.reset === reset);
  refuseOverlaps(rows);
  const plan = run.info?.plan ?? null;
  const macsOf = new Map(plan?.layers.map(({ name, ownMacs }) => [name, ownMacs]));
  const picked: PickedLayer[] = [];
  const unknown: string[] = [];
  for (const row of rows) {
    const { mean, low, high, interval } = boundsOf(row, metric);
    const isPicked = low !== null && high !== null && (above === null ? high < threshold : low > threshold);
    const isOther = low !== null && high !== null && (above === null ? low >= threshold : high <= threshold);
    const { layer, op, parameters, members } = row;
    const ofNorm = isNormOp(op) ? { op } : {};
    const macs = macsOf.get(layer) ?? null;
    if (isPicked)
      picked.push({
        layer,
        ...ofNorm,
        mean,
        low,
        high,
        interval,
        parameters,
        macs,
        ...(members && { members }),
      });
    else if (!isOther) unknown.push(layer);
  }
  const { summary } = run;
  const confidence = Number(summary.options.confidence);
  return {
    ...{ model: summary.model.name, metric, reset, below, above },
    confidence: confidence > 0 && confidence < 1 ? confidence : null,
    layers: picked,
    ...(rows.some(({ members }) => members) && { groups: true as const }),
    ...(summary.options.splitQkv === true && { splitQkv: true as const }),
    ...{ swept: rows.length, modelLayers: summary.model.layers, unknown },
    ...sharesOf(picked, rows, plan, summary.model.layers),
  };
}

const known = {
  ...{ below: null, above: null, metric: null, reset: null },
} as const satisfies OptionKinds<PickOptions>;

function checked(options: PickOptions) {
  refuseMisuse('pickLayers', options, known);
  const { below, above, metric = 'criticality' } = options;
  const threshold = below ?? above;
  if (threshold === undefined || (below !== undefined && above !== undefined)) {
    throw new CritmapError('ERR_OPTION', 'give one threshold, either below or above');
  }
  if (typeof threshold !== 'number' || !(threshold >= 0 && threshold <= 100)) {
    throw new CritmapError(
      'ERR_OPTION',
      `the threshold must be percent, from 0 to 100, got ${String(threshold)}`,
    );
  }
  if (metric !== 'criticality' && metric !== 'agreement') {
    throw new CritmapError(
      'ERR_OPTION',
      `metric must be criticality or agreement, got ${quoted(String(metric))}`,
    );
  }
  return { metric, below: below ?? null, above: above ?? null, threshold } as const;
}

function resetOf({ layers, options = {} }: Summary, wanted: string | undefined): string {
  const resets = resetsIn({ layers, options });
  const found = wanted ?? resets[0] ?? 'random';
  if (wanted !== undefined && !resets.includes(found)) {
    throw new CritmapError(
      'ERR_OPTION',
      `the run has no reset ${quoted(String(wanted))}; it has ${some(resets)}`,
    );
  }
  return found;
}

/** Such a layer would be picked by one group and not by another. */
function refuseOverlaps(rows: readonly LayerSummary[]): void {
  const name = inSeveral(rows.map(({ layer, members }) => members ?? [layer]));
  if (name === undefined) return;
  throw new CritmapError(
    'ERR_OPTION',
    `${quoted(name)} was reset with several groups of layers; pick takes runs in which each layer is in one`,
  );
}

/** A layer without any valid output is 100 % critical; runs of earlier versions have no mean of it. */
function boundsOf(
  row: LayerSummary,
  metric: PickMetric,
): Pick<Estimate, 'mean' | 'low' | 'high' | 'interval'> {
  const isDestroyed = metric === 'criticality' && row.passes > 0 && row.invalid === row.passes;
  return isDestroyed ? { mean: 100, low: 100, high: 100, interval: null } : row[metric];
}

function sharesOf(
  picked: readonly PickedLayer[],
  rows: readonly LayerSummary[],
  plan: ShardPlan | null,
  modelLayers: number,
): Pick<LayerPick, 'parameters' | 'macs'> {
  const model = plan?.model ?? null;
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const part = (part: number, of: number): Part => ({ picked: part, of, share: of > 0 ? part / of : null });
  const macs = picked.flatMap((layer) => (layer.macs === null ? [] : [layer.macs]));
  const isKnown = model !== null && model.macs !== null && macs.length === picked.length;
  return {
    parameters: {
      ...part(
        sum(picked.map(({ parameters }) => parameters)),
        model?.parameters ?? sum(rows.map(({ parameters }) => parameters)),
      ),
      ofModel: model !== null || rows.length === modelLayers,
    },
    macs: isKnown ? part(sum(macs), model.macs!) : null,
  };
}
