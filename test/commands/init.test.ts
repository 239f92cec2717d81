import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { example, fixture } from '../fixtures.js';
import { critmap } from './critmap.js';

const model = example('resnet.onnx');
const small = ['--data', 'synthetic:8', '--images', '8', '--trials', '2', '--cache', 'off'];

t.test('--init is repeatable, and summary.json says per layer what was drawn', async (t) => {
  const out = join(t.testdir({}), 'run');
  const choices = [
    '--init',
    'kaiming-normal',
    '--init',
    'fc=normal:0.5',
    '--init',
    '*.bias=uniform:-0.1:0.1',
  ];
  const { code, stderr } = await critmap(
    'sweep',
    model,
    ...small,
    ...choices,
    '--layers',
    'fc,conv1',
    '--out',
    out,
  );
  t.equal(code, 0, stderr);
  const summary = JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'));
  t.strictSame(summary.options.init, ['kaiming-normal', 'fc=normal:0.5', '*.bias=uniform:-0.1:0.1']);
  t.strictSame(
    summary.layers.map(({ layer, init }: { layer: string; init: string }) => `${layer} ${init}`),
    ['conv1 kaiming-normal', 'fc normal(0.5) bias uniform(-0.1, 0.1)'],
  );
});

t.test('a plain scheme is as it was, and other resets draw from none', async (t) => {
  const out = join(t.testdir({}), 'run');
  const args = [
    '--init',
    'xavier-normal',
    '--reset',
    'random',
    '--reset',
    'zero',
    '--layers',
    'fc',
    '--out',
    out,
  ];
  t.equal((await critmap('sweep', model, ...small, ...args)).code, 0);
  const summary = JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'));
  t.equal(summary.options.init, 'xavier-normal');
  t.strictSame(
    summary.layers.map(({ reset, init }: { reset: string; init: string | null }) => [reset, init]),
    [
      ['random', 'xavier-normal bias 0'],
      ['zero', null],
    ],
  );
});

t.test('wrong schemes and patterns end the command before it reads images', async (t) => {
  const out = join(t.testdir({}), 'run');
  const refused = async (args: string[], message: RegExp) => {
    const { code, stderr } = await critmap('sweep', model, '--data', 'nowhere/', '--out', out, ...args);
    t.equal(code, 2);
    t.match(stderr, message);
    t.notMatch(stderr, /nowhere/);
  };
  await refused(
    ['--init', 'glorot'],
    /--init glorot: there is no scheme "glorot", perhaps .*; the schemes are auto, /,
  );
  await refused(['--init', 'fc=normal:0'], /--init fc=normal:0: normal:0: STD must be above 0/);
  await refused(
    ['--init', 'lyer1.*=zero'],
    /--init lyer1\.\* matches none of the 18 layers; the nearest are /,
  );
  await refused(
    ['--init-from', 'none-*.safetensors'],
    /--init-from none-\*\.safetensors: matches no file; look into \./,
  );
  t.notOk(existsSync(out));
});

t.test('inspect has a column of what layers start with, and says where it guesses', async (t) => {
  const known = await critmap('inspect', model);
  t.match(known.stdout, /^layer +op +shape +parameters +init$/m);
  t.match(known.stdout, /^fc +Gemm +10x48 +490 +pytorch +bias$/m);
  t.match(known.stdout, /^starts {2}as timm's ResNets/m);
  t.notMatch(known.stdout, /guess/);
  const guessed = await critmap('inspect', fixture('mlp.onnx'));
  t.match(guessed.stdout, /MatMul|Gemm .* pytorch \?/);
  t.match(guessed.stdout, /^warning: .* is a guess for \d+ of \d+ layers/m);
  const json = JSON.parse((await critmap('inspect', model, '--json')).stdout);
  t.match(json, {
    family: /ResNets/,
    layers: [{ name: 'conv1', init: 'kaiming-normal(fan-out)', initGuessed: false }],
  });
});
