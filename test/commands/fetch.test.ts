/** Models, checkpoints and donors that are named by their address, from the command line. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkOf } from '../../src/commands/study-check.js';
import {
  buildModel,
  type FetchProgress,
  loadFresh,
  loadModel,
  parseResets,
  withWeights,
} from '../../src/index.js';
import { localWords, offeredWords } from '../../src/request/local-words.js';
import { addressesIn } from '../../src/request/sweep-paths.js';
import { networkFor } from '../../src/study/costs.js';
import { readStudy } from '../../src/study/read-study.js';
import { sha256, startHub } from '../fetch/hub-server.js';
import { example } from '../fixtures.js';
import { critmap } from './critmap.js';
import { config, weights, weightsInParts } from './hub-model.js';

const commit = 'feed'.padEnd(40, '0');
const hub = await startHub(t, {
  'local/tiny': {
    commit,
    files: {
      'README.md': Buffer.from('# tiny'),
      'config.json': Buffer.from(JSON.stringify(config)),
      'model.safetensors': weights,
      'pytorch_model.bin': Buffer.from('older'),
    },
  },
  'local/parts': {
    commit,
    files: { 'config.json': Buffer.from(JSON.stringify(config)), ...weightsInParts },
  },
});
hub.files['resnet.onnx'] = readFileSync(example('resnet.onnx'));
const url = `${hub.url}/files/resnet.onnx`;
const pin = `#sha256=${sha256(hub.files['resnet.onnx'])}`;
const home = t.testdir({});
for (const name of Object.keys(process.env)) if (/^(HF_|HUGGING)/.test(name)) delete process.env[name];
Object.assign(process.env, { HF_HOME: home, HF_ENDPOINT: hub.url });
const run = (name: string) => JSON.parse(readFileSync(join(home, name, 'run.json'), 'utf8'));

t.test('a sweep of hf:local/tiny needs nothing else, and no network the second time', async (t) => {
  const words = [
    '--data',
    'synthetic:2',
    '--size',
    '32',
    '--layers',
    'head.fc',
    '--trials',
    '1',
    '--images',
    '2',
  ];
  const sweep = (word: string, out: string) => critmap('sweep', word, ...words, '--out', join(home, out));
  const first = await sweep('hf:local/tiny', 'one');
  t.equal(first.code, 0, first.stderr);
  t.match(first.stderr, /fetching {2}hf:local\/tiny\/model\.safetensors {2}█+ {2}\d+ MB of \d+ MB/);
  t.notMatch(first.stderr, /random/);
  const { model, environment } = run('one');
  t.equal(model.name, 'tiny');
  t.match(environment.weights, [
    { source: `hf:local/tiny@${commit}/model.safetensors`, format: 'safetensors' },
  ]);
  const files = hub.asked.flatMap(({ path }) => /resolve\/[^/]+\/(.*)/.exec(path)?.[1] ?? []);
  t.strictSame(files, ['config.json', 'model.safetensors']);

  const asked = hub.asked.length;
  process.env.HF_HUB_OFFLINE = '1';
  const offline = await sweep('hf:local/tiny', 'two');
  delete process.env.HF_HUB_OFFLINE;
  t.equal(offline.code, 0, offline.stderr);
  t.equal(hub.asked.length, asked, 'no request');
  const summary = (out: string) => readFileSync(join(home, out, 'summary.json'), 'utf8');
  t.equal(summary('two'), summary('one'));
});

t.test('a file of a web address is a model; verify finds it again', async (t) => {
  const out = join(home, 'url');
  const sample = ['--data', example('images.npz'), '--images', '8'];
  const data = [...sample, '--layers', 'fc', '--trials', '1', '--quiet'];
  const { code, stderr } = await critmap('sweep', url, ...data, '--reset', 'zero', '--out', out);
  t.equal(code, 0, stderr);
  t.equal(stderr, '', '--quiet shows no progress');
  t.equal(run('url').environment.modelSource, `${url}${pin}`);
  t.equal(run('url').model.name, 'resnet');
  const asked = hub.asked.length;
  const same = await critmap('verify', out, '--cells', '1');
  t.equal(same.code, 0, same.stderr);
  t.equal(hub.asked.length, asked);
});

t.test('from a script, models, checkpoints, donors and fresh models may be addresses', async (t) => {
  process.env.XDG_CACHE_HOME = join(home, 'cache');
  const onnx = await loadModel(`${url}${pin}`);
  t.equal(onnx.name, 'resnet');
  const words = ['zero', `donor=${url}`, `interpolate=${url}${pin}@0.5`];
  t.match(await parseResets(words, onnx), [
    { kind: 'zero' },
    { label: words[1], alpha: 0, donor: { sha256: onnx.sha256 } },
    { label: words[2], alpha: 0.5, donor: { sha256: onnx.sha256 } },
  ]);
  t.equal((await loadFresh([`${url}${pin}`], onnx)).length, 1);
  await t.rejects(parseResets([`donor=${url}x`], onnx), {
    code: 'ERR_FETCH',
    message: /there is no such file/,
  });
  await t.rejects(loadModel(`${url}#ema`), {
    code: 'ERR_OPTION',
    message: /is an ONNX model, which has one set of weights; leave out #ema/,
  });

  const network = await buildModel('convnext_atto', { classes: 5, size: 32 });
  const seen: number[] = [];
  const onFetch = ({ done }: FetchProgress) => seen.push(done);
  const overlaid = await withWeights(network, ['hf:local/tiny'], { onFetch });
  t.match(overlaid, { name: 'tiny', weights: { missing: [] } });
  t.strictSame(seen, [], 'it was there');
  const whole = await loadModel(`hf:local/tiny@${commit}`, { size: 32 });
  t.match(whole, { name: 'tiny', builtIn: { architecture: 'convnext_atto' }, io: { height: 32 } });
  const parts = await loadModel('hf:local/parts', { size: 32 });
  t.match(parts, { name: 'parts', weights: { missing: [], files: { length: 2 } } });
  const { weight } = whole.layers[0]!;
  t.strictSame(parts.values(weight.tensor), whole.values(weight.tensor));
});

t.test('a study takes them too, and its check fetches nothing', async (t) => {
  process.env.HF_HOME = t.testdir({
    'study.yaml': [
      'data: synthetic:2',
      'defaults: {size: 32}',
      'models:',
      '  - hf:local/tiny@main',
      `  - {id: b, arch: convnext_atto, classes: 5, weights: 'hf:local/tiny/model.safetensors'}`,
    ].join('\n'),
  });
  const study = await readStudy(join(process.env.HF_HOME, 'study.yaml'));
  t.match(study.sweeps, [
    { model: { id: 'tiny' }, words: { model: 'hf:local/tiny@main' } },
    { model: { id: 'b' }, words: { weights: ['hf:local/tiny/model.safetensors'] } },
  ]);
  const asked = hub.asked.length;
  const text = (await checkOf(study)).lines.join('\n');
  t.match(text, /^tiny .* \? .* to be fetched, unless it is there: hf:local\/tiny$/m);
  t.match(text, /^b .* \d+ .* to be fetched, unless it is there: hf:local\/tiny\/model\.safetensors$/m);
  t.equal(hub.asked.length, asked);
  await networkFor(study.sweeps[0]!);
  const files = hub.asked.slice(asked).flatMap(({ path }) => /resolve\/[^/]+\/(.*)/.exec(path)?.[1] ?? []);
  t.strictSame(files, ['config.json'], 'what it costs is known without weights');
});

t.test('for a worker an address is what it is, and a path is one of its own', (t) => {
  const sha = `${url}${pin}`;
  const resets = ['random', 'donor=hf:o/n@main', `interpolate=${url}@0.5`, 'donor=/there/d.pth'];
  const rest = { data: 'synthetic:2', imageChoices: {}, sweepChoices: {} };
  const words = {
    model: 'hf:o/n@v1/m.onnx',
    weights: [`${sha}#ema`, 'w.pth'],
    initFrom: [url],
    resets,
    ...rest,
  };
  const offered = offeredWords(words) as unknown as typeof words;
  t.match(offered, {
    model: words.model,
    weights: [`${sha}#ema`, join(process.cwd(), 'w.pth')],
    initFrom: [url],
  });
  const local = localWords(offered, { models: '/mine', data: '/mine' });
  t.equal(local.model, words.model);
  t.strictSame(local.weights, [`${sha}#ema`, '/mine/w.pth']);
  t.strictSame(local.resets, [...resets.slice(0, 3), 'donor=/mine/d.pth']);
  t.strictSame(local.initFrom, [url]);
  t.strictSame(addressesIn(local), [local.model, local.weights![0], 'hf:o/n@main', url, url]);
  t.end();
});
