/** A sweep along an axis: fractions that are pruned, and the way from an initialisation to the trained weights. */
import { join } from 'node:path';
import t from 'tap';
import { openImages } from '../../src/images/index.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { parseResets } from '../../src/resets/parse.js';
import { sweep } from '../../src/sweep/sweep.js';
import { example } from '../fixtures.js';

t.test('several resets of a kind are an axis, exact at its ends, and go on where they stopped', async (t) => {
  const model = await loadModel(example('resnet.onnx'));
  const init = example('resnet-init.onnx');
  const words = ['prune=0,0.9', 'lowrank=1', `donor=${init}`, `interpolate=${init}@0,0.5,1`];
  const out = join(t.testdir({}), 'run');
  const run = async (texts: readonly string[], force = false) => {
    const images = await openImages(example('images.npz'), { ...modelInput(model), images: 40 });
    const resets = await parseResets(texts, model);
    try {
      return await sweep(model, images, { out, resets, force, layers: ['layer2.0.conv1', 'fc'] });
    } finally {
      await images.close();
    }
  };
  const { summary, draws } = await run(words);
  t.equal(draws.length, 2 * 7, 'one cell of a layer and a reset');
  for (const layer of ['layer2.0.conv1', 'fc']) {
    const of = (reset: string) =>
      summary.layers.find((entry) => entry.layer === layer && entry.reset === reset)!;
    for (const still of ['prune=0', 'lowrank=1', `interpolate=${init}@1`]) {
      const { criticality, agreement, change, interval } = {
        ...of(still),
        interval: of(still).criticality.interval,
      };
      t.strictSame([criticality.mean, agreement.mean, change], [0, 100, 0], `${layer} ${still}`);
      t.strictSame([criticality.low, criticality.high, agreement.low], [0, 0, 100], 'which is certain');
      t.equal(interval, 'images');
    }
    const { reset: _, ...donor } = of(`donor=${init}`);
    const { reset: __, ...first } = of(`interpolate=${init}@0`);
    t.strictSame(first, donor, 'at 0 the donor');
    t.ok(donor.criticality.mean! > of(`interpolate=${init}@0.5`).criticality.mean!);
    t.ok(of('prune=0.9').criticality.mean! > 0);
  }
  const again = await run(words);
  t.strictSame(again.summary, summary);
  await t.rejects(run(['prune=0.9']), { code: 'ERR_RUN' }, 'another axis is another sweep');
});
