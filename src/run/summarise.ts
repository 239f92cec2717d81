/** From finished chunks to `summary.json` and the rows of single draws. Pure: the same chunks give the same bytes. */
import { imagesOfSlices, type SliceDesign } from '../design/slices.js';
import { type Measure, measures, type Sums } from '../native/columns.js';
import { isRandomLabel } from '../resets/kinds.js';
import { largest } from '../statistics/extremes.js';
import type { Interval } from '../statistics/student.js';
import { average } from '../statistics/student.js';
import { agreementShare, criticalityShare, estimate } from './estimate.js';
import { addSums, crossedTotals, type DrawSums, drawTotals, type Finished, sliceTotals } from './finished.js';
import type { RunIdentity } from './run.js';
import type { PlannedLayer } from './shard-plan.js';
import type { LayerSummary, Summary } from './summary.js';

/** A layer, or group of them, under one reset; its cells are the draws of one image. */
export interface NamedTarget {
  layer: { name: string };
  reset: { label: string };
  cells: { readonly length: number };
}

/** The same with what is to be said of it. */
export interface SummaryTarget extends NamedTarget {
  layer: Omit<PlannedLayer, 'macs' | 'ownMacs'>;
}
type Target = SummaryTarget;

/** Where a layer was known well enough, and its confidence sequences there or at the end. */
export interface Known {
  /** Slices that count; null for all. */
  slices: number | null;
  criticality: Interval;
  agreement: Interval;
}

export interface SummaryInput {
  identity: RunIdentity;
  targets: readonly Target[];
  finished: Finished;
  design: SliceDesign;
  confidence: number;
  /** Of the model, what is no layer. */
  leftOut?: Summary['leftOut'];
  /** Of a sweep that stops when it knows enough: what it knows of a target. */
  knownOf?: ((target: Target) => Known | undefined) | undefined;
}

/** One draw of one layer and reset, over all its images; means as in `summary.json`. */
export interface DrawRow extends Record<Measure, number | null> {
  layer: string;
  reset: string;
  draw: number;
  slice: number;
  images: number;
  invalid: number;
  agreementCount: number;
  change: number | null;
}

export interface Results {
  summary: Summary;
  draws: DrawRow[];
}

export function summarise(input: SummaryInput): Results {
  const { identity, targets, finished, design, knownOf } = input;
  const { model, data, options } = identity;
  const known = targets.map((target) => knownOf?.(target));
  // Slices that nobody looked at any more do not count: which there are depends on how many are computed at once.
  const counted = known.map((one) => one?.slices ?? null);
  const most = counted.includes(null) ? Number.POSITIVE_INFINITY : largest(counted.map((n) => n ?? 0));
  const slices = sliceTotals(finished.original).filter(({ slice }) => slice < most);
  const original = slices.reduce<Sums | undefined>(addSums, undefined);
  const baseline = baselineOf(original);
  const rows = targets.map((target, i) => targetDraws(target, finished, known[i]?.slices ?? null));
  return {
    summary: {
      version: 2,
      model: { name: model.name, sha256: model.sha256, layers: model.layers },
      data: {
        source: data.source,
        images: data.images,
        fingerprint: data.fingerprint,
        invalid: original?.invalid ?? 0,
      },
      options,
      baseline,
      layers: targets.map((target, i) =>
        layerSummary(target, rows[i]!, known[i], input, baseline?.top1 ?? null),
      ),
      ...(input.leftOut && { leftOut: input.leftOut }),
    },
    draws: targets.flatMap((target, i) => rows[i]!.map((sums) => drawRow(target, sums, design))),
  };
}

function baselineOf(original: Sums | undefined): Summary['baseline'] {
  if (!original || original.top1 === undefined || original.images <= original.invalid) return null;
  const { top1, top5, loss } = means(original);
  return { top1, top5, loss } as Summary['baseline'];
}

function targetDraws(
  { layer, reset }: Target,
  finished: Finished,
  slices: number | null,
): readonly DrawSums[] {
  const totals = drawTotals(finished.chunksOf(layer.name, reset.label)).filter(
    ({ slice }) => slices === null || slice < slices,
  );
  return drawsOf(totals, isRandomLabel(reset.label, layer.op));
}

