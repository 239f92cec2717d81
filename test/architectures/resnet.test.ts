import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { resnet } from '../../src/architectures/resnet.js';
import { loadModel } from '../../src/model/load.js';
import { resetLayer } from '../../src/resets/reset.js';
import { isSeeded, trainedElements } from './inspect.js';

t.test("ResNet-50 has torchvision's layers and parameters", async (t) => {
  const path = join(t.testdir({}), 'resnet50.onnx');
  writeFileSync(path, resnet({ size: 64 }));
  const { layers, io, file } = await loadModel(path);
  t.equal(layers.length, 54);
  // torchvision.models.resnet50.
  t.equal(trainedElements(file), 25_557_032);
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
  await isSeeded(t, resnet, { size: 32, classes: 7, blocks: [1, 1], seed: 3 });
});

t.test('a reset with the seed of the model draws other weights', async (t) => {
  const path = join(t.testdir({}), 'resnet.onnx');
  writeFileSync(path, resnet({ size: 32, width: 8, blocks: [1], classes: 7, seed: 3 }));
  const model = await loadModel(path);
  const reset = { kind: 'random', label: 'random' } as const;
  for (const layer of model.layers) {
    const { change } = await resetLayer(model, layer, reset, 0, { seed: 3, init: 'auto', norm: 'keep' });
    t.ok(change !== null && change > 0.5, layer.name);
  }
});
