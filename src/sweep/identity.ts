/** What a sweep is, for its run directory: what decides its numbers, and what is told besides. */
import { createHash } from 'node:crypto';
import type { ImageSet } from '../images/image-set.js';
import type { Model } from '../model/model.js';
import { native } from '../native/addon.js';
import { deviceName } from '../native/cards.js';
import { runtimeVersion } from '../native/runtime-version.js';
import { CALIBRATION_IMAGES, isActivation } from '../resets/activation.js';
import { files, type RunIdentity, type RunInfo } from '../run/run.js';
import { noSeconds } from '../run/stages.js';
import { version } from '../version.js';
import type { Settings } from './settings.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** What a run records of its images. */
export async function dataOf(images: ImageSet, signal?: AbortSignal): Promise<RunIdentity['data']> {
  const { indices, labels } = images;
  const hashes = await images.hashes(signal);
  // In the source's order, which is not that of a sample that was shuffled.
  const order = [...indices.keys()].sort((a, b) => indices[a]! - indices[b]!);
  return {
    source: images.source,
    images: images.count,
    fingerprint: await images.fingerprint(signal),
    transform: images.transform,
    parts: {
      images: sha256(order.map((at) => hashes[at]!).join()),
      labels: labels && sha256(order.map((at) => labels[at]!).join()),
    },
  };
}

/** What must be the same for a run to be continued. */
export async function identityOf(
  model: Model,
  images: ImageSet,
  settings: Settings,
  signal?: AbortSignal,
): Promise<RunIdentity> {
  const { layers, exclude, resets, init, norm, design, seed, confidence, engine, batch } = settings;
  return {
    model: { name: model.name, sha256: model.sha256, layers: model.layers.length },
    data: await dataOf(images, signal),
    options: {
      reset: resets.map((reset) => reset.label),
      // A label names a donor's file; the file may have changed since.
      donors: resets.flatMap((reset) => (reset.kind === 'interpolate' ? [reset.donor.sha256] : [])),
      init,
      ...(settings.initFrom && { initFrom: settings.initFrom.map(({ sha256 }) => sha256) }),
      norm,
      ...(resets.some(isActivation) && { calibration: CALIBRATION_IMAGES }),
      imagesPerDraw: design.imagesPerDraw,
      trials: design.trials,
      ...(settings.tolerance !== undefined && {
        tolerance: settings.tolerance,
        simultaneous: settings.simultaneous,
      }),
      seed,
      layers,
      exclude,
      ...(settings.group !== 'layer' && { group: settings.group }),
      ...(settings.parts !== 'both' && { parts: settings.parts }),
      ...(settings.perImage.length > 0 && {
        perImage: settings.perImage,
        ...(settings.perImageMean && { perImageMean: true }),
      }),
      ...(settings.perClass && { perClass: true }),
      ...(settings.include && { include: settings.include }),
      ...(settings.splitQkv && { splitQkv: true }),
      confidence,
      engine,
      batch,
      ...(settings.cards !== undefined && { device: 'cuda' }),
      // Other sums in other orders.
      ...(settings.layout === 'nhwc' && { layout: 'nhwc' }),
      precision: settings.precision,
      input: model.io.input,
      output: model.io.output,
      // Another version may cut, draw or sum differently: its chunks do not mix with this one's.
      critmap: version,
      onnxruntime: await runtimeVersion(engine),
    },
  };
}

/** The description that goes to `run.json`. */
export function infoOf(
  model: Model,
  images: ImageSet,
  identity: RunIdentity,
  cells: number,
  settings: Settings,
  earlier: RunInfo | null,
): Omit<RunInfo, 'command' | 'shard' | 'plan'> {
  const now = new Date().toISOString();
  return {
    version: 2,
    critmap: version,
    status: 'running',
    started: earlier?.started ?? now,
    updated: now,
    seconds: earlier?.seconds ?? 0,
    ...identity,
    cells,
    environment: {
      model: model.file.path,
      ...(model.file.source !== undefined && { modelSource: model.file.source }),
      ...(model.builtIn && { asked: model.builtIn.asked }),
      ...(model.weights && { weights: model.weights.files }),
      ...(settings.initFrom && { initFrom: settings.initFrom.map(({ file }) => file.source ?? file.path) }),
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      onnxruntime: identity.options.onnxruntime,
      device: deviceName(settings.cards),
      ...(settings.cards && {
        cards: settings.cards.map((card) => native().cuda().devices[card]?.name),
        cudnnSearch: settings.cudnnSearch,
        layout: settings.layout,
        // Until the engine says it again: what is computed later has other last bits in other batches.
        ...(earlier?.environment.batch !== undefined && { batch: earlier.environment.batch }),
      }),
      path: native().info().path,
      threads: settings.threads,
    },
    stageSeconds: earlier?.stageSeconds ?? noSeconds,
    peakMemoryBytes: earlier?.peakMemoryBytes ?? 0,
    warnings: earlier?.warnings ?? [],
    graph: earlier?.graph ?? null,
    sample: {
      file: files.images,
      seed: images.dataSeed,
      total: images.total,
      skipped: [...images.skipped],
      ...(settings.perClass && images.classNames && { classes: [...images.classNames] }),
    },
  };
}