/** A reset without randomness has one draw, however many slices its images lie in. */
export function drawsOf(totals: readonly DrawSums[], isRandom: boolean): readonly DrawSums[] {
  if (isRandom || totals.length === 0) return totals;
  return [totals.reduce((all, part) => addSums(all, part))];
}

function layerSummary(
  target: Target,
  draws: readonly DrawSums[],
  known: Known | undefined,
  { finished, design, confidence, identity }: SummaryInput,
  baselineTop1: number | null,
): LayerSummary {
  const { layer, reset } = target;
  const total = draws.reduce<Sums | undefined>((sums, draw) => addSums<Sums>(sums, draw), undefined);
  const chunks = finished.chunksOf(layer.name, reset.label);
  const crossed = crossedTotals(chunks);
  const measured = { design, isRandom: isRandomLabel(reset.label, layer.op), draws, crossed, confidence };
  const sequence = (of: 'criticality' | 'agreement') => known && { sequence: known[of] };
  const byMeasure = meansOverDraws(draws);
  const { top1 } = byMeasure;
  const { slices } = known ?? { slices: null };
  const { trials } = design;
  const passes = total?.images ?? 0;
  const perSlice = isRandomLabel(reset.label, layer.op) ? trials : 1;
  // Weights that stay as they are, as by `prune=0`, leave nothing to estimate: no other images could tell of a change.
  const isSame = draws.length > 0 && total?.invalid === 0 && draws.every(({ change }) => change === 0);
  const found = (share: typeof criticalityShare, of: 'criticality' | 'agreement') => {
    const estimated = estimate(share, { ...measured, ...sequence(of) });
    return isSame ? { ...estimated, low: estimated.mean, high: estimated.mean } : estimated;
  };
  return {
    layer: layer.name,
    op: layer.op,
    shape: layer.shape,
    groups: layer.groups,
    parameters: layer.parameters,
    depth: identity.model.layers > 1 ? layer.position / (identity.model.layers - 1) : 0,
    reset: reset.label,
    init: reset.label === 'random' ? layer.init : null,
    images: passes / perSlice,
    draws: draws.length,
    passes,
    stoppedAt: slices === null ? null : imagesOfSlices(design, slices, identity.data.images),
    invalid: total?.invalid ?? 0,
    change: meanOfKnown(draws.map(({ change }) => change)),
    criticality: found(criticalityShare, 'criticality'),
    agreement: found(agreementShare, 'agreement'),
    ...byMeasure,
    recovered: top1 !== null && baselineTop1 ? top1 / baselineTop1 : null,
    ...(layer.members && { members: layer.members }),
    ...(layer.uses && { uses: layer.uses }),
  };
}

function drawRow({ layer, reset }: Target, sums: DrawSums, { trials }: SliceDesign): DrawRow {
  const { slice, trial, images, invalid, agreement, change } = sums;
  const draw = isRandomLabel(reset.label, layer.op) ? slice * trials + trial : 0;
  const counts = { images, invalid, agreementCount: agreement };
  return { layer: layer.name, reset: reset.label, draw, slice, ...counts, change, ...means(sums) };
}

/** One number for each measure: means over valid images, hits in percent of all (on an invalid one it is wrong). */
export function means(sums: Sums): { [K in Measure]: number | null } {
  const valid = sums.images - sums.invalid;
  const entries = measures.map(({ name, kind }) => {
    const sum = sums[name];
    const count = kind === 'hits' ? sums.images : valid;
    const scale = kind === 'hits' ? 100 : 1;
    return [name, sum === undefined || count === 0 ? null : (scale * sum) / count];
  });
  return Object.fromEntries(entries) as { [K in Measure]: number | null };
}

/** The mean of draws' means where all saw the same images, else over all passes. */
function meansOverDraws(draws: readonly DrawSums[]): { [K in Measure]: number | null } {
  const sameImages = new Set(draws.map(({ images }) => images)).size <= 1;
  if (!sameImages)
    return means(draws.reduce<Sums | undefined>((all, one) => addSums<Sums>(all, one), undefined)!);
  const each = draws.map(means);
  const entries = measures.map(({ name }) => [name, meanOfKnown(each.map((one) => one[name]))]);
  return Object.fromEntries(entries) as { [K in Measure]: number | null };
}

function meanOfKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? average(known) : null;
}
