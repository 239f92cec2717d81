/** What comes before the pixels: listing a large folder, and reading crops from the cache. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { forEachBounded } from '../dist/concurrency.js';
import { PixelCache } from '../dist/images/cache/pixel-cache.js';
import { openImages } from '../dist/images/index.js';
import { inChild, peakBytes } from './child.mjs';
import { temporaryFolder } from './material.mjs';
import { table } from './measure.mjs';
import { alternate, secondsPerCall, timed } from './wall.mjs';

const FILES = 50_000;
const CLASSES = 1000;
const SHAPE = { channels: 3, height: 224, width: 224 };
const CROP_BYTES = 224 * 224 * 3;
const CROPS = 2048;

/** @returns {Record<string, (options: import('./index.mjs').Options) => Promise<import('./index.mjs').Outcome>>} */
export function imageCases() {
  return { listing, cache };
}

async function listing() {
  const folder = temporaryFolder();
  for (let c = 0; c < CLASSES; c++) {
    const inside = join(folder, `class-${String(c).padStart(4, '0')}`);
    await mkdir(inside);
    await forEachBounded(0, FILES / CLASSES, 16, (at) => writeFile(join(inside, `${at}.jpg`), ''));
  }
  const result = await inChild('./images.mjs', 'list', { folder });
  const { seconds, bytes, total, count } = result;
  const text = `  ${total} files in ${CLASSES} folders: listed and ${count} drawn in ${seconds.toFixed(2)} s, ${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return { result, text };
}

/** In a process that has done nothing else. */
export async function list({ folder }) {
  const { value: images, seconds } = await timed(() => openImages(folder, { shape: SHAPE, images: 1000 }));
  const { total, count } = images;
  await images.close();
  return { seconds, bytes: peakBytes(), total, count };
}

async function cache({ rounds = 3 }) {
  const root = temporaryFolder();
  const options = {
    root,
    transform: 'bench',
    recordBytes: CROP_BYTES,
    limitBytes: 10e9,
    onWarning: console.error,
  };
  const crop = Buffer.from(Array.from({ length: CROP_BYTES }, (_, at) => (at * 31) & 255));
  const keys = Array.from({ length: CROPS }, (_, at) => createHash('sha256').update(String(at)).digest());
  const writing = await PixelCache.open(options);
  for (const key of keys) await writing.write(key, crop);
  await writing.close();
  const file = join(root, 'whole');
  await writeFile(file, Buffer.alloc(CROPS * CROP_BYTES, 1));
  const reading = await PixelCache.open(options);
  const spare = [];
  const read = () =>
    forEachBounded(0, CROPS, 4, async (at) => {
      const out = spare.pop() ?? Buffer.alloc(CROP_BYTES);
      if (!(await reading.read(keys[at], out))) throw new Error('the cache lacks a crop');
      spare.push(out);
    });
  const speed = (run) => async () => (CROPS * CROP_BYTES) / (await secondsPerCall(run));
  const speeds = await alternate(
    {
      'one file': { unit: 'B', speed: speed(() => readFile(file)) },
      cache: { unit: 'B', speed: speed(read) },
    },
    rounds,
  );
  await reading.close();
  const text = `${table(speeds)}\n  ${CROPS} crops of 224 x 224, checked by CRC-32; the file is as large and read at once, both from memory`;
  return { result: { crops: CROPS, rounds, speeds }, text };
}
