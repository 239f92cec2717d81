import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { compareRuns } from '../../src/compare/compare-runs.js';
import { fixture } from '../fixtures.js';

const reference = (name: string) =>
  fileURLToPath(new URL(`../../../shared/reference/${name}`, import.meta.url));
const results = reference('results.csv');
const skip = existsSync(results) ? false : 'the published results are not beside the repository';

/** By pandas and scipy, `oracle/make_published_statistics.py`. */
const truth: {
  correlations: Record<string, { models: number; spearman: number[]; kendall: number[] }>;
  categories: Record<string, { models: number; mean: number; sd: number | null; min: number; max: number }>;
} = JSON.parse(readFileSync(fixture('published-statistics.json'), 'utf8'));

const isNear = (t: Test, found: number[], expected: number[], name: string) =>
  t.ok(
    found.every((value, i) => Math.abs(value - expected[i]!) < 1e-9 * Math.max(1, Math.abs(value))),
    `${name}: ${found} ${expected}`,
  );

t.test(
  'of the published differences 1,232 have p < 0.05, 893 after BH, 93 after Holm',
  { skip },
  async (t) => {
    const found = await compareRuns([results], {
      categories: reference('r50_categories.json'),
      accuracies: reference('accuracies.json'),
      exclude: ['resnet50_frozen_random'],
    });
    t.equal(found.baseline, 'tv_resnet50');
    const below = (p: (one: (typeof found.differences)[number]) => number | null) =>
      found.differences.filter((one) => (p(one) ?? 1) < 0.05).length;
    t.same(
      [found.differences.length, below(({ p }) => p), below(({ pBh }) => pBh), below(({ pHolm }) => pHolm)],
      [2646, 1232, 893, 93],
    );
    t.ok(found.differences.every(({ test }) => test === 'welch-draws'));

    const correlated = found.correlations.filter(({ attribute }) => attribute === 'accuracy');
    t.equal(correlated.length, Object.keys(truth.correlations).length);
    for (const { without, models, spearman, kendall } of correlated) {
      const expected = truth.correlations[without ?? '']!;
      t.equal(models, expected.models);
      isNear(t, [spearman!.coefficient, spearman!.p!], expected.spearman, `Spearman without ${without}`);
      isNear(t, [kendall!.coefficient, kendall!.p!], expected.kendall, `Kendall without ${without}`);
    }
    t.equal(found.categories.length, Object.keys(truth.categories).length);
    for (const { category, models, mean, sd, min, max } of found.categories) {
      const expected = truth.categories[category]!;
      t.equal(models, expected.models);
      isNear(
        t,
        [mean, sd ?? 0, min, max],
        [expected.mean, expected.sd ?? 0, expected.min, expected.max],
        category,
      );
    }
  },
);

t.test('other shapes of the table: an original row, shares, and what comes from other files', async (t) => {
  const dir = t.testdir({
    'shares.csv': `model_id,layer,trial,pred_cos_sim,top1_acc
a,original,0,1,0.5
a,model.x,0,0.5,0.25
a,model.x,1,0.7,0.25
b,original,0,1,0.75
b,model.x,0,0.1,0.25
b,model.x,1,0.2,0.25
c,original,0,1,0.25
c,model.x,0,0.9,0.25
c,model.x,1,,0.25
`,
    'recovered.csv': `model_id,layer,trial,pred_cos_sim,top1_acc,recovered_acc
a,x,0,0.5,20,0.25
a,x,1,0.7,40,0.5
b,x,0,0.1,30,0.5
b,x,1,nan,0,0
`,
    'wrong.csv': 'model_id,layer,trial,pred_cos_sim\na,x,0,1.5\nb,x,0,1\n',
    'attributes.csv': 'model,category,budget,width\na,plain,0,1\nb,robust,2,\nc,robust,4,3\n',
    'accuracies.json': '{"a": 0.501, "b": 0.751}',
  });
  const at = (name: string) => `${dir}/${name}`;
  const found = await compareRuns([at('shares.csv')], { attributes: at('attributes.csv'), baseline: 'b' });
  t.match(found.models, [
    { model: 'a', category: 'plain', attributes: { top1: 50, budget: 0, width: 1 } },
    { model: 'b', category: 'robust', attributes: { top1: 75, budget: 2 } },
    { model: 'c', category: 'robust', attributes: { top1: 25, budget: 4, width: 3 } },
  ]);
  t.match(
    found.models.map(({ criticality }) => Math.round(criticality.random! * 1e6) / 1e6),
    [40, 85, 10],
  );
  t.equal(found.differences[0]!.layer, 'x', 'without the prefix that all have');
  t.strictSame(
    found.correlations.map(({ attribute, without, models }) => [attribute, without, models]),
    [
      ['top1', null, 3],
      ['budget', null, 3],
    ],
    'width is known of two models only',
  );
  const recovered = await compareRuns([at('recovered.csv')], { accuracies: at('accuracies.json') });
  t.match(recovered.models, [
    { attributes: { top1: 80, accuracy: 50.1 } },
    { attributes: { top1: 60, accuracy: 75.1 } },
  ]);
  await t.rejects(compareRuns([at('wrong.csv')]), {
    code: 'ERR_RUN',
    message: /wrong\.csv: pred_cos_sim "1\.5" is not in \[-1, 1\]/,
  });
});
