/** What TypeScript would have refused is refused by name, in every function that a script has, before anything is done. */
import t from 'tap';
import * as critmap from '../../src/index.js';
import { example } from '../fixtures.js';

const model = await critmap.loadModel(example('resnet.onnx'));
const shape = critmap.modelInput(model).shape;
const images = await critmap.openImages('synthetic:4', { shape });
t.teardown(() => images.close());
const study = { sweeps: [] } as never;
const sweep = (options: unknown) => critmap.sweep(model, images, options as never);
const open = (options: unknown) => critmap.openImages('synthetic:4', options as never);

const refused: [name: string, call: () => unknown, message: RegExp][] = [
  ['sweep, null', () => sweep(null), /^the options of sweep must be an object$/],
  [
    'sweep, trails',
    () => sweep({ trails: 3 }),
    /^sweep has no option "trails"; did you mean trials\? It has layers, /,
  ],
  ['sweep, reset', () => sweep({ reset: 'zero' }), /^sweep has no option "reset"; did you mean resets\?/],
  ['sweep, onProgress', () => sweep({ onProgress: 5 }), /^onProgress must be a function$/],
  ['sweep, onWarning', () => sweep({ onWarning: 5 }), /^onWarning must be a function$/],
  ['sweep, onLogits', () => sweep({ onLogits: {} }), /^onLogits must be a function$/],
  ['sweep, signal', () => sweep({ signal: 5 }), /^signal must be an AbortSignal$/],
  ['sweep, force', () => sweep({ force: 'yes' }), /^force must be true or false$/],
  ['sweep, out', () => sweep({ out: 5 }), /^out must be a path$/],
  ['sweep, shard', () => sweep({ shard: null }), /^shard must be \{ index, of \}$/],
  ['openImages, nothing', () => open(undefined), /^the options of openImages must be an object$/],
  [
    'openImages, no shape',
    () => open({ images: 5 }),
    /^shape must be \{ channels, height, width \}; modelInput/,
  ],
  [
    'openImages, image',
    () => open({ shape, image: 5 }),
    /^openImages has no option "image"; did you mean images\?/,
  ],
  ['openImages, onProgress', () => open({ shape, onProgress: 5 }), /^onProgress must be a function$/],
  [
    'loadModel, nothing',
    () => critmap.loadModel(undefined as never),
    /^loadModel takes the path or the address/,
  ],
  [
    'loadModel, outputs',
    () => critmap.loadModel('x', { outputs: 'y' } as never),
    /no option "outputs"; did you mean output\?/,
  ],
  ['withWeights', () => critmap.withWeights(model, 'x.pth' as never), /^withWeights takes a model/],
  [
    'buildModel',
    () => critmap.buildModel('resnet18', { clases: 3 } as never),
    /"clases"; did you mean classes\?/,
  ],
  ['readRun', () => critmap.readRun(undefined as never), /^the directory must be a path$/],
  [
    'readStudy',
    () => critmap.readStudy('s.yaml', { environment: {} } as never),
    /^readStudy has no option "environment"; it has env$/,
  ],
  [
    'runStudy',
    () => critmap.runStudy(study, { out: 'o', onevent() {} } as never),
    /"onevent"; did you mean onEvent\?/,
  ],
  ['runStudy, signal', () => critmap.runStudy(study, { out: 'o', signal: 5 } as never), /^signal must be/],
  ['compareRuns, text', () => critmap.compareRuns('st' as never), /^sources must be a list of paths$/],
  [
    'compareRuns',
    () => critmap.compareRuns(['a'], { base: 'b' } as never),
    /^compareRuns has no option "base"/,
  ],
  [
    'renderFigures',
    () => critmap.renderFigures(['a'], { figure: ['map'] } as never),
    /"figure"; did you mean figures\?/,
  ],
  [
    'mergeRuns',
    () => critmap.mergeRuns(['a'], 'b', { onWarning: 5 } as never),
    /^onWarning must be a function$/,
  ],
  ['mergeRuns, text', () => critmap.mergeRuns('ab' as never, 'b'), /^mergeRuns takes a list of directories/],
  [
    'mergeStudies',
    () => critmap.mergeStudies(['a'], 'b', { forced: true } as never),
    /"forced"; did you mean force\?/,
  ],
  [
    'pickLayers',
    () => critmap.pickLayers({ summary: { layers: [] } } as never, { belo: 5 } as never),
    /did you mean below\?/,
  ],
  [
    'reportHtml',
    () => critmap.reportHtml([], { heading: 't' } as never),
    /^reportHtml has no option "heading"/,
  ],
  ['parseResets', () => critmap.parseResets(['zero'], model, { signal: 5 } as never), /^signal must be/],
  [
    'loadFresh',
    () => critmap.loadFresh(['x'], model, { inputs: 'x' } as never),
    /"inputs"; did you mean input\?/,
  ],
  [
    'resetWeights',
    () => critmap.resetWeights([1, 2] as never, { shape: [2] }),
    /^weights must be a Float32Array or a buffer of a card$/,
  ],
  [
    'resetWeights, seeds',
    () => critmap.resetWeights(new Float32Array(2), { shape: [2], seeds: 1 } as never),
    /did you mean seed\?/,
  ],
  [
    'predictors',
    () => critmap.predictors(model, { donors: model } as never),
    /"donors"; did you mean donor\?/,
  ],
  [
    'moduleCriticality',
    () => critmap.moduleCriticality(model, images, { donor: model, onProgress: 5 } as never),
    /^onProgress must be a function$/,
  ],
];
for (const [name, call, message] of refused) {
  t.test(`${name} is a TypeError that names what is wrong`, async (t) => {
    await t.rejects(async () => call(), { name: 'TypeError', message });
  });
}

