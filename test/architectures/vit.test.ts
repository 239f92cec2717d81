import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { vit } from '../../src/architectures/vit.js';
import { loadModel } from '../../src/model/load.js';
import { isSeeded, logitsOf, trainedElements } from './inspect.js';

t.test("ViT-S/16 has timm's layers and parameters, and runs", async (t) => {
  const bytes = vit();
  const path = join(t.testdir({}), 'vit.onnx');
  writeFileSync(path, bytes);
  const { layers, io, file } = await loadModel(path);
  const blocks = Array.from({ length: 12 }, (_, i) => [
    `blocks.${i}.attn.qkv 1152x384`,
    `blocks.${i}.attn.proj 384x384`,
    `blocks.${i}.mlp.fc1 1536x384`,
    `blocks.${i}.mlp.fc2 384x1536`,
  ]);
  t.strictSame(
    layers.map(({ name, weight }) => `${name} ${weight.shape.join('x')}`),
    ['patch_embed.proj 384x3x16x16', ...blocks.flat(), 'head 1000x384'],
  );
  t.equal(layers.length, 50);
  t.ok(
    layers.every(({ bias }) => bias !== null),
    'every layer has its bias',
  );
  // timm.create_model('vit_small_patch16_224').
  t.equal(trainedElements(file), 22_050_664);
  t.match(io, { input: 'images', batch: null, channels: 3, height: 224, width: 224, classes: 1000 });
  const logits = await logitsOf(bytes, [1, 3, 224, 224]);
  t.equal(logits.length, 1000);
  t.ok(logits.every(Number.isFinite));
});

t.test('small variants run at any batch; the same seed gives the same bytes', async (t) => {
  await isSeeded(t, vit, { size: 32, patch: 8, dim: 24, depth: 2, heads: 3, classes: 7, seed: 3 });
});

t.test('patches that do not fill the image and heads that do not share the channels are refused', (t) => {
  t.throws(() => vit({ size: 30, patch: 8 }), { name: 'RangeError', message: /8 pixels do not fill 30/ });
  t.throws(() => vit({ dim: 20, heads: 3 }), { name: 'RangeError', message: /3 heads/ });
  t.end();
});
