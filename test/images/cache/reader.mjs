/**
 * Reads all images of a folder through a cache and sends what it read. After N of them it waits to be killed with
 * `stop N`; with `fill N` it fills the disk beside the cache.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openImages } from '../../../dist/images/index.js';

const [root, cache, what, after] = process.argv.slice(2);
const shape = { channels: 3, height: 32, width: 32 };
const onProgress = (done) => {
  if (done !== Number(after)) return;
  if (what === 'fill') {
    fill(join(cache, '..', 'of-others'));
    return;
  }
  // The kill comes from outside; until then this process does nothing more.
  process.send('stopped', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
};
const cacheBytes = what === 'fill' ? 1e6 : undefined;
const images = await openImages(root, { shape, images: 'all', cache, cacheBytes, onProgress });
const fingerprint = await images.fingerprint();
const pixels = new Float32Array(images.count * 3 * 32 * 32);
await images.read(0, images.count, pixels);
await images.close();
const hash = createHash('sha256').update(new Uint8Array(pixels.buffer)).digest('hex');
const files = what === 'fill' ? { files: readdirSync(cache, { recursive: true }) } : {};
process.send({ fingerprint, pixels: hash, warnings: images.warnings, ...files });
process.disconnect();

function fill(path) {
  try {
    for (;;) appendFileSync(path, Buffer.alloc(4096));
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error;
  }
}
