/**
 * Every family of timm, torchvision and transformers' image classifiers: the schemes that are found from its layers are
 * the distributions that its freshly built models were seen to draw from (`test/oracle/make_family_golden.py`).
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import type { Sketch } from '../../src/initialisation/family.js';
import { recogniseGraph } from '../../src/initialisation/recognise.js';
import type { Distribution } from '../../src/initialisation/scheme.js';
import { fixture } from '../fixtures.js';

interface Module extends Sketch {
  drawn: { weight: string; bias: string };
}

const models = readFileSync(fixture('families.txt'), 'utf8')
  .split(/^# /m)
  .slice(2)
  .map((text) => {
    const [name = '', others = '', ...lines] = text.trim().split('\n');
    return { name, parameters: others.split(' ').slice(1), layers: lines.map(moduleOf) };
  });

function moduleOf(line: string): Module {
  const [name = '', kind, dims = '', groups, weight = '', bias = ''] = line.split(' ');
  const shape = dims.split('x').map(Number);
  const receptive = shape.slice(2).reduce((product, size) => product * size, 1);
  return {
    name,
    op: kind === 'Conv' ? 'Conv' : 'MatMul',
    groups: Number(groups),
    weight: { shape },
    bias: bias === '-' ? null : bias,
    fanIn: shape[1]! * receptive,
    fanOut: shape[0]! * receptive,
    drawn: { weight, bias },
  };
}

/** In the words of `test/oracle/recording.py`: what is cut at eight deviations or more is a normal. */
function isDrawn(distribution: Distribution | null, words: string): boolean {
  const [kind, a = Number.NaN, b = Number.NaN] = words
    .split(':')
    .map((word, i) => (i ? Number(word) : word)) as [string, number?, number?];
  const near = (value: number, expected: number) => Math.abs(value - expected) <= 2e-5 * Math.abs(expected);
  switch (distribution?.kind) {
    case 'uniform':
      return kind === 'u' && near(distribution.high, a) && near(distribution.low, -a);
    case 'normal':
      return kind === 'n' && near(distribution.std, a);
    case 'trunc-normal':
      return distribution.high >= 8 * distribution.std
        ? kind === 'n' && near(distribution.std, a)
        : kind === 't' &&
            near(distribution.std, a) &&
            near(distribution.high, b) &&
            near(distribution.low, -b);
    case 'constant':
      return kind === 'c' && near(distribution.value, a);
    default:
      return false;
  }
}

/** Gates' halves of rows, ConViT's identities and distances: no draw of the whole parameter. */
const noDraw = '?';

t.test('there are models of all three libraries', async (t) => {
  for (const library of ['timm', 'torchvision', 'transformers']) {
    t.ok(models.filter(({ name }) => name.startsWith(`${library} `)).length >= 20, library);
  }
});

for (const { name, parameters, layers } of models) {
  t.test(`${name} is known, and starts as it was seen to`, async (t) => {
    const { family, schemesOf } = recogniseGraph({
      layers,
      hasLayerNorm: false,
      parameters,
      producer: 'pytorch',
    });
    t.ok(family, 'its family is known');
    const wrong: string[] = [];
    for (const layer of layers) {
      const { weight, bias, guessed } = schemesOf(layer);
      const { drawn } = layer;
      if (guessed && drawn.weight !== noDraw) wrong.push(`${layer.name} is guessed`);
      if (drawn.weight !== noDraw && !isDrawn(weight.draw(layer), drawn.weight)) {
        wrong.push(`${layer.name} is drawn from ${drawn.weight}, not ${weight.text}`);
      }
      if (drawn.bias !== '-' && drawn.bias !== noDraw && !isDrawn(bias.draw(layer), drawn.bias)) {
        wrong.push(`the bias of ${layer.name} is drawn from ${drawn.bias}, not ${bias.text}`);
      }
    }
    t.strictSame(wrong, [], family ?? '');
  });
}

t.test('what no scheme says is a guess, and warned of', async (t) => {
  for (const [name, layer] of [
    ['timm gmixer_12_224', 'blocks.0.mlp_tokens.fc1'],
    ['timm vit_giant_patch14_dinov2', 'blocks.0.mlp.fc1'],
    ['timm convit_tiny', 'blocks.0.attn.pos_proj'],
  ]) {
    const { layers, parameters } = models.find((model) => model.name === name)!;
    const { schemesOf } = recogniseGraph({ layers, hasLayerNorm: true, parameters, producer: 'pytorch' });
    const found = layers.find((one) => one.name === layer)!;
    t.equal(found.drawn.weight, noDraw, `${name}: ${layer} is not drawn as a whole`);
    t.ok(schemesOf(found).guessed, `${name}: ${layer} is guessed`);
    t.equal(schemesOf(layers.at(-1)!).guessed, false, `${name}: its last layer is not`);
  }
  const { layers, parameters } = models.find(({ name }) => name === 'timm efficientnet_cc_b0_4e')!;
  const mixed = moduleOf('blocks.4.0.conv_pw Linear 4x1152 1 ? -');
  const all = [...layers, mixed];
  const { schemesOf } = recogniseGraph({ layers: all, hasLayerNorm: false, parameters, producer: 'pytorch' });
  t.ok(schemesOf(mixed).guessed, 'kernels that are mixed for each image');
});
