/**
 * How fast JPEG files become normalised float32 images. `CRITMAP_PYTHON` names a Python with torchvision to
 * compare with, `CRITMAP_PHOTOS` a folder of photographs instead of the images that are made here.
 */
import { spawn } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { forEachBounded } from '../dist/images/bounded.js';
import { openImages } from '../dist/images/index.js';
import { native } from '../dist/native.js';
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
  const folder = process.env.CRITMAP_PHOTOS ?? join(temporaryFolder(), 'images');
  if (!process.env.CRITMAP_PHOTOS) await writeJpegs(folder, COUNT);
  const files = (await readdir(folder)).map((name) => join(folder, name));
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const meanBytes = sizes.reduce((sum, size) => sum + size, 0) / files.length;
  const images = await openImages(folder, { shape: SHAPE, images: 'all', labels: 'none' });
  const out = new Float32Array(files.length * SHAPE.channels * SHAPE.height * SHAPE.width);
  // The short side to 256, as the images are read; cropping and normalising are left out.
  const bare = () =>
    forEachBounded(0, files.length, IN_FLIGHT, async (at) => {
      await sharp(files[at]).resize(256, 256, { fit: 'outside', kernel: 'linear' }).raw().toBuffer();
    });
  const read = () => images.read(0, files.length, out);
  const speed = (run) => async () => files.length / (await secondsPerCall(run));
  const pillow = process.env.CRITMAP_PYTHON && (await startPillow(process.env.CRITMAP_PYTHON, folder));
  const unit = 'images';
  const contestants = {
    ...(pillow && { torchvision: { unit, speed: async () => files.length / (await pillow.seconds()) } }),
    sharp: { unit, speed: speed(bare) },
    openImages: { unit, speed: speed(read) },
  };
  for (const { speed } of Object.values(contestants)) await speed();
  const speeds = await alternate(contestants, rounds);
  await images.close();
  pillow?.stop();
  const decoder = native().info().jpeg ?? 'sharp';
  const about = `${files.length} JPEG files of ${(meanBytes / 1000).toFixed(0)} kB, ${IN_FLIGHT} at a time, decoded by ${decoder}`;
  const against = pillow ? `; torchvision: ${pillow.versions}, ${availableParallelism()} processes` : '';
  return {
    result: { images: files.length, meanBytes, inFlight: IN_FLIGHT, decoder, rounds, speeds },
    text: `${table(speeds)}\n  ${about}${against}`,
  };
}

/** torchvision's transform on Pillow (pillow.py), in one process per core that wait for the next round. */
async function startPillow(python, folder) {
  const script = fileURLToPath(new URL('pillow.py', import.meta.url));
  const child = spawn(python, [script, folder, String(availableParallelism())], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${python} bench/pillow.py ended; does it have torchvision?`);
    return value;
  };
  const versions = await line();
  return {
    versions,
    seconds: async () => {
      child.stdin.write('go\n');
      return Number(await line());
    },
    stop: () => child.stdin.end(),
  };
}
