/** What a study keeps safe: one writer, the work of one whose onlooker fails, and people from what cannot work. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkOf } from '../../src/commands/study-check.js';
import { StudyProgress } from '../../src/commands/study-progress.js';
import { mergeStudies } from '../../src/study/merge-study.js';
import { inStudyWords } from '../../src/study/option-words.js';
import { readStudy } from '../../src/study/read-study.js';
import { failedWords, runStudy, type StudyEvent } from '../../src/study/run-study.js';
import { critmap } from '../commands/critmap.js';
import { example, fixture } from '../fixtures.js';

const dir = t.testdir({});
const at = (...names: string[]) => join(dir, ...names);
const FILE = `
defaults: { images: 16, layers: fc }
data: { a: ${example('images.npz')} }
models:
  - { id: one, model: ${example('resnet.onnx')} }
  - { id: two, model: ${example('resnet-init.onnx')} }
`;
const asked = (name: string, text = FILE) => {
  writeFileSync(at(name), text);
  return readStudy(at(name));
};
const study = await asked('study.yaml');

t.test('two do not write to one directory', async (t) => {
  const out = at('locked');
  const changed = await asked('study.yaml', FILE.replace('images: 16', 'images: 8'));
  const inUse = { code: 'ERR_RUN', message: /locked is already in use by this process/ };
  let others: Promise<unknown>[] = [];
  const events: string[] = [];
  const onEvent = ({ type }: StudyEvent) => {
    events.push(type);
    if (type !== 'started' || others.length > 0) return;
    others = [t.rejects(runStudy(changed, { out }), inUse), t.rejects(mergeStudies([out], out), inUse)];
  };
  t.strictSame(await runStudy(study, { out, onEvent }), []);
  t.equal(others.length, 2);
  await Promise.all(others);
  t.notOk(readdirSync(out).includes('lock'));
  t.equal(events.filter((type) => type === 'done').length, 2);
});

t.test('what a killed process left is no file of others', async (t) => {
  const out = at('left');
  mkdirSync(out);
  writeFileSync(join(out, 'lock'), '{"pid":1073741824,"host":"gone"}');
  writeFileSync(join(out, `critmap-${'0'.repeat(12)}.tmp`), '{');
  await t.rejects(runStudy(study, { out }), { code: 'ERR_RUN', message: /in use by .* on gone/ });
  writeFileSync(join(out, 'lock'), '');
  const small = { ...study, sweeps: study.sweeps.slice(0, 1) };
  t.strictSame(await runStudy(small, { out }), []);
  t.notOk(readdirSync(out).some((name) => name.endsWith('.tmp')));
});

t.test('whoever looks on and throws loses no sweep, and is told', async (t) => {
  const out = at('thrown');
  let told = 0;
  const onEvent = () => {
    throw new Error(`of onEvent ${++told}`);
  };
  await t.rejects(runStudy(study, { out, onEvent }), { message: 'of onEvent 1' });
  t.ok(told > 6);
  const again: string[] = [];
  const failures = await runStudy(study, { out, onEvent: ({ type }) => again.push(type) });
  t.strictSame([failures, again], [[], ['skipped', 'skipped']], 'everything is there');
});

t.test('--check fails where something is missing or does not fit, and only there', async (t) => {
  const check = async (text: string) => {
    await asked('check.yaml', text);
    return critmap('study', at('check.yaml'), '--check');
  };
  const whole = await check(FILE);
  t.strictSame([whole.code, whole.stderr], [0, '']);
  for (const [what, from, to, message] of [
    ['a model', 'resnet-init.onnx', 'none.onnx', /lacks what it needs: two: missing: .*none\.onnx/],
    ['images', 'images.npz', 'none.npz', /lacks what it needs: a: .*none\.npz/],
    [
      'a damaged model',
      example('resnet-init.onnx'),
      example('images.npz'),
      /two: cannot be opened: .*images\.npz/,
    ],
    // Of three channels, as the second model's images are not.
    [
      'images for the second model',
      example('resnet-init.onnx'),
      fixture('bottleneck.onnx'),
      /a: two: .*images\.npz/,
    ],
  ] as const) {
    const { code, stderr, stdout } = await check(FILE.replace(from, to));
    t.equal(code, 1, what);
    t.match(stderr, message);
    t.match(stdout, /2 models, 1 set of images/);
  }
});

t.test('--check opens checkpoints and donors, and names those that a sweep could not use', async (t) => {
  const weights = (name: string) => example(join('methods', `${name}.safetensors`));
  writeFileSync(at('cut.safetensors'), readFileSync(weights('baseline')).subarray(0, 1000));
  const check = async (...choices: string[]) =>
    checkOf(
      await asked(
        'check.yaml',
        `data: ${example('images.npz')}
models:
${choices.map((words, i) => `  - { id: m${i}, model: ${example('methods/network.onnx')}, ${words} }`).join('\n')}
`,
      ),
    );
  const fine = [
    `weights: ${weights('baseline')}`,
    `weights: ${weights('baseline')}, reset: donor=${weights('initial')}`,
  ];
  t.strictSame(await check(...fine).then(({ missing, refused }) => [...missing, ...refused]), []);
  const { missing, refused, lines } = await check(
    ...fine,
    `weights: ${at('cut.safetensors')}`,
    `weights: ${weights('baseline')}, reset: [zero, donor=${at('cut.safetensors')}]`,
    `weights: ${weights('baseline')}, initFrom: ${example('images.npz')}`,
    `weights: ${weights('none')}`,
  );
  t.strictSame(refused, []);
  t.match(missing, [
    /^m2: cannot be opened: .*cut\.safetensors/,
    /^m3: cannot be opened: .*cut\.safetensors/,
    /^m4: cannot be opened: .*images\.npz/,
    /^m5: missing: .*none\.safetensors/,
  ]);
  t.match(lines.at(-1), /4 of 6 models lack files, or have some that cannot be opened/);
});

t.test('--check fails for choices that every sweep would refuse, and says why', async (t) => {
  const models = `  - { id: three, model: ${fixture('activations/convnext.onnx')}, layers: '*' }\n`;
  const files = `\ndata: { a: ${example('images.npz')}, b: ${example('images.npz')} }\nmodels:\n`;
  const one = `  - { id: one, model: ${example('resnet.onnx')}`;
  for (const [defaults, more, message] of [
    ["layers: 'nomatch*'", `${one} }`, /^one: .*nomatch\*/m],
    ['splitQkv: true', models, /^three: .*--split-qkv/m],
    [
      'reset: [random, skip], norm: with-layer',
      `${one} }`,
      /^one: --reset skip resets no parameters; leave out --norm with-layer/m,
    ],
    ["group: 'nothing(.*)'", `${one} }`, /^one: --group "nothing\(\.\*\)" matches none/m],
    ["init: 'nomatch*=zeros'", `${one} }`, /^one: .*nomatch\*/m],
    ['reset: [zero, zero]', `${one} }`, /^one: the reset zero is given twice/m],
    ['perImageMean: true', `${one} }`, /^one: --per-image-mean needs --per-image/m],
  ] as const) {
    const { lines, refused } = await checkOf(
      await asked('check.yaml', `defaults: { images: 4, ${defaults} }${files}${more}`),
    );
    t.match(refused.join('\n'), message, defaults);
    t.strictSame(lines.slice(-refused.length), refused);
  }
  const text = `defaults: { images: 4 }${files}`.replace(
    /b: (\S+) }/,
    "b: { path: $1, layers: 'nomatch*' } }",
  );
  await asked('check.yaml', `${text}${one} }`);
  const { code, stdout, stderr } = await critmap('study', at('check.yaml'), '--check');
  t.equal(code, 1);
  t.match(stdout, /^one on b: .*nomatch/m);
  t.match(stderr, /sweeps cannot be computed: one on b: /);
});

