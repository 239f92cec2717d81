/** What the cases work on: temporary folders, random images as tensors and as JPEG files. The same every time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { native } from '../dist/native/addon.js';

/** A folder that goes when the process ends. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'critmap-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Grey pixels in a .npy file: uint8, count x height x width. */
export async function writePixels(path, pixels, { height, width }) {
  const shape = [pixels.length / (height * width), height, width];
  await writeFile(path, [npyHeader('|u1', shape), pixels]);
}

function npyHeader(type, shape) {
  const description = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const header = description.padEnd(128 - 10 - 1);
  const start = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${header}\n`, 'latin1');
  start.writeUInt16LE(header.length + 1, 8);
  return start;
}

/** Standard normal values in a .npy file: float32, count x channels x height x width. */
export async function writeNormalImages(path, count, { channels, height, width }) {
  const values = new Float32Array(count * channels * height * width);
  native().reset(values, { kind: 'normal', mean: 0, std: 1, key: 1n });
  const start = npyHeader('<f4', [count, channels, height, width]);
  await writeFile(path, [start, new Uint8Array(values.buffer)]);
}

/**
 * JPEG files of 500 x 375 pixels, every third upright: smooth blobs under fine noise, which compress to what a
 * photograph of that size takes (about 55 kB).
 */
export async function writeJpegs(folder, count) {
  await mkdir(folder, { recursive: true });
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const [width, height] = i % 3 === 2 ? [375, 500] : [500, 375];
    const blobs = await sharp(Buffer.from(noise(20 * 15 * 3, 0, 255, 2 * i)), {
      raw: { width: 20, height: 15, channels: 3 },
    })
      .resize({ width, height, fit: 'fill', kernel: 'cubic' })
      .raw()
      .toBuffer();
    const fine = noise(blobs.length, -12, 12, 2 * i + 1);
    const pixels = new Uint8ClampedArray(blobs);
    for (let at = 0; at < pixels.length; at++) pixels[at] += fine[at];
    const file = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 90 })
      .toBuffer();
    bytes += file.length;
    await writeFile(join(folder, `${String(i).padStart(4, '0')}.jpg`), file);
  }
  return { count, meanBytes: bytes / count };
}

function noise(length, low, high, key) {
  const values = new Float32Array(length);
  native().reset(values, { kind: 'uniform', low, high, key: BigInt(key) });
  return values;
}
