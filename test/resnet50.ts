/** A model of real size, for tests of how a sweep behaves rather than of what it computes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { resnet } from '../src/architectures/resnet.js';

/** Writes a ResNet-50 over 224-pixel images with random weights: 102 MB, 54 layers, 4.1 GMAC an image. */
export function writeResnet50(directory: string): string {
  const path = join(directory, 'resnet50.onnx');
  // Not the sweep's default seed: a reset would draw the very weights that are there.
  writeFileSync(path, resnet({ seed: 1 }));
  return path;
}

/** Images of a chunk at 224 pixels: what the fast engine finishes, and a stop may lose, at once. */
export const chunkImages = 32;
