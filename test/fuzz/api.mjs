// Calls the public API with seeded junk in the places of good values: node api.mjs SEED CALLS MODEL MODELS_DATA, in a
// folder of its own. Prints what came of it.
import { setTimeout } from 'node:timers/promises';
import * as api from '../../dist/index.js';

const critmap = { ...api };

const [seed, calls, modelPath, arrayPath] = process.argv.slice(2);
class FromTrap extends Error {}
const strange = [];
process.on('unhandledRejection', (error) => strange.push(`unhandled: ${error?.stack ?? error}`));
process.on('uncaughtException', (error) => strange.push(`uncaught: ${error?.stack ?? error}`));

let [returned, threw] = [0, 0];
process.on('exit', () =>
  console.log(JSON.stringify({ returned, threw, strange: [...new Set(strange)].slice(0, 12) })),
);

let state = Number(seed) >>> 0;
const random = () => {
  state = (state + 0x9e3779b9) >>> 0;
  let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
};
const pick = (list) => list[Math.floor(random() * list.length)];

const trap = () => {
  throw new FromTrap('trap');
};
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const detached = (array) => {
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
};
const shrunk = () => {
  const buffer = new ArrayBuffer(64, { maxByteLength: 256 });
  const array = new Float32Array(buffer, 16, 8);
  buffer.resize(pick([0, 17, 256]));
  return array;
};
const cyclic = () => {
  const self = { name: 'x' };
  return Object.assign(self, { self, list: [self] });
};
const junk = () =>
  pick([
    () =>
      pick([
        undefined,
        null,
        true,
        false,
        0,
        -0,
        1,
        -1,
        0.5,
        NaN,
        Infinity,
        -Infinity,
        2 ** 31,
        2 ** 53,
        1e308,
      ]),
    () =>
      pick([
        '',
        ' ',
        'x',
        '\0',
        'a\0b',
        '../..',
        'none.onnx',
        '/proc/self/mem',
        '/dev/zero',
        '[',
        '{a',
        '*',
        'ü\ud800',
      ]),
    () =>
      pick(['random', 'zero', 'constant=1e999', 'donor=', 'noise=-1', 'interpolate=x@y', 'folder', 'auto']),
    () => pick([1n, -1n, Symbol('s'), () => {}, async () => {}, trap, class X {}]),
    () => pick([[], [[]], [undefined], [null], ['fc1'], new Array(1000), Array(5).fill('*'), [NaN]]),
    () =>
      pick([
        {},
        cyclic(),
        Object.create(null),
        new Date(NaN),
        new Map(),
        new Set(['fc1']),
        /x/g,
        new Error('e'),
      ]),
    () =>
      pick([
        new Float32Array(0),
        new Float32Array(4),
        new Float64Array(12),
        new Uint8Array(7),
        Buffer.alloc(3),
      ]),
    () => new Float32Array(new SharedArrayBuffer(48)),
    () => detached(new Float32Array(12)),
    () => detached(new Int32Array(3)),
    shrunk,
    revoked,
    () => new Proxy({}, { get: trap }),
    () => new Proxy([], { get: trap, has: trap, ownKeys: trap }),
    () => new Proxy(function f() {}, { apply: trap, get: (_, key) => (key === 'then' ? undefined : trap) }),
    () => ({
      get seed() {
        return trap();
      },
      get length() {
        return trap();
      },
    }),
    () => ({ toString: trap, valueOf: trap, [Symbol.toPrimitive]: trap }),
    // biome-ignore lint/suspicious/noThenProperty: what looks like a promise is one of the things that misuse passes
    () => ({ then: trap }),
    () => AbortSignal.abort(new FromTrap('aborted')),
    () => ({ length: 2 ** 40, 0: 'x' }),
  ])();

/** A copy with junk in the place of one thing in it, at any depth. */
function spoilt(value, depth = 0) {
  const isPlain =
    Array.isArray(value) ||
    (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype);
  if (!isPlain || depth > 3 || (depth > 0 && random() < 0.4)) return junk();
  const keys = Object.keys(value);
  const copy = Array.isArray(value) ? [...value] : { ...value };
  if (keys.length === 0) return junk();
  const key = pick(keys);
  copy[key] = spoilt(value[key], depth + 1);
  return copy;
}

