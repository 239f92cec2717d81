/** What a sweep says of how its images are prepared. */
import t from 'tap';
import { stepsOf } from '../../src/commands/image-steps.js';
import type { ImageTransform } from '../../src/images/transform.js';
import { normalisationDoubts } from '../../src/request/normalisation.js';

const transform = (mean: number[], std: number[]): ImageTransform => ({
  ...{ kind: 'pixels', resize: 256, interpolation: 'bilinear', crop: { height: 224, width: 224 } },
  ...{ mean, std },
});
const halves = transform([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]);
const imagenet = transform([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

t.test('an architecture whose own weights want 0.5 is doubted with other checkpoints', async (t) => {
  const builtIn = { architecture: 'vit_base_patch16_224', seed: 0, random: new Set<string>(), asked: {} };
  const weights = { files: [], mapping: [], missing: [], unexpected: [], misfit: [] };
  const model = { builtIn, weights, file: { path: 'vit_base_patch16_224' } };
  t.match(normalisationDoubts(model, { transform: halves }), [
    /timm's own weights of vit_base_patch16_224 want it; .*--mean 0\.485,0\.456,0\.406 --std 0\.229/,
  ]);
  t.strictSame(normalisationDoubts(model, { transform: imagenet }), []);
  t.strictSame(normalisationDoubts(model, { transform: { kind: 'tensors' } }), []);
  t.strictSame(normalisationDoubts({ ...model, weights: null }, { transform: halves }), []);
  t.strictSame(normalisationDoubts({ ...model, builtIn: null }, { transform: halves }), []);
});

t.test('size, mean and deviation are said in words', async (t) => {
  const shape = { channels: 3, height: 224, width: 224 };
  t.strictSame(stepsOf({ transform: imagenet, shape }), [
    'short side to 256',
    '224 x 224 at the centre',
    'mean 0.485 0.456 0.406',
    'std 0.229 0.224 0.225',
  ]);
});
