import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { summarySchema } from '../../src/run/summary.js';
import { example } from '../fixtures.js';
import { critmap } from './critmap.js';

const small = ['--size', '32', '--classes', '10'];

t.test('architectures lists them with what their images are like', async (t) => {
  const listed = JSON.parse((await critmap('architectures', '--json')).stdout);
  // torchvision.models.resnet50.
  t.match(
    listed.find(({ name }: { name: string }) => name === 'resnet50'),
    { parameters: 25_557_032, size: 224, mean: [0.485, 0.456, 0.406], cropPct: 0.95 },
  );
  const { stdout } = await critmap('architectures');
  t.match(stdout, /^vit_tiny_patch16_224 +5\.7 M +224 +0\.5,0\.5,0\.5/m);
  t.equal(stdout.trim().split('\n').length, listed.length + 1, 'a line each, and a head');
});

t.test('inspect --arch shows layers, normalisation and plan, and warns of random weights', async (t) => {
  const { code, stdout, stderr } = await critmap('inspect', '--arch', 'ResNet-18', ...small);
  t.equal(code, 0, stderr);
  t.match(stdout, /^resnet18 /);
  t.match(stdout, /^input +images: any x 3 x 32 x 32, mean 0\.485,/m);
  t.match(stdout, /^layer4\.1\.conv2 +Conv +512x512x3x3 +2,359,296 +kaiming-normal\(fan-out\) +BatchNorm$/m);
  t.match(stdout, /cuts of the runtime's optimised graph/);
  t.match(stdout, /warning: .*weights are random/);
});

t.test('sweep --arch needs no file, and goes on where it was', async (t) => {
  const out = join(t.testdir({}), 'run');
  const args = ['sweep', '--arch', 'resnet18', ...small, '--channels', '1', '--data', 'synthetic:8'];
  args.push('--layers', 'conv1,fc', '--trials', '1', '--name', 'mine', '--out', out);
  const { code, stderr } = await critmap(...args);
  t.equal(code, 0, stderr);
  t.match(stderr, /warning: .*weights are random/);
  const summary = summarySchema.parse(JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8')));
  t.match(summary.model, { name: 'mine', layers: 21 });
  t.strictSame(
    summary.layers.map(({ layer, shape }) => `${layer} ${shape.join('x')}`),
    ['conv1 64x1x7x7', 'fc 10x512'],
  );
  const journal = readFileSync(join(out, 'cells.ndjson'), 'utf8');
  t.equal((await critmap(...args, '--quiet')).code, 0, 'the same weights are drawn again');
  t.equal(readFileSync(join(out, 'cells.ndjson'), 'utf8'), journal);
});

const model = example('resnet.onnx');
const sweep = ['sweep', '--data', 'synthetic:8', '--out', 'never-written'];
const refusals: [title: string, args: string[], says: RegExp][] = [
  ['neither a model nor --arch', sweep, /no model is given; name an ONNX file, or .*--arch NAME/],
  ['both', [...sweep, model, '--arch', 'resnet18'], /both .*resnet\.onnx and --arch resnet18/],
  ['a misspelt name', [...sweep, '--arch', 'resnet5O'], /"resnet5O"; the nearest are resnet50/],
  ['an empty name', [...sweep, '--arch', ''], /--arch "" is not a name/],
  ['classes for a file', ['inspect', model, '--classes', '10'], /--classes goes with --arch/],
  [
    'another size than the file has',
    ['inspect', model, '--size', '32'],
    /--size 32 does not fit .*1 x 28 x 28/,
  ],
];
for (const [title, args, says] of refusals) {
  t.test(`${title}: refused in one line`, async (t) => {
    const { code, stdout, stderr } = await critmap(...args);
    t.equal(code, 2, stderr);
    t.equal(stdout, '');
    t.equal(stderr.trim().split('\n').length, 1, stderr);
    t.match(stderr, says);
  });
}
