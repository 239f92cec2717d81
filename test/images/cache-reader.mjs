/** Reads all images of a folder through a cache and sends what it read; with `stop N` it waits to be killed after N. */
import { createHash } from 'node:crypto';
import { openImages } from '../../dist/images/index.js';

const [root, cache, , stop] = process.argv.slice(2);
const shape = { channels: 3, height: 32, width: 32 };
const onProgress = (done) => {
  if (!stop || done !== Number(stop)) return;
  // The kill comes from outside; until then this process does nothing more.
  process.send('stopped', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
};
const images = await openImages(root, { shape, images: 'all', cache, onProgress });
const fingerprint = await images.fingerprint();
const pixels = new Float32Array(images.count * 3 * 32 * 32);
await images.read(0, images.count, pixels);
await images.close();
const hash = createHash('sha256').update(new Uint8Array(pixels.buffer)).digest('hex');
process.send({ fingerprint, pixels: hash, warnings: images.warnings });
process.disconnect();
