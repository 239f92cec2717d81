import t from 'tap';
import { buildModel } from '../../src/architectures/build.js';
import { checkInit, initialsOf, initWarnings } from '../../src/initialisation/initials.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import type { ResetContext } from '../../src/resets/kinds.js';
import { resetLayer } from '../../src/resets/reset.js';
import { fixture } from '../fixtures.js';

const model = await loadModel(fixture('bottleneck.onnx'));
const names = model.layers.map(({ name }) => name);
const words = (of: Model, init: string | string[]) =>
  Object.fromEntries([...initialsOf(of, init)].map(([name, { words }]) => [name, words]));

t.test("auto is the family's own, layer by layer, for weight and bias", async (t) => {
  const vit = await buildModel('vit_tiny_patch16_224', { size: 32, classes: 7 });
  const found = words(vit, 'auto');
  t.equal(found['patch_embed.proj'], 'pytorch');
  t.equal(found['blocks.0.attn.qkv'], 'trunc-normal(0.02) bias 0');
  t.equal(found.head, 'trunc-normal(0.02) bias 0');
  t.strictSame(initWarnings(vit, 'auto'), []);
  const resnet = words(model, 'auto');
  t.equal(resnet.conv1, 'kaiming-normal(fan-out)');
  t.equal(resnet.fc, 'pytorch');
});

t.test('a scheme is for all layers; GLOB=SCHEME for those that fit, later ones winning', async (t) => {
  const all = words(model, 'kaiming-normal');
  t.equal(all.conv1, 'kaiming-normal');
  t.equal(all.fc, 'kaiming-normal bias 0');
  const some = words(model, [
    'layer1.*=normal:0.05',
    'layer1.0.conv2=trunc-normal:0.02/2std',
    'fc.bias=uniform:0.1',
  ]);
  t.equal(some.conv1, 'kaiming-normal(fan-out)', 'others keep their own');
  t.equal(some['layer1.0.conv1'], 'normal(0.05)');
  t.equal(some['layer1.0.conv2'], 'trunc-normal(0.02/2std)');
  t.equal(some.fc, 'pytorch bias uniform(0.1)');
  const other = words(model, [
    'layer1.0.conv2=zero',
    'layer1.*=normal:0.05',
    'fc.weight=zero',
    '*.bias=keep',
  ]);
  t.equal(other['layer1.0.conv2'], 'normal(0.05)');
  t.equal(other.fc, 'zero bias keep');
  t.equal(words(model, ['xavier-uniform', 'fc=auto']).fc, 'pytorch');
  t.equal(words(model, ['fc=zero', 'xavier-uniform']).fc, 'xavier-uniform bias 0');
});

t.test('what is chosen is what a reset draws', async (t) => {
  const context = (init: ResetContext['init']): ResetContext => ({ seed: 0, init, norm: 'keep' });
  const fc = model.layers.find(({ name }) => name === 'fc')!;
  const reset = { kind: 'random', label: 'random' } as const;
  const choice = ['fc=normal:0.5', 'fc.bias=constant:0.25'];
  const { tensors } = await resetLayer(model, fc, reset, 0, context(choice));
  const weight = tensors.get('fc.weight')!;
  const deviation = Math.sqrt(weight.reduce((sum, value) => sum + value ** 2, 0) / weight.length);
  t.ok(Math.abs(deviation / 0.5 - 1) < 0.15, `${deviation}`);
  t.ok(tensors.get('fc.bias')!.every((value) => value === 0.25));
  const kept = await resetLayer(model, fc, reset, 0, context(['fc=normal:0.5', '*.bias=keep']));
  t.notOk(kept.tensors.has('fc.bias'));
});

