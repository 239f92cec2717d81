// Critmap's own draws for an oracle: for every line `KEY COUNT` of its input the standard normals of that Philox key, as
// float32; before them, as uint32, which 60 of the example's images a sweep samples. Needs a build (npm run build).
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openImages, resetWeights } from '../../dist/index.js';

const images = await openImages(
  fileURLToPath(new URL('../../examples/fashion/images.npz', import.meta.url)),
  {
    shape: { channels: 1, height: 28, width: 28 },
    images: 60,
  },
);
const parts = [new Uint8Array(images.indices.slice().buffer)];
for (const line of readFileSync(0, 'utf8').trim().split('\n')) {
  const [key, count] = line.split(' ');
  const rule = { kind: 'normal', mean: 0, std: 1, key: BigInt(key) };
  const values = await resetWeights(new Float32Array(Number(count)), { shape: [Number(count)], rule });
  parts.push(new Uint8Array(values.buffer));
}
process.stdout.write(Buffer.concat(parts));
