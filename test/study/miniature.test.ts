/** The shipped study: its models answer as PyTorch has them answer, and what its README says of them is so. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { readStudyResults } from '../../src/study/read-results.js';
import { readStudy } from '../../src/study/read-study.js';
import { runStudy } from '../../src/study/run-study.js';
import type { Study } from '../../src/study/study.js';
import { writeStudyResults } from '../../src/study/write-results.js';

const example = (name: string) => fileURLToPath(new URL(`../../examples/fashion/${name}`, import.meta.url));

/** Right answers of the 1,000 shipped images, counted by PyTorch with the weights in `methods/`. */
const RIGHT = {
  ...{ baseline: 924, recipe: 939, augmentation: 910, 'adversarial-4': 907, 'adversarial-10': 893 },
  ...{ 'adversarial-25': 864, contrastive: 836, rotation: 816, random: 509 },
};

/** What README says of three layers, in percentage points: the interval that it gives. */
const SAID = [
  { model: 'adversarial-4', layer: 'conv1', low: 4.9, high: 8.3 },
  { model: 'adversarial-25', layer: 'conv1', low: 10.3, high: 13.5 },
  { model: 'adversarial-25', layer: 'layer3.0.conv1', low: -24.9, high: -18.7 },
  { model: 'recipe', layer: 'layer1.0.conv1', low: -36.4, high: -28.8 },
];

t.test('the study in miniature', async (t) => {
  const out = `${t.testdir()}/nine`;
  const study = await readStudy(example('study.yaml'));
  t.equal(study.sweeps.length, 9);
  t.same(await runStudy(onSomeLayers(study), { out }), []);
  await writeStudyResults(out);
  const { models, differences } = await readStudyResults(out);
  t.same(Object.fromEntries(models.map(({ id, runs }) => [id, runs['held-out']?.top1])), percent(RIGHT));
  for (const { model, layer, low, high } of SAID) {
    const found = differences.find((row) => row.model === model && row.layer === layer)!;
    t.ok(found.low! <= high && found.high! >= low, `${model} ${layer}: ${found.low} to ${found.high}`);
    t.ok(
      Math.sign(found.low!) === Math.sign(low) && Math.sign(found.high!) === Math.sign(low),
      `${layer} is told apart`,
    );
  }
});

/** Those that README speaks of. */
function onSomeLayers(study: Study): Study {
  const layers = [...new Set(SAID.map(({ layer }) => layer))];
  const sweeps = study.sweeps.map((sweep) => ({
    ...sweep,
    words: { ...sweep.words, sweepChoices: { ...sweep.words.sweepChoices, layers } },
  }));
  return { ...study, sweeps };
}

const percent = (counts: Record<string, number>) =>
  Object.fromEntries(Object.entries(counts).map(([id, right]) => [id, right / 10]));

t.test("the tables of the example's README have PyTorch's counts", async (t) => {
  const readme = readFileSync(example('README.md'), 'utf8');
  for (const [id, right] of Object.entries(RIGHT)) {
    const name = id.replace('adversarial', '');
    const row = readme.split('\n').find((line) => line.includes(`\`${name}\``) && line.includes('epochs'));
    if (row) t.match(row, String(right), id);
  }
});
