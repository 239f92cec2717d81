/** What a study's sweeps are predicted to cost, from networks alone: no checkpoint and no image is read. */

import { CritmapError } from '../errors.js';
import type { FetchOptions } from '../fetch/options.js';
import { initialsOf } from '../initialisation/initials.js';
import { modelInput } from '../model/input.js';
import type { Model } from '../model/model.js';
import { withTargets } from '../model/targets.js';
import { type ModelChoice, openNetwork } from '../request/open-model.js';
import { isRandomLabel, type Reset } from '../resets/kinds.js';
import { designOf, imageMetricsOf, refuseResets, refuseWithActivations } from '../sweep/settings.js';
import { costsOf } from '../sweep/shard-costs.js';
import { chooseTargets } from '../sweep/targets.js';
import type { StudySweep } from './study.js';

export interface SweepCost {
  /** Layers that are reset, or groups of them. */
  layers: number;
  /** At most; null where all are taken. */
  images: number | null;
  /** Passes of one image from a reset layer to the logits, at most; null where all images are taken. */
  passes: number | null;
  /** Multiply-accumulates of one image with all its resets. */
  macsPerImage: number;
}

/** Stands for a sample of all images, where sweeps are held against each other. */
const MANY_IMAGES = 10_000;

export const macsOf = ({ images, macsPerImage }: SweepCost) => macsPerImage * (images ?? MANY_IMAGES);

/**
 * @param images - how many there are in a set of images, where that is known
 * @returns the cost of each sweep; why it would fail, of one that has to; null where its network cannot be opened
 */
export async function costsOfSweeps(
  sweeps: readonly StudySweep[],
  images: ReadonlyMap<string, number> = new Map(),
  fetching: FetchOptions = {},
): Promise<(SweepCost | CritmapError | null)[]> {
  // Most models of a study are of one architecture.
  const known = new Map<string, ReturnType<typeof costOrWhy>>();
  const costs: (SweepCost | CritmapError | null)[] = [];
  for (const sweep of sweeps) {
    const key = keyOf(sweep);
    let cost = known.get(key);
    if (!cost) {
      cost = costOrWhy(sweep, images.get(sweep.images.id), fetching);
      known.set(key, cost);
    }
    costs.push(await cost);
  }
  return costs;
}

async function costOrWhy(sweep: StudySweep, available: number | undefined, fetching: FetchOptions) {
  const network = await networkFor(sweep, fetching).catch(() => null);
  if (!network) return null;
  return costOf(sweep, network, available).catch((error: unknown) =>
    error instanceof CritmapError ? error : null,
  );
}

/** A sweep's model with whatever weights the network has by itself. */
export const networkFor = (sweep: StudySweep, fetching: FetchOptions = {}) =>
  openNetwork(networkOf(sweep), fetching);

/** The network without its checkpoints. */
function networkOf({ words }: StudySweep): ModelChoice {
  const { weights: _, allowPartial: __, rename: ___, name: ____, ...network } = words;
  return network;
}

function keyOf(sweep: StudySweep): string {
  const { model, arch, classes, channels, size, input, output } = networkOf(sweep);
  const { sweepChoices, imageChoices, resets, initFrom } = sweep.words;
  return JSON.stringify([
    ...[model, arch, classes, channels, size, input, output, sweep.images.id],
    ...[sweepChoices, imageChoices, resets, initFrom],
  ]);
}

/** @throws CritmapError for choices that the sweep refuses, as far as they need no checkpoint and no image */
async function costOf(sweep: StudySweep, network: Model, available: number | undefined): Promise<SweepCost> {
  const { sweepChoices, imageChoices, initFrom } = sweep.words;
  const resets = (sweep.words.resets ?? ['random']).map(standIn);
  const model = withTargets(network, sweepChoices);
  if (!initFrom) initialsOf(model, sweepChoices.init ?? 'auto');
  refuseResets(resets);
  refuseWithActivations(sweepChoices, resets);
  imageMetricsOf(sweepChoices);
  const { norm = 'keep', engine = 'fast', parts = 'both' } = sweepChoices;
  const input = modelInput(model, imageChoices.crop);
  const { layers, cells } = await chooseTargets(model, input.shape, {
    ...sweepChoices,
    resets,
    design: designOf(sweepChoices),
  });
  const { forward, layers: macs } = await costsOf(model, input, { norm, engine, parts }, layers);
  const macsIn = new Map(layers.map((layer, i) => [layer, macs[i]!]));
  const asked = typeof imageChoices.images === 'number' ? imageChoices.images : null;
  const images = available === undefined ? asked : Math.min(available, asked ?? available);
  return {
    layers: layers.length,
    images,
    passes: images === null ? null : cells.length * images,
    macsPerImage: cells.reduce((sum, { layer }) => sum + macsIn.get(layer)!, forward),
  };
}

/** A reset as far as its cost goes: donors need not be there. */
function standIn(label: string): Reset {
  if (label === 'skip' || label === 'mean') return { kind: label, label };
  if (label === 'random') return { kind: 'random', label };
  return { kind: isRandomLabel(label, '') ? 'shuffle' : 'zero', label };
}
