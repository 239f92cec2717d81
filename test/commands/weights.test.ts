import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fixture } from '../fixtures.js';
import { critmap, summaryIn } from './critmap.js';

const model = fixture('mlp.onnx');
const weights = (name: string) => ['--weights', fixture(`weights/${name}`)];

t.test('inspect --weights shows which tensor becomes which parameter', async (t) => {
  const args = ['inspect', model, ...weights('mlp.backbone.pth'), ...weights('mlp.linear.pth')];
  const { code, stdout, stderr } = await critmap(...args);
  t.equal(code, 0, stderr);
  t.match(stdout, /^weights 1: .*mlp\.backbone\.pth: PyTorch zip, in online_backbone: module\.model\.\*$/m);
  t.match(stdout, /^ +fc1\.weight +16x64 +1: module\.model\.fc1\.weight +float32$/m);
  t.match(stdout, /^ +fc2\.bias +10 +2: module\.linear\.bias +float32$/m);
  const { weights: loaded } = JSON.parse((await critmap(...args, '--json')).stdout);
  t.match(loaded.mapping[2], {
    parameter: 'fc2.weight',
    shape: [10, 16],
    file: 1,
    key: 'module.linear.weight',
  });
});

t.test('inspect --allow-partial lists what does not fit', async (t) => {
  const vit = fixture('vit.onnx');
  const { code, stdout } = await critmap('inspect', model, ...weights('mlp.backbone.pth'), '--allow-partial');
  t.equal(code, 0);
  t.match(stdout, /^ +missing: fc2\.weight\n +missing: fc2\.bias$/m);
  t.match(stdout, /^warning: .*has 2 of the [0-9]+ parameters of .*: missing fc2\.weight, fc2\.bias$/m);
  const nothing = await critmap('inspect', vit, ...weights('mlp.backbone.pth'), '--allow-partial');
  t.equal(nothing.code, 1, 'of which nothing fits is refused all the same');
});

t.test('sweep --weights measures the checkpoint, and takes one as donor', async (t) => {
  const out = join(t.testdir({}), 'run');
  const donor = `donor=${fixture('weights/mlp.float16.safetensors')}`;
  const args = [
    'sweep',
    model,
    '--data',
    'synthetic:20',
    '--out',
    out,
    '--quiet',
    '--json',
    '--reset',
    donor,
  ];
  const { code, stdout, stderr } = await critmap(...args, ...weights('mlp.pth.tar'));
  t.equal(code, 0, stderr);
  // The same weights, rounded to float16: half of 2^-10 of a weight at most.
  for (const { change } of summaryIn(stdout).layers) t.ok(change! > 0 && change! < 2 ** -11);
  const { environment } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
  t.match(environment.weights, [{ path: fixture('weights/mlp.pth.tar'), place: 'state_dict: module.*' }]);
});

for (const [title, code, args, message] of [
  ['a checkpoint that is not there', 1, ['--weights', 'gone.pth'], /gone\.pth: does not exist/],
  ['a model as checkpoint', 1, ['--weights', model], /mlp\.onnx: is no checkpoint that critmap reads/],
  ['a checkpoint that lacks a layer', 1, weights('mlp.backbone.pth'), /missing fc2\.weight.*--allow-partial/],
  ['an empty name', 2, ['--weights', ''], /--weights "" is not a name or path/],
] as [string, number, string[], RegExp][]) {
  t.test(`${title} is refused in one line`, async (t) => {
    const { code: exit, stdout, stderr } = await critmap('inspect', model, ...args);
    t.equal(exit, code, stderr);
    t.equal(stdout, '');
    t.equal(stderr.trim().split('\n').length, 1, stderr);
    t.match(stderr, message);
  });
}

const arch = ['--arch', 'resnet18', '--size', '32', '--classes', '10'];
for (const args of [
  ['inspect', model],
  ['inspect', ...arch],
  ['sweep', model, '--data', 'synthetic:4', '--out', 'never-written'],
]) {
  t.test(`${args.slice(0, 2).join(' ')} --allow-partial needs --weights`, async (t) => {
    const { code, stdout, stderr } = await critmap(...args, '--allow-partial');
    t.equal(code, 2, stderr);
    t.equal(stdout, '');
    t.match(stderr, /--allow-partial goes with --weights FILE/);
  });
}

t.test('results have the name of the checkpoint, unless --name gives one', async (t) => {
  const named = async (...more: string[]) => {
    const out = join(t.testdir({}), 'run');
    const args = [
      'sweep',
      model,
      '--data',
      'synthetic:4',
      '--trials',
      '1',
      '--out',
      out,
      '--quiet',
      '--json',
    ];
    const { code, stdout, stderr } = await critmap(...args, ...weights('mlp.pth.tar'), ...more);
    t.equal(code, 0, stderr);
    return summaryIn(stdout).model.name;
  };
  t.equal(await named(...weights('mlp.linear.pth')), 'mlp');
  t.equal(await named('--name', 'mine'), 'mine');
  const { stdout } = await critmap('inspect', model, ...weights('mlp.float16.safetensors'), '--json');
  t.equal(JSON.parse(stdout).name, 'mlp.float16');
});
