import t from 'tap';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { predictCost } from '../../src/sweep/cost.js';
import type { Progress } from '../../src/sweep/progress.js';
import { sweep } from '../../src/sweep/sweep.js';
import { example } from '../fixtures.js';

const model = await loadModel(example('resnet.onnx'));
const open = () => openImages(example('images.npz'), { ...modelInput(model), images: 'all' });

t.test('the cost of a sweep is told without running it', async (t) => {
  const images = await open();
  t.teardown(() => images.close());
  const fresh = await predictCost(model, images);
  t.match(fresh, { layers: 18, resets: 18, cells: 18, images: 1000, passes: 18_000 });
  const three = await predictCost(model, images, { trials: 3 });
  t.match(three, { resets: 18, cells: 54, passes: 54_000 });
  // The untouched model is computed once for all draws: three cost less than three times one.
  t.ok(three.macs > 2.5 * fresh.macs && three.macs < 3 * fresh.macs);
  const one = await predictCost(model, images, { layers: ['fc'] });
  t.ok(one.macs < fresh.macs / 5, 'the last layer needs little but the untouched model');
  t.ok((await predictCost(model, images, { engine: 'reference' })).macs > 1.5 * fresh.macs);
  // Others use this machine too: only an order of magnitude is certain, and a pilot may meet a busy moment.
  const tries: string[] = [];
  let isNear = false;
  for (let i = 0; i < 3 && !isNear; i++) {
    const told = (i === 0 ? fresh : await predictCost(model, images)).seconds;
    const started = performance.now();
    await sweep(model, images);
    const seconds = (performance.now() - started) / 1000;
    isNear = told > seconds / 8 && told < 4 * seconds;
    tries.push(`${told} s, took ${seconds} s`);
  }
  t.ok(isNear, tries.join('; '));
  await t.rejects(predictCost(model, images, { layers: ['nothing'] }), { code: 'ERR_OPTION' });
});

t.test('a sweep with a tolerance tells after a pilot how many passes it will take', async (t) => {
  const images = await open();
  t.teardown(() => images.close());
  const seen: Progress[] = [];
  const onProgress = (progress: Progress) => seen.push(progress);
  const { summary } = await sweep(model, images, {
    layers: ['fc', 'layer3.2.conv2'],
    tolerance: 5,
    onProgress,
  });
  const told = seen.filter(({ expected }) => expected !== null);
  const passes = summary.layers.reduce((sum, layer) => sum + layer.passes, 0);
  t.ok(told.length > 0 && passes < 2000, `${passes} passes`);
  for (const { expected, done, total } of told) {
    t.ok(expected! > passes / 2 && expected! < 2 * passes && expected! >= done && expected! <= total);
  }
  // Twelve slices are no pilot.
  const few = await openImages(example('images.npz'), { ...modelInput(model), images: 96 });
  t.teardown(() => few.close());
  const early: Progress[] = [];
  await sweep(model, few, { layers: ['fc'], tolerance: 5, onProgress: (progress) => early.push(progress) });
  t.ok(early.length > 0 && early.every(({ expected }) => expected === null));
  const plain: Progress[] = [];
  await sweep(model, images, { layers: ['fc'], onProgress: (progress) => plain.push(progress) });
  t.ok(plain.every(({ expected, total }) => expected === total));
});
