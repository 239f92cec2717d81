/**
 * Module criticality against PyTorch (`oracle/make_module_criticality_golden.py`, which sees the same noise), on both
 * engines; its files; and what is refused.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openImages } from '../../src/images/index.js';
import { type ModuleCriticalityOptions, moduleCriticality } from '../../src/measures/module-criticality.js';
import type { Criterion } from '../../src/measures/options.js';
import { gridPoint, moduleMinimum, networkSum } from '../../src/measures/valley.js';
import { modelInput } from '../../src/model/input.js';
import { loadModel } from '../../src/model/load.js';
import { example, fixture } from '../fixtures.js';

type Losses = Record<Criterion, number>;
interface Golden {
  draws: number;
  images: number;
  alphas: number[];
  sigmas: number[];
  thresholds: Losses;
  untouched: Losses;
  modules: Record<
    string,
    { distance: number; points: ({ value: number } & Losses)[]; least: Record<Criterion, number | null> }
  >;
}
const golden: Golden = JSON.parse(readFileSync(fixture('module-criticality.json'), 'utf8'));

const model = await loadModel(example('resnet.onnx'));
const donor = await loadModel(example('resnet-init.onnx'));

async function measure(options: Partial<ModuleCriticalityOptions>, labels: 'none' | undefined = undefined) {
  const images = await openImages(example('images.npz'), {
    ...modelInput(model),
    images: golden.images,
    ...(labels && { labels }),
  });
  try {
    const { alphas, sigmas, draws } = golden;
    const layers = Object.keys(golden.modules);
    return await moduleCriticality(model, images, {
      ...{ donor, alphas, sigmas, layers, trials: draws },
      ...options,
    });
  } finally {
    await images.close();
  }
}

/** Sums of floats in another order. */
const near = (found: number, wanted: number, what: string) =>
  t.ok(Math.abs(found - wanted) <= 1e-4 * Math.max(1, Math.abs(wanted)), `${what}: ${found}, not ${wanted}`);

for (const [criterion, engine] of [
  ['error', 'fast'],
  ['loss', 'fast'],
  ['agreement', 'reference'],
] as const) {
  t.test(`PyTorch gives the same minimum by ${criterion}, on the ${engine} engine`, async (t) => {
    // The reference engine makes a session for every draw of every point.
    const layers = engine === 'fast' ? Object.keys(golden.modules) : ['fc'];
    const found = await measure({ criterion, engine, layers, threshold: golden.thresholds[criterion] });
    near(found.untouched, criterion === 'agreement' ? 0 : golden.untouched[criterion], 'untouched');
    t.equal(found.draws, golden.draws);
    t.same(found.modules.map(({ module }) => module).sort(), [...layers].sort());
    let sum: number | null = 0;
    for (const { module, distance, points, value } of found.modules) {
      const wanted = golden.modules[module]!;
      near(distance, wanted.distance, `${module} distance`);
      for (const [i, point] of wanted.points.entries()) {
        const what = `${module} at ${points[i]!.alpha}, ${points[i]!.sigma}`;
        near(points[i]!.loss!, point[criterion], what);
        near(points[i]!.value, point.value, what);
      }
      const least = wanted.least[criterion];
      t.equal(value === null, least === null, module);
      if (least !== null) near(value!, least, module);
      sum = sum === null || least === null ? null : sum + least;
    }
    if (sum === null) t.equal(found.sum, null);
    else near(found.sum!, sum, 'sum');
  });
}

t.test('its files hold the same, and the same call goes on with them', async (t) => {
  const out = join(t.testdir({}), 'run');
  const options = {
    out,
    layers: ['fc'],
    alphas: [0, 1],
    sigmas: [0.02],
    group: 'layer',
    parts: 'weight',
  } as const;
  const found = await measure(options);
  t.same(JSON.parse(readFileSync(join(out, 'module-criticality.json'), 'utf8')), found);
  const [{ parameters, distance, alpha, sigma, loss, value }] = found.modules as [(typeof found.modules)[0]];
  t.equal(parameters, 480, 'weights alone');
  t.equal(
    readFileSync(join(out, 'module-criticality.csv'), 'utf8'),
    `model,module,parameters,distance,alpha,sigma,loss,module_criticality\nresnet,fc,480,${distance},${alpha ?? ''},${sigma ?? ''},${loss ?? ''},${value ?? ''}\n`,
  );
  const lines = readFileSync(join(out, 'module-criticality-grid.csv'), 'utf8').trim().split('\n');
  t.equal(lines[0], 'model,module,alpha,sigma,loss,fits,value');
  t.equal(lines.length, 3);
  t.same(await measure(options), found);
  await t.rejects(measure({ ...options, alphas: [0.5] }), { code: 'ERR_RUN' }, 'another grid is another run');
});

