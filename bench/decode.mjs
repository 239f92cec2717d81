/** How fast JPEG files become normalised float32 images. */
import { readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { forEachBounded } from '../dist/images/bounded.js';
import { openImages } from '../dist/images/index.js';
import { temporaryFolder, writeJpegs } from './material.mjs';
import { table } from './measure.mjs';
import { alternate, secondsPerCall } from './wall.mjs';

const COUNT = 256;
const SHAPE = { channels: 3, height: 224, width: 224 };
/** As many images at a time as an ImageSet reads. */
const IN_FLIGHT = Math.min(Math.max(4, availableParallelism()), 16);

/** @returns {Record<string, (options: import('./index.mjs').Options) => Promise<import('./index.mjs').Outcome>>} */
export function decodeCases() {
  return { decode };
}

async function decode({ rounds = 3 }) {
  const folder = join(temporaryFolder(), 'images');
  const { meanBytes } = await writeJpegs(folder, COUNT);
  const files = (await readdir(folder)).map((name) => join(folder, name));
  const images = await openImages(folder, { shape: SHAPE, images: 'all' });
  const out = new Float32Array(COUNT * SHAPE.channels * SHAPE.height * SHAPE.width);
  // The short side to 256, as the images are read; cropping and normalising are left out.
  const bare = () =>
    forEachBounded(0, COUNT, IN_FLIGHT, async (at) => {
      await sharp(files[at]).resize(256, 256, { fit: 'outside', kernel: 'linear' }).raw().toBuffer();
    });
  const read = () => images.read(0, COUNT, out);
  const speed = (run) => async () => COUNT / (await secondsPerCall(run));
  await bare();
  await read();
  const speeds = await alternate(
    {
      sharp: { unit: 'images', speed: speed(bare) },
      openImages: { unit: 'images', speed: speed(read) },
    },
    rounds,
  );
  await images.close();
  const text = `${table(speeds)}\n  ${COUNT} JPEG files of ${(meanBytes / 1000).toFixed(0)} kB, ${IN_FLIGHT} at a time`;
  return { result: { images: COUNT, meanBytes, inFlight: IN_FLIGHT, rounds, speeds }, text };
}
