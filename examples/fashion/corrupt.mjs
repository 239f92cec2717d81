/**
 * Makes corrupted copies of the example's images, for a study of more than one set of images: with Gaussian noise of
 * standard deviation 38 (of 255), and blurred by a Gaussian of 1.2 pixels.
 *
 *   node examples/fashion/corrupt.mjs [FOLDER]      writes noise.npy, blur.npy and labels.npy, all in the order of images.npz
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openImages } from 'critmap';

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2] ?? join(here, 'corrupted');
const [NOISE, BLUR, SIZE] = [38, 1.2, 28];

/** Numbers in [0, 1) that are the same everywhere (Steele et al. 2014, SplitMix; 32 bits). */
function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** Box and Muller (1958). */
function noisy(pixels) {
  const next = uniform(1);
  return pixels.map((value) => {
    const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    return Math.max(0, Math.min(255, Math.round(value + NOISE * normal)));
  });
}

/** Rows, then columns; what is beyond the edge is as the edge. */
function blurred(pixels) {
  const radius = Math.ceil(3 * BLUR);
  const weights = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * BLUR ** 2)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const inside = (at) => Math.max(0, Math.min(SIZE - 1, at));
  const pass = (from, step, other) => {
    const to = new Float64Array(from.length);
    for (let image = 0; image < from.length; image += SIZE * SIZE) {
      for (let a = 0; a < SIZE; a++) {
        for (let b = 0; b < SIZE; b++) {
          const values = weights.map((weight, k) => weight * from[image + a * other + inside(b + k - radius) * step]);
          to[image + a * other + b * step] = values.reduce((total, value) => total + value, 0) / sum;
        }
      }
    }
    return to;
  };
  return Uint8Array.from(pass(pass(pixels, 1, SIZE), SIZE, 1), Math.round);
}

function npy(descr, shape, data) {
  const words = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const header = Buffer.from(`${words.padEnd(64 * Math.ceil((words.length + 11) / 64) - 11)}\n`, 'latin1');
  const magic = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length & 255, header.length >> 8]);
  return Buffer.concat([magic, header, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}

const images = await openImages(join(here, 'images.npz'), {
  shape: { channels: 1, height: SIZE, width: SIZE },
  images: 'all',
});
const pixels = new Uint8Array(images.count * SIZE * SIZE);
await images.readPixels(0, images.count, pixels);
const shape = [images.count, SIZE, SIZE];
await mkdir(folder, { recursive: true });
await writeFile(join(folder, 'noise.npy'), npy('|u1', shape, noisy(pixels)));
await writeFile(join(folder, 'blur.npy'), npy('|u1', shape, blurred(pixels)));
await writeFile(join(folder, 'labels.npy'), npy('<i4', [images.count], images.labels));
await images.close();
