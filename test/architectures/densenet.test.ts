import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { densenet } from '../../src/architectures/densenet.js';
import { loadModel } from '../../src/model/load.js';
import { isSeeded, logitsOf, trainedElements } from './inspect.js';

t.test("DenseNet-121 has torchvision's layers and parameters, and runs", async (t) => {
  const bytes = densenet();
  const path = join(t.testdir({}), 'densenet.onnx');
  writeFileSync(path, bytes);
  const { layers, io, file } = await loadModel(path);
  const expected = ['features.conv0 64x3x7x7'];
  let channels = 64;
  for (const [i, count] of [6, 12, 24, 16].entries()) {
    for (let layer = 1; layer <= count; layer++, channels += 32) {
      const name = `features.denseblock${i + 1}.denselayer${layer}`;
      expected.push(`${name}.conv1 128x${channels}x1x1`, `${name}.conv2 32x128x3x3`);
    }
    if (i === 3) break;
    expected.push(`features.transition${i + 1}.conv ${channels / 2}x${channels}x1x1`);
    channels /= 2;
  }
  t.strictSame(
    layers.map(({ name, weight }) => `${name} ${weight.shape.join('x')}`),
    [...expected, 'classifier 1000x1024'],
  );
  t.equal(layers.length, 121);
  // torchvision.models.densenet121.
  t.equal(trainedElements(file), 7_978_856);
  t.match(io, { input: 'images', batch: null, channels: 3, height: 224, width: 224, classes: 1000 });
  const logits = await logitsOf(bytes, [1, 3, 224, 224]);
  t.equal(logits.length, 1000);
  t.ok(logits.every(Number.isFinite));
});

t.test('small variants run at any batch; the same seed gives the same bytes', async (t) => {
  await isSeeded(t, densenet, { size: 32, blocks: [2, 3], growth: 6, stem: 20, classes: 7, seed: 3 });
});