t.test('layers of a group are one module', async (t) => {
  const layers = ['layer3.2.conv1', 'layer3.2.conv2'];
  const shared = { alphas: [1], sigmas: [0.001], threshold: 100 };
  const one = await measure({ ...shared, layers, group: 'block' });
  const each = await measure({ ...shared, layers });
  t.same(one.modules[0]!.members, layers);
  const square = each.modules.reduce((sum, { distance }) => sum + distance ** 2, 0);
  near(one.modules[0]!.distance, Math.sqrt(square), 'distances add up by their squares');
  near(one.modules[0]!.value!, square / 0.001 ** 2, 'value');
});

t.test('of points that fit the least counts, of equal ones the widest', async (t) => {
  const point = (alpha: number, sigma: number, loss: number | null) =>
    gridPoint({ alpha, sigma, loss }, 3, 10);
  t.same(point(0.5, 0.1, 10), { alpha: 0.5, sigma: 0.1, value: 225, loss: 10, fits: true });
  t.equal(point(0.5, 0.1, 10.1).fits, false);
  t.equal(point(0.5, 0.1, null).fits, false, 'no finite loss');
  const points = [point(0, 0.1, 9), point(0, 0.2, 9), point(0, 0.5, 11), point(1, 0.5, 9)];
  t.match(moduleMinimum(points), { value: 0, alpha: 0, sigma: 0.2, loss: 9 });
  t.match(moduleMinimum([point(1, 1, 12)]), { value: null, alpha: null });
  t.equal(networkSum([1, 2.5]), 3.5);
  t.equal(networkSum([1, null]), null);
});

t.test('what cannot be measured is refused in one line', async (t) => {
  const refused = (options: Partial<ModuleCriticalityOptions>, code: string, message: RegExp) =>
    t.rejects(measure(options), { code, message });
  await refused({ alphas: [0, 1.5] }, 'ERR_OPTION', /alphas must be a list of different numbers from 0 to 1/);
  await refused({ sigmas: [0] }, 'ERR_OPTION', /sigmas must be a list of different numbers above 0/);
  await refused({ sigmas: [0.1, 0.1] }, 'ERR_OPTION', /different numbers/);
  await refused({ threshold: -1 }, 'ERR_OPTION', /threshold must be a number from 0 to 100/);
  await refused(
    { criterion: 'margin' as never },
    'ERR_OPTION',
    /criterion must be one of error, loss, agreement/,
  );
  await refused(
    { donor: await loadModel(fixture('vit.onnx')) },
    'ERR_RESET',
    /vit\.onnx does not fit conv1: it has no weight of that layer; it must be the same architecture/,
  );
  await t.rejects(measure({ criterion: 'loss' }, 'none'), {
    code: 'ERR_OPTION',
    message:
      '--criterion loss needs labels, which --labels none leaves out; do without that, or take --criterion agreement',
  });
  await t.rejects(measure({ resets: [] } as never), { name: 'TypeError', message: /has no option "resets"/ });
  await t.rejects(measure({ donor: undefined as never }), { name: 'TypeError', message: /takes a model/ });
  await refused(
    { layers: ['layer3.2.conv1', 'layer3.2.conv2', 'fc'], group: 'pairs' },
    'ERR_OPTION',
    /--group pairs has "layer3\.2\.conv1" in several modules, .*a --group that has each layer in one, such as block/,
  );
  await refused({ group: 'cumulative-from-output' }, 'ERR_OPTION', /"fc" in several modules/);
  const unlabelled = await measure({ layers: ['fc'], alphas: [1], sigmas: [0.001] }, 'none');
  t.equal(unlabelled.criterion, 'agreement');
});
