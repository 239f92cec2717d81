/** Six networks between the example's trained one and its initialisation, on its images and on noisy ones; quick to sweep. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { openImages } from '../../src/images/index.js';
import { ModelSchema } from '../../src/onnx/onnx_pb.js';
import { floats, withFloats } from '../../src/onnx/tensors.js';
import { example } from '../fixtures.js';
import { bytesOf, npy } from '../images/build-files.js';

const SIZE = 28;
const IMAGES = 96;

export const FILE = `
name: Between trained and fresh
defaults: { images: all, layers: [conv1, layer3.0.conv1, fc], imagesPerDraw: 8 }
data:
  clean: { path: clean.npy, labels: labels.npy }
  noisy: { path: noisy.npy, labels: labels.npy }
models:
  - { id: trained, model: m0.onnx, category: whole, accuracy: 94, attributes: { share: 0, kind: whole } }
  - { id: m1, model: m1.onnx, category: mixed, attributes: { share: 0.05, kind: mixed } }
  - { id: m2, model: m2.onnx, category: mixed, attributes: { share: 0.1, kind: mixed } }
  - { id: m3, model: m3.onnx, category: mixed, attributes: { share: 0.15, kind: mixed } }
  - { id: m4, model: m4.onnx, category: mixed, attributes: { share: 0.2, kind: mixed } }
  - { id: m5, model: m5.onnx, category: other, attributes: { share: 0.25, kind: mixed } }
baseline: trained
categories: [whole, mixed, { name: other, color: '#1b9e77' }]
`;

/** @returns the study's file in a folder that has all it names */
export async function smallStudy(folder: string, file = FILE): Promise<string> {
  const read = (name: string) => fromBinary(ModelSchema, readFileSync(example(name)));
  const [trained, fresh] = [read('resnet.onnx'), read('resnet-init.onnx')];
  const freshByName = new Map(fresh.graph!.initializer.map((tensor) => [tensor.name, tensor]));
  for (let i = 0; i < 6; i++) {
    const mixed = structuredClone(trained);
    const graph = mixed.graph!;
    graph.initializer = trained.graph!.initializer.map((tensor) => {
      const [a, b] = [floats(tensor), floats(freshByName.get(tensor.name)!)];
      return withFloats(
        tensor,
        a.map((value, k) => (1 - 0.05 * i) * value + 0.05 * i * b[k]!),
      );
    });
    writeFileSync(join(folder, `m${i}.onnx`), toBinary(ModelSchema, mixed));
  }
  const images = await openImages(example('images.npz'), {
    shape: { channels: 1, height: SIZE, width: SIZE },
    images: IMAGES,
  });
  const pixels = new Uint8Array(IMAGES * SIZE * SIZE);
  await images.readPixels(0, IMAGES, pixels);
  const shape = [IMAGES, SIZE, SIZE];
  writeFileSync(join(folder, 'clean.npy'), npy('|u1', shape, pixels));
  const noisy = pixels.map((value, i) => Math.min(255, Math.max(0, value + ((i * 7919) % 81) - 40)));
  writeFileSync(join(folder, 'noisy.npy'), npy('|u1', shape, noisy));
  writeFileSync(join(folder, 'labels.npy'), npy('<i4', [IMAGES], bytesOf(images.labels!)));
  await images.close();
  const path = join(folder, 'study.yaml');
  writeFileSync(path, file);
  return path;
}
