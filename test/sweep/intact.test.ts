/** A sweep leaves what it was given as it was: the model's file, its weights in memory, the images. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { loadModel, modelInput, openImages, parseReset, sweep } from '../../src/index.js';
import { writeResnet50 } from '../resnet50.js';
import { watched } from '../watched-images.js';

const path = writeResnet50(t.testdir({}));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

t.test('a ResNet-50, its file and the images are the same before and after a sweep', async (t) => {
  const model = await loadModel(path);
  const tensors = () => model.file.graph.initializer.map(({ name, rawData }) => [name, sha256(rawData)]);
  const before = { file: sha256(readFileSync(path)), tensors: tensors() };
  t.equal(model.file.sha256, before.file);
  t.equal(before.tensors.length, 267, 'all of them, BatchNorms included');

  const set = await openImages('synthetic:4', { ...modelInput(model), images: 4 });
  const given: { pixels: Float32Array | Uint8Array; hash: string }[] = [];
  const images = watched(set, async (read, out) => {
    await read();
    given.push({ pixels: out, hash: sha256(new Uint8Array(out.buffer)) });
  });
  const resets = await Promise.all(['random', 'zero', 'shuffle', 'noise=0.1'].map(parseReset));
  const { summary } = await sweep(model, images, {
    layers: ['conv1', 'layer3.0.downsample.0', 'layer4.2.conv2', 'fc'],
    resets,
    trials: 1,
    threads: 2,
  });
  await set.close();

  t.equal(summary.layers.length, 16, 'four resets of four layers');
  t.equal(sha256(readFileSync(path)), before.file);
  t.strictSame(tensors(), before.tensors);
  t.equal(given.length, 1, 'one chunk');
  for (const { pixels, hash } of given) t.equal(sha256(new Uint8Array(pixels.buffer)), hash);
});
