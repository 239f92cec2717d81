import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { figureData } from '../../src/compare/figure-data.js';
import { drawingsOf } from '../../src/figures/all-figures.js';
import { statisticsOf } from '../../src/figures/statistics.js';
import { fixture } from '../fixtures.js';

const reference = (name: string) =>
  fileURLToPath(new URL(`../../../shared/reference/${name}`, import.meta.url));
const results = reference('results.csv');
const skip = existsSync(results) ? false : 'the published results are not beside the repository';

interface Extreme {
  value: number;
  model: string;
  layer: string;
}

/** By pandas and scipy, `oracle/make_report_statistics.py`. */
const truth: {
  mean: number;
  models: Record<string, [number, number]>;
  layers: Record<string, [number, number]>;
  spread: Extreme & { mean: number };
  max: Extreme;
  min: Extreme;
  spearman: [number, number];
  kendall: [number, number];
  budgets: { norm: string; budget: number; mean: number }[];
} = JSON.parse(readFileSync(fixture('report-statistics.json'), 'utf8'));

t.test('what is drawn of the published raw data is what pandas and scipy compute', { skip }, async (t) => {
  const data = await figureData([results], {
    categories: reference('r50_categories.json'),
    accuracies: reference('accuracies.json'),
    exclude: ['resnet50_frozen_random'],
  });
  const found = statisticsOf(data);
  const isNear = (value: number | null, expected: number, name: string) =>
    t.ok(
      Math.abs(value! - expected) < 1e-9 * Math.max(1, Math.abs(expected)),
      `${name}: ${value} ${expected}`,
    );

  t.equal(found.overall.mean?.toFixed(2), '69.75');
  isNear(found.overall.mean, truth.mean, 'overall');
  t.equal(found.models.length, 50);
  for (const { id, mean, sdLayers } of found.models) {
    isNear(mean, truth.models[id]![0], id);
    isNear(sdLayers, truth.models[id]![1], `sd of ${id}`);
  }
  t.equal(found.layers.length, 54);
  for (const { layer, mean, sdModels } of found.layers) {
    isNear(mean, truth.layers[layer]![0], layer);
    isNear(sdModels, truth.layers[layer]![1], `sd of ${layer}`);
  }
  isNear(found.spread!.mean, truth.spread.mean, 'spread');
  const at = ({ model, layer }: { model: string; layer: string }) => ({ model, layer });
  isNear(found.spread!.max, truth.spread.value, 'largest spread');
  t.same(found.spread!.maxAt, at(truth.spread));
  isNear(found.difference!.max, truth.max.value, 'largest difference');
  isNear(found.difference!.min, truth.min.value, 'smallest difference');
  t.same([found.difference!.maxAt, found.difference!.minAt], [at(truth.max), at(truth.min)]);
  t.match(found.difference, { to: 'tv_resnet50', tested: 2646, bh: 893, holm: 93 });

  const [all] = found.correlations.filter(
    ({ attribute, without }) => attribute === 'accuracy' && without === null,
  );
  t.equal(all!.n, 50);
  isNear(all!.spearman, truth.spearman[0], 'rho');
  isNear(all!.spearmanP, truth.spearman[1], 'p of rho');
  isNear(all!.kendall, truth.kendall[0], 'tau-b');
  isNear(all!.kendallP, truth.kendall[1], 'p of tau-b');
  t.equal(found.correlations.filter(({ attribute }) => attribute !== 'accuracy').length, 0);

  t.equal(found.attributes.length, truth.budgets.length);
  for (const { norm, budget, mean } of truth.budgets) {
    const own = found.attributes.find((one) => one.norm === norm && one.budget === budget);
    isNear(own!.mean, mean, `${norm} ${budget}`);
  }
  t.same(
    found.categories.map(({ id, models }) => [id, models]),
    [
      ['baseline', 1],
      ['training_recipes', 10],
      ['augmentation', 18],
      ['adversarial_training', 15],
      ['contrastive', 6],
    ],
  );
  t.same(
    drawingsOf(data).map(({ id }) => id),
    ['map', 'difference', 'spread', 'interval-width', 'accuracy', 'budget', 'stages', 'profile-tv_resnet50'],
  );
});
