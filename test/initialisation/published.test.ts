/**
 * Criticality of every layer of small trained networks of seven families, against the published algorithm in PyTorch
 * with timm's own fresh models: means over 40 draws of both (`test/oracle/make_trained_golden.py`). Where a layer is
 * drawn from another distribution its mean is many standard errors off.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { openImages } from '../../src/images/index.js';
import { initWarnings } from '../../src/initialisation/initials.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { sweep } from '../../src/sweep/sweep.js';
import { fixture } from '../fixtures.js';

interface Golden {
  draws: number;
  mean: number;
  std: number;
  networks: Record<string, { accuracy: number; layers: Record<string, [mean: number, deviation: number]> }>;
}
const golden: Golden = JSON.parse(readFileSync(fixture('trained/criticality.json'), 'utf8'));

const families = ['mobilenetv3', 'efficientnet', 'vit', 'convnext', 'densenet', 'mixer', 'resnet'];

t.test('there is a trained network of each family', async (t) => {
  t.strictSame(Object.keys(golden.networks).sort(), [...families].sort());
  for (const [name, { accuracy }] of Object.entries(golden.networks))
    t.ok(accuracy > 70, `${name}: ${accuracy} %`);
});

/** Of all layers of all networks. */
const scores: number[] = [];

for (const name of families) {
  t.test(`every layer of a trained ${name} is as critical as the published algorithm says`, async (t) => {
    const model = await loadModel(fixture(`trained/${name}.onnx`));
    const layers = golden.networks[name]?.layers ?? {};
    t.strictSame(initWarnings(model, 'auto'), [], 'no layer is guessed');
    t.strictSame(model.layers.map((layer) => layer.name).sort(), Object.keys(layers).sort());
    const images = await openImages(fixture('trained/images.npz'), {
      ...modelInput(model),
      images: 'all',
      mean: [golden.mean],
      std: [golden.std],
    });
    const { summary } = await sweep(model, images, { trials: golden.draws });
    await images.close();
    const own: number[] = [];
    for (const { layer, criticality } of summary.layers) {
      const [mean, deviation] = layers[layer] ?? [Number.NaN, Number.NaN];
      const apart = criticality.mean! - mean;
      const error = Math.hypot(criticality.sdTrial!, deviation) / Math.sqrt(golden.draws);
      // A head that starts at zero has no randomness: nothing but rounding.
      if (error < 1e-6) {
        t.ok(Math.abs(apart) < 1e-3, `${layer}: ${criticality.mean} % is ${mean} %`);
        continue;
      }
      const z = apart / error;
      own.push(z);
      t.ok(
        Math.abs(z) < 4,
        `${layer}: ${criticality.mean?.toFixed(3)} % against ${mean.toFixed(3)} %, z ${z.toFixed(2)}`,
      );
    }
    t.comment(`mean z^2 ${square(own)} over ${own.length} layers`);
    scores.push(...own);
  });
}

t.test('over all of them, the distances are those of chance', async (t) => {
  t.ok(scores.length > 100);
  // 1 is expected of about 130 scores, give or take 0.13.
  t.ok(square(scores) < 1.5, `mean z^2 ${square(scores)}`);
});

function square(scores: readonly number[]): number {
  return Number((scores.reduce((sum, z) => sum + z * z, 0) / scores.length).toFixed(2));
}