t.test('counts beyond what the engine and memory hold are refused in one line', async (t) => {
  const beyond = (options: critmap.SweepOptions, message: string | RegExp) =>
    t.rejects(sweep(options), { code: 'ERR_OPTION', message });
  await beyond({ trials: 10_001 }, 'trials must be a whole number from 1 to 10000, got 10001');
  await beyond({ threads: 1025 }, 'threads must be a whole number from 1 to 1024, got 1025');
  const resets = Array.from({ length: 200 }, (_, i) => ({ kind: 'random', label: `r${i}` }) as const);
  await beyond(
    { trials: 10_000, resets },
    /are \d+ cells, more than the 1000000 that a sweep holds; take fewer/,
  );
});

t.test('what listeners throw loses nothing: the sweep goes on, and rejects with it at its end', async (t) => {
  const out = `${t.testdir({})}/run`;
  const boom = new Error('boom');
  const asked = { layers: ['fc'], trials: 300, imagesPerDraw: 4, seed: 1, threads: 1, out } as const;
  let calls = 0;
  const onProgress = () => {
    calls++;
    throw boom;
  };
  await t.rejects(sweep({ ...asked, onProgress }), boom);
  t.ok(calls > 0);
  const run = await critmap.readRun(out);
  t.equal(run.info.status, 'done');
  const late = async () => {
    throw boom;
  };
  await t.rejects(sweep({ ...asked, out: `${out}2`, onProgress: late }), boom, 'also of one that is async');
  t.strictSame((await critmap.readRun(`${out}2`)).summary, run.summary);
  t.throws(() => run.matrix('crit' as never), {
    name: 'RangeError',
    message: /^a run has no metric "crit"; it has criticality, agreement, cosine, .*change$/,
  });
  t.equal(run.matrix('change').shape[0], 1);
});

t.test('a second sweep of the process into one directory is refused as what it is', async (t) => {
  const out = `${t.testdir({})}/run`;
  const both = await Promise.allSettled([1, 2].map(() => sweep({ layers: ['fc'], imagesPerDraw: 4, out })));
  const failed = both.find((one) => one.status === 'rejected');
  t.equal(both.filter(({ status }) => status === 'fulfilled').length, 1);
  t.match(failed?.reason, {
    code: 'ERR_RUN',
    message: `${out} is already in use by this process; wait until it is done there, or choose another directory`,
  });
});

t.test('a figure that the data do not have is refused', async (t) => {
  const out = `${t.testdir({})}/run`;
  await sweep({ layers: ['fc'], imagesPerDraw: 4, out });
  await t.rejects(critmap.renderFigures([out], { figures: ['mapp'] }), {
    code: 'ERR_OPTION',
    message: /^there is no figure "mapp" of these data; there is map, /,
  });
});
