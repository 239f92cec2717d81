import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { compareRuns } from '../../src/compare/compare-runs.js';

const reference = (name: string) =>
  fileURLToPath(new URL(`../../../shared/reference/${name}`, import.meta.url));
const results = reference('results.csv');
const skip = existsSync(results) ? false : 'the published results are not beside the repository';

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
  },
);