t.test(
  'patterns that fit nothing, and schemes that there are not, are refused with what to do',
  async (t) => {
    const refused = (init: string | string[], message: RegExp) =>
      t.throws(
        () => initialsOf(model, init),
        { name: 'CritmapError', code: 'ERR_OPTION', message },
        String(init),
      );
    refused(
      'layr1.*=zero',
      new RegExp(`--init layr1\\.\\* matches none of the ${names.length} layers; the nearest are layer1`),
    );
    refused('layer1.*.bias=zero', /none of the \d+ layers that fit has a bias/);
    refused('nothing.bias=zero', /--init nothing\.bias matches none/);
    refused('=zero', /--init =zero: a pattern of layer names is missing/);
    refused('fc=', /--init fc=: there is no scheme ""/);
    refused(
      'fc=trunk-normal',
      /--init fc=trunk-normal: there is no scheme "trunk-normal", perhaps trunc-normal/,
    );
    refused(['auto', 'fc=normal:x'], /--init fc=normal:x: normal:x: STD must be a number/);
    refused('fc.bias=match', /match is for weights/);
    t.throws(() => checkInit(['auto', 'fc=glorot']), {
      code: 'ERR_OPTION',
      message: /--init fc=glorot: there is no scheme/,
    });
    t.doesNotThrow(() => checkInit(['auto', 'fc=auto', 'xavier-normal']));
  },
);

t.test('a network of no known family is guessed, with one warning that says how to be sure', async (t) => {
  const unknown = await loadModel(fixture('mlp.onnx'));
  const [warning, ...others] = initWarnings(unknown, 'auto');
  t.strictSame(others, []);
  t.match(
    warning,
    /mlp\.onnx: .* is a guess for \d+ of \d+ layers \(pytorch\).*--arch NAME, --init 'GLOB=SCHEME'\) or give fresh models \(--init-from\)/,
  );
  t.strictSame(initWarnings(unknown, 'pytorch'), [], 'what was chosen is no guess');
  t.strictSame(initWarnings(unknown, '*=auto').length, 1);
});

t.test('without a family, what the graph is made of decides', async (t) => {
  const { recogniseGraph } = await import('../../src/initialisation/recognise.js');
  const layer = (name: string, op: 'Conv' | 'MatMul', shape: number[], groups = 1) => ({
    name,
    op,
    groups,
    weight: { shape },
    bias: 'bias',
    fanIn: shape.slice(1).reduce((product, size) => product * size, 1),
    fanOut: shape[0]! * shape.slice(2).reduce((product, size) => product * size, 1),
  });
  const dense = layer('a', 'Conv', [8, 4, 3, 3]);
  const grouped = layer('b', 'Conv', [8, 4, 3, 3], 2);
  const depthwise = layer('c', 'Conv', [8, 1, 3, 3], 8);
  const linear = layer('d', 'MatMul', [10, 8]);
  const of = (layers: (typeof dense)[], hasLayerNorm: boolean, producer = 'pytorch') => {
    const { family, schemesOf } = recogniseGraph({ layers, hasLayerNorm, parameters: [], producer });
    t.equal(family, undefined);
    return layers.map((one) => {
      const { weight, bias, guessed } = schemesOf(one);
      t.ok(guessed);
      return `${weight.text} ${bias.text}`;
    });
  };
  t.strictSame(of([dense, grouped, linear], false), [
    'kaiming-normal:fan-out/groups pytorch',
    'kaiming-normal:fan-out/groups pytorch',
    'pytorch pytorch',
  ]);
  t.strictSame(of([dense, depthwise, linear], false), [
    'kaiming-normal:fan-out/groups zero',
    'kaiming-normal:fan-out/groups zero',
    'uniform:fan-out zero',
  ]);
  t.strictSame(
    of([dense, linear], true),
    ['pytorch pytorch', 'trunc-normal:0.02 zero'],
    'patches and tokens',
  );
  t.strictSame(of([depthwise, linear], true), ['trunc-normal:0.02 zero', 'trunc-normal:0.02 zero']);
  t.strictSame(of([dense, linear], false, 'tf2onnx'), ['xavier-uniform zero', 'xavier-uniform zero']);
});