const model = await critmap.loadModel(modelPath);
const input = critmap.modelInput(model);
const images = await critmap.openImages('synthetic:8', { ...input, images: 8 });
const { summary } = await critmap.sweep(model, images, { trials: 1, layers: ['fc1'] });
const rule = { kind: 'zero' };
const sweepOptions = {
  ...{
    out: 'run',
    trials: 1,
    seed: 0,
    layers: ['fc1'],
    exclude: ['fc2'],
    init: 'auto',
    norm: 'keep',
    batch: 2,
  },
  ...{
    threads: 1,
    device: 'cpu',
    precision: 'fp32',
    engine: 'fast',
    confidence: 0.95,
    resets: [{ kind: 'zero', label: 'zero' }],
  },
  ...{ perImage: ['cosine'], perImageMean: true, perClass: false, onLogits: () => {} },
  ...{ onProgress: () => {}, onWarning: () => {}, signal: new AbortController().signal, imagesPerDraw: 4 },
};
const plan = { id: 'a', name: 'a', category: null, accuracy: null, attributes: {} };
const studyWords = {
  model: modelPath,
  data: 'synthetic:4',
  imageChoices: {},
  sweepChoices: { layers: ['fc1'] },
};
const study = {
  ...{
    name: 's',
    path: 'study.yaml',
    baseline: 'a',
    categories: [],
    models: [plan],
    images: [{ id: 'i', name: 'i' }],
  },
  sweeps: [{ model: plan, images: { id: 'i', name: 'i' }, place: 'a/i', words: studyWords }],
};
const good = {
  loadModel: [
    modelPath,
    {
      ...{ name: 'm', weights: ['none.pth'], allowPartial: false, input: 'x', output: 'y' },
      ...{ onFetch() {}, signal: new AbortController().signal, offline: true },
    },
  ],
  withWeights: [model, ['none.pth'], { allowPartial: true, name: 'm' }],
  buildModel: ['resnet18', { classes: 3, channels: 3, size: 32, name: 'm' }],
  openImages: [
    pick(['synthetic:8', arrayPath]),
    {
      ...input,
      images: 4,
      dataSeed: 0,
      labels: 'none',
      mean: [0, 0, 0],
      std: [1, 1, 1],
      resize: 8,
      crop: 8,
      cache: 'cache',
      skipBadImages: true,
    },
  ],
  modelInput: [model, 8],
  moduleCriticality: [
    model,
    images,
    {
      ...{ donor: model, alphas: [0, 1], sigmas: [0.1], criterion: 'agreement', threshold: 1 },
      ...{ layers: ['fc1'], trials: 1, seed: 0 },
    },
  ],
  predictors: [model, { images, donor: model, layers: ['fc1'], group: 'layer' }],
  resetWeights: [
    new Float32Array(12),
    { rule, layer: 'fc1', shape: [3, 4], seed: 0, draw: 0, trial: 0, init: 'auto' },
  ],
  compareLogits: [new Float32Array(12), new Float32Array(12), 3, new Int32Array(4)],
  openCard: [pick(['cuda', 'cuda:0', 'cuda:7'])],
  parseReset: ['zero'],
  parseSweepEvent: ['{"event":"warning","message":"m"}'],
  parseResets: [['zero', 'random'], model, { input: 'x', output: 'y' }],
  loadFresh: ['fresh-*.safetensors', model],
  readRun: ['run'],
  mergeRuns: [['run', 'run'], 'merged', { force: false, onWarning() {} }],
  compareRuns: [['run', 'results.csv'], { baseline: 'a', confidence: 0.9, exclude: ['b'] }],
  readStudy: ['study.yaml', { env: {} }],
  runStudy: [study, { out: 'study', force: false, atOnce: 1, command: ['study'], onEvent() {} }],
  mergeStudies: [['study', 'study'], 'merged-study', { force: false, onWarning() {} }],
  writeStudyResults: ['study'],
  readStudyResults: ['study'],
  pickLayers: [{ summary }, { below: 50, metric: 'criticality', reset: 'random' }],
  pickText: [
    critmap.pickLayers({ summary }, { below: 100 }),
    pick(['json', 'regex', 'torch', 'nncf', 'modelopt']),
  ],
  reportHtml: [[summary], { title: 't' }],
  renderFigures: [
    ['run'],
    {
      ...{ format: pick(['svg', 'pdf', 'png']), figures: ['profile-m'], profiles: ['m'], widthMm: 90 },
      ...{
        fontSize: 7,
        isDark: true,
        isTransparent: true,
        title: 't',
        reset: 'zero',
        baseline: 'm',
        exclude: ['b'],
      },
    },
  ],
  defaultCacheDirectory: [],
  architectures: [],
  sweep: [model, images, sweepOptions],
};
const missing = Object.keys(critmap).filter(
  (name) => /^[a-z]/.test(name) && typeof critmap[name] === 'function' && !good[name],
);
if (missing.length > 0) strange.push(`not called: ${missing}`);
const names = Object.keys(good).filter((name) => critmap[name]);
const dear = [
  'sweep',
  'moduleCriticality',
  'predictors',
  'buildModel',
  'reportHtml',
  'renderFigures',
  'runStudy',
];
const cheap = names.filter((name) => !dear.includes(name));

const isExpected = (error) =>
  error instanceof TypeError ||
  error instanceof RangeError ||
  error instanceof critmap.CritmapError ||
  error instanceof FromTrap;
for (let call = 0; call < Number(calls); call++) {
  const method = random() < 0.15 ? pick(['read', 'readPixels', 'fingerprint']) : null;
  const name = method ?? (random() < 0.1 ? pick(names) : pick(cheap));
  const places = method === null ? good[name] : [0, 2, new Float32Array(2 * 3 * 64 * 64), undefined];
  const args = random() < 0.1 ? Array.from({ length: 3 }, junk) : spoilt([...places]);
  try {
    const late = setTimeout(20_000, 'late', { ref: false });
    const made = method === null ? critmap[name](...args) : images[method](...args);
    const result = await Promise.race([made, late]);
    if (result === 'late') strange.push(`${name} does not end, call ${call}`);
    if (name === 'openImages') await result?.close?.();
    returned++;
  } catch (error) {
    threw++;
    if (!isExpected(error)) strange.push(`${name}, call ${call}: ${error?.stack ?? String(error)}`);
    else if (error instanceof critmap.CritmapError && /\n/.test(error.message))
      strange.push(`${name}: two lines`);
  }
}
await setTimeout(50);
process.exit(0);
