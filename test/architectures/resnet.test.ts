import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import { resnet } from '../../src/architectures/resnet.js';
import { loadModel } from '../../src/model.js';

t.test("ResNet-50 has torchvision's layers and parameters", async (t) => {
  const path = join(t.testdir({}), 'resnet50.onnx');
  writeFileSync(path, resnet({ size: 64 }));
  const { layers, io } = await loadModel(path);
  t.equal(layers.length, 54);
  // 25,557,032 in all, of which 53,120 are BatchNorm's.
  t.equal(
    layers.reduce((sum, layer) => sum + layer.parameters, 0),
    25_557_032 - 53_120,
  );
  t.match(
    layers.map(({ name, weight }) => `${name} ${weight.shape.join('x')}`).filter((_, i) => i < 5),
    [
      'conv1 64x3x7x7',
      'layer1.0.conv1 64x64x1x1',
      'layer1.0.conv2 64x64x3x3',
      'layer1.0.conv3 256x64x1x1',
      'layer1.0.downsample.0 256x64x1x1',
    ],
  );
  t.match(io, { input: 'images', batch: null, channels: 3, height: 64, width: 64, classes: 1000 });
});

t.test('it runs at any batch, and the same seed gives the same bytes', async (t) => {
  const options = { size: 32, classes: 7, blocks: [1, 1], seed: 3 };
  const bytes = resnet(options);
  t.equal(Buffer.compare(resnet(options), bytes), 0);
  t.not(Buffer.compare(resnet({ ...options, seed: 4 }), bytes), 0);
  const session = await InferenceSession.create(bytes);
  const images = new Tensor('float32', new Float32Array(2 * 3 * 32 * 32).fill(0.5), [2, 3, 32, 32]);
  const { logits } = await session.run({ images });
  t.strictSame(logits?.dims, [2, 7]);
  t.ok(logits && (logits.data as Float32Array).every(Number.isFinite));
  await session.release();
});
