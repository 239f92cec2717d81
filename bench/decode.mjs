/**
 * How fast JPEG files become normalised float32 images, and how much processor time they take, which other work on the
 * machine changes less. `CRITMAP_PYTHON` names a Python with torchvision to compare with, `CRITMAP_PHOTOS` a folder of
 * photographs instead of the images that are made here.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { forEachBounded } from '../dist/concurrency.js';
import { IN_FLIGHT } from '../dist/images/check.js';
import { openImages } from '../dist/images/index.js';
import { native } from '../dist/native/addon.js';
import { temporaryFolder, writeJpegs } from './material.mjs';
import { table } from './measure.mjs';
import { alternate, secondsPerCall, spread } from './wall.mjs';

const COUNT = 256;
const SHAPE = { channels: 3, height: 224, width: 224 };
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
  const processor = new Map();
  const note = (name, milliseconds) =>
    processor.set(name, [...(processor.get(name) ?? []), milliseconds / files.length]);
  const speed = (name, run) => async () => {
    const [before, onMain] = [process.cpuUsage(), mainThreadMs()];
    const seconds = await secondsPerCall(run);
    const { user, system } = process.cpuUsage(before);
    note(name, (user + system) / 1000);
    if (onMain !== null) note(`${name}, main thread`, mainThreadMs() - onMain);
    return files.length / seconds;
  };
  const pillow = process.env.CRITMAP_PYTHON && (await startPillow(process.env.CRITMAP_PYTHON, folder));
  const unit = 'images';
  const contestants = {
    ...(pillow && {
      torchvision: {
        unit,
        speed: async () => {
          const { seconds, processorMs } = await pillow.run();
          note('torchvision', processorMs);
          return files.length / seconds;
        },
      },
    }),
    sharp: { unit, speed: speed('sharp', bare) },
    openImages: { unit, speed: speed('openImages', read) },
  };
  for (const { speed } of Object.values(contestants)) await speed();
  processor.clear();
  const speeds = await alternate(contestants, rounds);
  await images.close();
  pillow?.stop();
  const decoder = native().info().jpeg ?? 'sharp';
  const about = `${files.length} JPEG files of ${(meanBytes / 1000).toFixed(0)} kB, ${IN_FLIGHT} at a time, decoded by ${decoder}`;
  const against = pillow ? `; torchvision: ${pillow.versions}, ${availableParallelism()} processes` : '';
  const processorMs = Object.fromEntries([...processor].map(([name, values]) => [name, spread(values)]));
  const times = Object.entries(processorMs).map(
    ([name, { median, low, high }]) =>
      `  ${name.padEnd(24)} ${median.toFixed(2)} ms of processor time an image (${low.toFixed(2)} - ${high.toFixed(2)})`,
  );
  return {
    result: { images: files.length, meanBytes, inFlight: IN_FLIGHT, decoder, rounds, speeds, processorMs },
    text: [table(speeds), ...times, `  ${about}${against}`].join('\n'),
  };
}

/** Processor time of the main thread so far; null where the system does not tell. */
function mainThreadMs() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return null;
  }
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
    run: async () => {
      child.stdin.write('go\n');
      const [seconds, processor] = (await line()).split(' ').map(Number);
      return { seconds, processorMs: processor * 1000 };
    },
    stop: () => child.stdin.end(),
  };
}
