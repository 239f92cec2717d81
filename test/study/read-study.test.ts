/** A study's file: what it may say, and where it is told to be wrong. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { readStudy } from '../../src/study/read-study.js';
import { studySchemaText } from '../../src/study/schema.js';
import { shardTasks, wholeTasks } from '../../src/study/tasks.js';

const dir = t.testdir({
  zoo: { 'b.onnx': '', 'a b.onnx': '', 'c.txt': '' },
  ckpt: { 'x-2.pth': '', 'x-1.pth': '' },
});
let count = 0;
const read = (text: string, env = {}) => {
  const path = join(dir, `${count++}.yaml`);
  writeFileSync(path, text);
  return readStudy(path, { env });
};
const at = (path: string) => join(dir, path);

t.test('models count more than images, images more than defaults', async (t) => {
  const study = await read(
    `
defaults: &usual { images: 100, seed: 3, arch: resnet18, weights: usual.pth, rename: a=b, mean: [0.5, 0.5, 0.5], std: [1, 1, 1] }
data:
  clean: \${IMAGES}/clean
  far: { path: '\${FAR:-other}/x-{0..3}.tar', seed: 4, labels: far.csv }
models:
  - { id: one, seed: 5, tolerance: 2, reset: [random, 'donor=ckpt/x-1.pth#ema'] }
  - { id: two, name: The second, category: k, accuracy: 71.5, weights: ['ckpt/x-*.pth', /abs.pth], attributes: { budget: 3, norm: l2 } }
  - { id: own, model: m.onnx, init: 'layer*=zero' }
  - zoo/*.onnx
`,
    { IMAGES: '/data' },
  );
  t.equal(study.sweeps.length, 10);
  const words = (place: string) => study.sweeps.find((sweep) => sweep.place === place)!.words;
  t.strictSame(words('one/clean'), {
    arch: 'resnet18',
    name: 'one',
    weights: [at('usual.pth')],
    rename: ['a=b'],
    data: '/data/clean',
    imageChoices: { images: 100, mean: [0.5, 0.5, 0.5], std: [1, 1, 1] },
    sweepChoices: { seed: 5, tolerance: 2 },
    resets: ['random', `donor=${at('ckpt/x-1.pth#ema')}`],
  });
  t.match(words('two/far'), {
    weights: [at('ckpt/x-1.pth'), at('ckpt/x-2.pth'), '/abs.pth'],
    data: at('other/x-{0..3}.tar'),
    imageChoices: { labels: at('far.csv') },
    sweepChoices: { seed: 4 },
  });
  const own = words('own/clean');
  t.match(own, { model: at('m.onnx'), sweepChoices: { init: 'layer*=zero', seed: 3 }, rename: ['a=b'] });
  t.notOk('arch' in own || 'weights' in own, 'a model of its own has not the usual weights');
  t.strictSame(
    study.models.map(({ id }) => id),
    ['one', 'two', 'own', 'a_b', 'b'],
  );
  t.equal(words('a_b/clean').model, at('zoo/a b.onnx'));
  t.match(study.models[1], { name: 'The second', accuracy: 71.5, attributes: { budget: 3, norm: 'l2' } });
  t.equal(study.baseline, 'one');
  t.strictSame(study.categories, [{ name: 'k', color: null }]);
});

t.test('hashes of what is fetched', async (t) => {
  const [a, b] = ['a', 'B'].map((digit) => digit.repeat(64));
  const study = await read(`
data: i.npz
models:
  - { id: one, arch: resnet18, weights: ['https://host/x.pth#ema', https://host/y.pth], sha256: [${a}, ${b}] }
  - { id: two, model: 'https://host/m.onnx', sha256: ${a} }
`);
  t.strictSame(study.sweeps[0]!.words.weights, [
    `https://host/x.pth#sha256=${a}#ema`,
    `https://host/y.pth#sha256=${'b'.repeat(64)}`,
  ]);
  t.equal(study.sweeps[1]!.words.model, `https://host/m.onnx#sha256=${a}`);
  await t.rejects(read(`data: i\nmodels: [{ id: x, model: m.onnx, sha256: ${a} }]`), {
    code: 'ERR_STUDY',
    message: /2:10: .*sha256 has 1 for 1 files; give one for each https: address/,
  });
});

t.test('JSON is YAML, and paths of one set of images need no name', async (t) => {
  const study = await read('{"data": "i.npz", "models": ["/m.onnx"], "baseline": "m"}');
  t.match(study.sweeps, [{ place: 'm/images', words: { model: '/m.onnx', data: at('i.npz') } }]);
});

t.test('everything that is wrong is named, with line and column', async (t) => {
  const cases: [text: string, message: RegExp][] = [
    ['data: a\nmodels: [b.onnx]\ncolour: 1', /\d+\.yaml:3:1: the study has no "colour"/],
    [
      'data: a\nmodels:\n  - { id: x, model: b, imagesPerDrwa: 8 }',
      /3:24: models\[0\] has no "imagesPerDrwa"; did you mean imagesPerDraw\?/,
    ],
    [
      'data: a\nmodels:\n  - { id: x, model: b, accuracy: 101 }',
      /3:34: models\[0\]\.accuracy must be at most 100, got "101"/,
    ],
    [
      'data: a\nmodels:\n  - { id: x, model: b, tolerance: no }',
      /3:35: models\[0\]\.tolerance must be a number from 0\.1 to 50, got "no"/,
    ],
    ['data: { clean: { labels: none } }\nmodels: [b.onnx]', /1:16: data\.clean\.path is missing/],
    ['data: a\nmodels: []', /2:9: models must be at least 1 long/],
    ['data: a\nmodels: [b.onnx]\nbaseline: c', /3:11: baseline is the id of no model: c/],
    [
      'data: a\nmodels:\n  - { id: x, model: b }\n  - { id: X, model: c }',
      /4:5: models\[1\] is a second model called X/,
    ],
    [
      'data: a\nmodels:\n  - { id: ../x, model: b }',
      /3:11: models\[0\]\.id must be a name that a folder can have/,
    ],
    ['data: a\nmodels:\n  - { model: zoo/*.pt }', /3:5: models\[0\] matches no file: zoo\/\*\.pt/],
    ['data: a\nmodels:\n  - { arch: resnet18 }', /3:5: models\[0\] has no id/],
    [
      'data: a\nmodels: [{ id: x, model: b, category: k }]\ncategories: [m]',
      /2:39: models\[0\]\.category is not among the study's categories: k/,
    ],
    [
      'data: a\nmodels: [{ id: x, model: b, attributes: { layer: 1 } }]',
      /2:41: models\[0\]\.attributes has a name/,
    ],
    [`data: a\nmodels: [{ id: x, model: "\${NO}/b" }]`, /2:26: the environment variable NO is not set/],
    [
      'data: a\nmodels: [{ id: x, model: b, images: 5, maxImages: 6, tolerance: 1 }]',
      /2:10: models\[0\] \(x\): both --images and --max-images are given/,
    ],
    ['data: a\n  b: c: d', /2:\d+: .*[Nn]ested mappings/],
    ['data: a\ndata: b\nmodels: [c]', /2:1: this key is there already/],
    [
      'data: 7\nmodels: [{ id: 1, model: b, seed: -1 }, [c]]',
      /1:7: data must be a path or an object, got "7"; .*2:16: models\[0\]\.id .*2:35: models\[0\]\.seed must be a whole number from 0.*2:41: models\[1\]/,
    ],
    [
      'defaults: { reset: skipp, group: "(" }\ndata: { a: { path: b, reset: [zero, "prune=0.1,2"] } }\nmodels: [{ id: x, modle: c, reset: "noise=" }]',
      /1:34: defaults\.group "\(" is neither .* nor a regular expression.*1:20: defaults\.reset skipp: there is no such reset; .*2:37: data\.a\.reset\[1\] prune=2: FRACTION must be .*models\[0\]\.reset noise=: SIGMA must be .*models\[0\] has no "modle"/,
    ],
    ['', /it is empty; a study needs/],
  ];
  for (const [text, message] of cases) await t.rejects(read(text), { code: 'ERR_STUDY', message }, text);
  await t.rejects(readStudy(at('none.yaml')), { code: 'ERR_STUDY', message: /none\.yaml does not exist/ });
  await t.rejects(readStudy(at('zoo')), { code: 'ERR_STUDY', message: /zoo is a folder/ });
  await t.rejects(readStudy(7 as never), TypeError);
  const bomb = `a: &a [x, x]\n${'bcdefghijklmnop'
    .split('')
    .map((name, i) => `${name}: &${name} [*${'abcdefghijklmnop'[i]}, *${'abcdefghijklmnop'[i]}]`)
    .join('\n')}`;
  await t.rejects(read(bomb), { code: 'ERR_STUDY' });
});

t.test('the schema that is shipped is that of the code', async (t) => {
  const shipped = fileURLToPath(new URL('../../docs/study.schema.json', import.meta.url));
  t.equal(readFileSync(shipped, 'utf8'), studySchemaText(), 'node scripts/study-schema.mjs');
});

t.test('the published study is there as a file', async (t) => {
  const path = fileURLToPath(new URL('../../examples/published-study/study.yaml', import.meta.url));
  const study = await readStudy(path, { env: {} });
  t.equal(study.models.length, 50);
  const counts = study.categories.map(({ name }) => study.models.filter((m) => m.category === name).length);
  t.strictSame(counts, [1, 10, 18, 15, 6]);
  const reference = new URL('../../../shared/reference/accuracies.json', import.meta.url);
  if (!existsSync(reference)) return t.pass('the reference is not here', { skip: true });
  const accuracies = JSON.parse(readFileSync(reference, 'utf8'));
  t.strictSame(Object.fromEntries(study.models.map(({ id, accuracy }) => [id, accuracy])), accuracies);
});

t.test('shards take all tasks once, and evenly', async (t) => {
  const study = await read(
    `data: { a: x, b: y }\nmodels: [${Array.from({ length: 25 }, (_, i) => `m${i}.onnx`)}]`,
  );
  t.equal(wholeTasks(study.sweeps).length, 50);
  for (const shards of [1, 2, 7, 40, 64, 256]) {
    const costs = study.sweeps.map((_, i) => 1 + (i % 3));
    const tasks = shardTasks(study.sweeps, costs, shards);
    t.equal(tasks.length, shards);
    const total = costs.reduce((sum, cost) => sum + cost, 0);
    const loads = tasks.map((own) =>
      own.reduce((sum, { sweep, part }) => sum + costs[study.sweeps.indexOf(sweep)]! / (part?.of ?? 1), 0),
    );
    t.ok(Math.abs(loads.reduce((sum, load) => sum + load, 0) - total) < 1e-9);
    t.ok(Math.max(...loads) * shards < 1.35 * total, `${shards}: ${(Math.max(...loads) * shards) / total}`);
    const places = tasks.flat().map(({ place }) => place);
    t.equal(new Set(places).size, places.length);
  }
});

t.test('a file that is an attack ends in one line, soon', async (t) => {
  const folder = t.testdir({});
  const lines = (count: number, line: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => line(i)).join('\n');
  const models = (count: number) => `models:\n${lines(count, (i) => `  - { id: m${i}, arch: resnet18 }`)}\n`;
  const sets = (count: number) => `data:\n${lines(count, (i) => `  d${i}: synthetic:4`)}\n`;
  for (const [what, text, message] of [
    [
      'aliases of aliases',
      `a: &a [${'x,'.repeat(9)}]\n${lines(8, (i) => `b${i}: &${'bcdefghi'[i]} [${`*${'abcdefgh'[i]},`.repeat(9)}]`)}\ndata: *i\nmodels: [m]`,
      /Excessive alias count/,
    ],
    ['deep lists', `data: ${'['.repeat(20_000)}\nmodels: [m]`, /1:\d+: it is nested too deeply/],
    [
      'more sweeps than one directory has',
      models(400) + sets(400),
      /models are 400 models on 400 sets of images; a study has at most 100000/,
    ],
    ['equal keys', `${sets(1)}${sets(1)}${models(1)}`, /3:1: this key is there already/],
    ['names that lead elsewhere', `data: {../a: synthetic:4}\n${models(1)}`, /keyed by names of letters/],
  ] as const) {
    const path = join(folder, 'attack.yaml');
    writeFileSync(path, text);
    await t.rejects(readStudy(path), { code: 'ERR_STUDY', message }, what);
  }
  const path = join(folder, 'many.yaml');
  writeFileSync(path, models(1) + sets(40_000));
  const began = process.cpuUsage();
  t.equal((await readStudy(path)).sweeps.length, 40_000);
  const { user } = process.cpuUsage(began);
  t.ok(user < 15e6, `${user / 1e6} s`);
});

t.test('an unknown key hides nothing else that is wrong, and an empty file is said to be', async (t) => {
  const text = `
data: photos
defaults: { imges: 10 }
categories: [plain]
models: [{ id: one, model: one.onnx, category: plane }]
`;
  await t.rejects(read(text), { code: 'ERR_STUDY', message: /3:\d+: .*imges.*5:\d+: .*categories: plane/ });
  await t.rejects(read('\n'), { code: 'ERR_STUDY', message: /it is empty; a study needs at least data/ });
});
