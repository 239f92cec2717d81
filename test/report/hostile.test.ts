/** Runs, studies and tables of others, in which any number and any word may stand: one line, or what can be shown of it. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { compareModels } from '../../src/compare/compare.js';
import type { ModelNumbers } from '../../src/compare/numbers.js';
import { buildModel, openImages, pickLayers, readRun, readStudyResults, sweep } from '../../src/index.js';
import { readPlan } from '../../src/run/study-plan.js';

const dir = t.testdir({ study: {} });
const images = await openImages('synthetic:4', { shape: { channels: 3, height: 32, width: 32 }, images: 4 });
const model = await buildModel('resnet18', { classes: 3, size: 32 });
await sweep(model, images, { layers: ['fc'], imagesPerDraw: 2, out: join(dir, 'run') });
await images.close();

/** A copy of the run whose summary has been changed. */
function changed(name: string, change: (summary: { options: object; layers: object[] }) => unknown): string {
  const place = join(dir, name);
  cpSync(join(dir, 'run'), place, { recursive: true });
  const path = join(place, 'summary.json');
  const summary = JSON.parse(readFileSync(path, 'utf8'));
  change(summary);
  writeFileSync(path, JSON.stringify(summary));
  return place;
}

t.test('numbers that no run has are refused in one line', async (t) => {
  const damaged = { code: 'ERR_RUN', message: /^[^\n]*is damaged[^\n]*$/ };
  for (const [what, change] of [
    ['no layers', (of) => (of.layers = [])],
    ['a part of a draw', (of) => Object.assign(of.layers[0]!, { draws: 0.5 })],
    ['more draws than there can be', (of) => Object.assign(of.layers[0]!, { draws: 1e308 })],
    ['less than no images', (of) => Object.assign(of.layers[0]!, { images: -1 })],
  ] as [string, Parameters<typeof changed>[1]][]) {
    await t.rejects(readRun(changed(what, change)), damaged, what);
  }
  const run = await readRun(changed('trials', (of) => Object.assign(of.options, { trials: 1e15 })));
  t.throws(() => run.matrix('criticality'), damaged, 'a matrix that no memory holds');
  t.doesNotThrow(() => pickLayers(run, { below: 50 }));
});

t.test('a study’s results that no memory holds are refused, and so are models of one name', async (t) => {
  const many = Array.from({ length: 2000 }, (_, i) => `n${i}`);
  const row = { reset: 'random', metric: 'criticality', mean: 1, low: null, high: null };
  const results = {
    ...{ version: 1, models: many.map((id) => ({ id })), imageSets: many.map((id) => ({ id })) },
    rows: many.map((id) => ({ ...row, model: id, imageSet: id, layer: id })),
  };
  writeFileSync(join(dir, 'study', 'study.json'), JSON.stringify(results));
  const study = await readStudyResults(join(dir, 'study'));
  t.throws(() => study.cube('criticality'), { code: 'ERR_STUDY', message: /2000 x 2000 x 2000 numbers/ });
  const entry = { id: 'a', name: 'a', category: null, accuracy: null, attributes: {} };
  const plan = {
    ...{
      version: 1,
      critmap: '0',
      name: 's',
      baseline: 'a',
      categories: [],
      shard: null,
      asked: {},
      tasks: [],
    },
    ...{ models: [entry], images: Array(5000).fill({ id: 'a', name: 'a' }), command: null },
  };
  writeFileSync(join(dir, 'study', 'study-plan.json'), JSON.stringify(plan));
  await t.rejects(readPlan(join(dir, 'study')), { code: 'ERR_STUDY', message: /is damaged/ });
});

t.test('a hundred thousand layers are compared in seconds', async (t) => {
  const of = (id: string): ModelNumbers => ({
    ...{ id, source: id, category: null, attributes: {}, notes: [] },
    shared: { images: null, design: null, draws: null },
    layers: Array.from({ length: 100_000 }, (_, i) => ({
      ...{ layer: `l${i}`, reset: 'random', mean: 1, isDestroyed: false },
      numbers: { kind: 'draws', values: [1] },
    })),
  });
  const began = process.cpuUsage();
  t.equal(compareModels([of('a'), of('b')]).differences.length, 100_000);
  const { user } = process.cpuUsage(began);
  t.ok(user < 20e6, `${user / 1e6} s`);
});