t.test('a reason that several sweeps have is said once', async (t) => {
  const failure = (place: string, message: string) => ({ place, code: null, message });
  const all = [failure('a/x', 'it is cut'), failure('b/x', 'no room'), failure('c/x', 'it is cut')];
  t.equal(
    failedWords(all, 9),
    '3 of 9 sweeps failed: a/x, c/x: it is cut, b/x: no room. Once that is mended, repeat the command: what is finished is not swept again',
  );
});

t.test('what a sweep says to do is said as a study does it', async (t) => {
  mkdirSync(at('photos'));
  writeFileSync(at('photos', 'torn.png'), 'no image');
  const bad = await asked('bad.yaml', FILE.replace(example('images.npz'), 'photos'));
  const failures = await runStudy({ ...bad, sweeps: bad.sweeps.slice(0, 1) }, { out: at('bad') });
  t.match(
    failures[0]!.message,
    /torn\.png: .* give skipBadImages: true \(options are set in the study's file\)/,
  );
  t.equal(inStudyWords('a/--resize x.png: give --out or --force'), 'a/--resize x.png: give --out or --force');
});

t.test('a sweep in parts is done when its last part is', async (t) => {
  const progress = new StudyProgress(study, true);
  const [sweep] = study.sweeps as [(typeof study.sweeps)[number]];
  const taskOf = (index: number) => ({
    sweep,
    part: { index, of: 3 },
    place: join('one', 'a', `part-${index}-of-3`),
  });
  progress.begin([1, 2, 3].map((index) => taskOf(index).place));
  const cell = () => progress.table(20).find((line) => line.startsWith('one'))!;
  t.match(cell(), /one +·/);
  progress.told({ task: taskOf(1), type: 'started' });
  progress.told({ task: taskOf(1), type: 'done' });
  t.match(cell(), /· \(1 of 3 parts\)/);
  progress.told({ task: taskOf(2), type: 'started' });
  t.match(cell(), /0 % \(1 of 3 parts\)/);
  progress.told({ task: taskOf(2), type: 'done' });
  progress.told({
    task: taskOf(3),
    type: 'failed',
    failure: { place: 'one', code: null, message: 'no room' },
  });
  t.match(cell(), /one +failed$/);
});
