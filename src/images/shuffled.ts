/** A sample in a random order: any images that follow each other are a random sample of all. */
import { forEachBounded } from '../concurrency.js';
import { IN_FLIGHT } from './check.js';
import type { ImageSet } from './image-set.js';
import { shuffledOrder } from './sample.js';

/**
 * The same images, in the order that their seed gives. Its fingerprint is the sample's own; closing is left to the owner
 * of the sample.
 */
export function shuffled(images: ImageSet): ImageSet {
  const order = shuffledOrder(images.count, images.dataSeed);
  const { names, labels, shape } = images;
  const perImage = shape.channels * shape.height * shape.width;
  const each = <T extends Float32Array | Uint8Array>(
    from: number,
    to: number,
    out: T,
    signal: AbortSignal | undefined,
    read: (at: number, part: T) => Promise<void>,
  ) => {
    const one = (at: number) =>
      read(order[at]!, out.subarray((at - from) * perImage, (at - from + 1) * perImage) as T);
    return forEachBounded(from, to, IN_FLIGHT, one, signal);
  };
  return {
    source: images.source,
    total: images.total,
    count: images.count,
    names: names && Array.from(order, (at) => names[at]!),
    indices: order.map((at) => images.indices[at]!),
    labels: labels && Int32Array.from(order, (at) => labels[at]!),
    maxLabel: images.maxLabel,
    classNames: images.classNames,
    labelsUnderstood: images.labelsUnderstood,
    labelsAreOff: images.labelsAreOff,
    dataSeed: images.dataSeed,
    skipped: images.skipped,
    // The cache may add to them later.
    get warnings() {
      return images.warnings;
    },
    shape,
    transform: images.transform,
    normalizeTable: images.normalizeTable,
    fingerprint: (signal) => images.fingerprint(signal),
    async hashes(signal) {
      const hashes = await images.hashes(signal);
      return Array.from(order, (at) => hashes[at]!);
    },
    read: (from, to, out, signal) =>
      each(from, to, out, signal, (at, part) => images.read(at, at + 1, part, signal)),
    readPixels: (from, to, out, signal) =>
      each(from, to, out, signal, (at, part) => images.readPixels(at, at + 1, part, signal)),
    crop: (at) => images.crop(order[at]!),
    encoded: (at) => images.encoded(order[at]!),
    close: async () => {},
  };
}
