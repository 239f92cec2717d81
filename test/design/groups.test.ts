import t from 'tap';
import { chosenOf, groupLayers } from '../../src/design/groups.js';
import { CritmapError } from '../../src/errors.js';
import { factsOf, membersOf } from '../../src/model/layer-group.js';
import { loadModel } from '../../src/model/load.js';
import type { Layer } from '../../src/onnx/layers.js';
import { fixture } from '../fixtures.js';

const model = await loadModel(fixture('bottleneck.onnx'));
const named = (...names: string[]) => names.map((name) => ({ ...model.layers[0]!, name }));
/** `name: first last` of every group, a layer that stays alone by its name. */
const shown = (layers: readonly Layer[], grouping?: string) =>
  groupLayers(layers, grouping).map((one) => {
    const members = membersOf(one).map(({ name }) => name);
    return members.length === 1 && members[0] === one.name ? one.name : `${one.name}: ${members.join(' ')}`;
  });
const refusal = (work: () => unknown): string => {
  try {
    work();
    return 'accepted';
  } catch (error) {
    return error instanceof CritmapError && error.code === 'ERR_OPTION' ? error.message : String(error);
  }
};

t.test('layers stay alone unless something else is asked for', async (t) => {
  t.equal(chosenOf(model.layers, {})[0], model.layers[0]);
  t.strictSame(
    shown(model.layers),
    model.layers.map(({ name }) => name),
  );
  t.strictSame(shown(model.layers, 'independent'), shown(model.layers));
});

t.test('all layers at once are one group, of one layer none', async (t) => {
  t.strictSame(shown(named('a', 'b', 'c'), 'all'), ['all: a b c']);
  t.strictSame(shown(named('a'), 'all'), ['a']);
});

t.test('blocks and stages are found in the names that libraries give', async (t) => {
  const cases: [block: string, stage: string | null, names: string[]][] = [
    ['layer1.0', 'layer1', ['layer1.0.conv1', 'layer1.0.downsample.0']], // ResNet, timm and torchvision
    ['layer1.0', 'layer1', ['layer1.0.conv2.fc1', 'layer1.0.conv1.0']], // ResNeSt, ResNet-D
    ['blocks.11', null, ['blocks.11.attn.qkv', 'blocks.11.mlp.fc1']], // ViT, timm
    [
      'encoder.layers.encoder_layer_0',
      null,
      ['encoder.layers.encoder_layer_0.self_attention.in_proj', 'encoder.layers.encoder_layer_0.mlp.0'],
    ], // ViT, torchvision
    [
      'vit.encoder.layer.3',
      null,
      ['vit.encoder.layer.3.attention.attention.query', 'vit.encoder.layer.3.output.dense'],
    ],
    ['stages.2.blocks.5', 'stages.2', ['stages.2.blocks.5.conv_dw', 'stages.2.blocks.5.mlp.fc1']], // ConvNeXt, timm
    ['features.1.0', 'features.1', ['features.1.0.block.0', 'features.1.0.block.3']], // ConvNeXt, torchvision
    [
      'resnet.encoder.stages.0.layers.1',
      'resnet.encoder.stages.0',
      [
        'resnet.encoder.stages.0.layers.1.layer.0.convolution',
        'resnet.encoder.stages.0.layers.1.layer.2.convolution',
      ],
    ],
    [
      'features.denseblock1.denselayer2',
      'features.denseblock1',
      ['features.denseblock1.denselayer2.conv1', 'features.denseblock1.denselayer2.conv2'],
    ],
    ['features.2', null, ['features.2.conv.0.0', 'features.2.conv.2']], // MobileNetV2, torchvision
    ['s1.b1', 's1', ['s1.b1.conv1.conv', 's1.b1.se.fc1']], // RegNet, timm
    ['/blocks/3', null, ['/blocks/3/attn/qkv', '/blocks/3/mlp/fc1']],
  ];
  for (const [block, stage, names] of cases) {
    t.strictSame(shown(named(...names), 'block'), [`${block}: ${names.join(' ')}`]);
    const [found] = stage === null ? [] : shown(named(...names), 'stage');
    if (stage !== null) t.equal(found, `${stage}: ${names.join(' ')}`);
  }
  const convnext = named(
    'stem.0',
    'stages.0.blocks.0.conv_dw',
    'stages.1.downsample.1',
    'stages.1.blocks.0.conv_dw',
  );
  t.strictSame(
    shown(convnext, 'stage'),
    ['stem.0', 'stages.0.blocks.0.conv_dw', 'stages.1: stages.1.downsample.1 stages.1.blocks.0.conv_dw'],
    'what leads into a stage is in it; what is alone keeps its name',
  );
  const withNorms = named(
    'stages.1.downsample.0',
    'stages.1.downsample.1',
    'stages.1.blocks.0.norm',
    'head.fc',
  );
  t.strictSame(
    shown(withNorms, 'block'),
    ['stages.1.downsample: stages.1.downsample.0 stages.1.downsample.1', 'stages.1.blocks.0.norm', 'head.fc'],
    'a block beside those of a stage is not called like the stage',
  );
  t.match(
    refusal(() => groupLayers(named('features.0', 'features.3', 'classifier.1'), 'block')),
    /finds no block with two layers in the names of the 3; a regular expression/,
  );
  t.match(
    refusal(() => groupLayers(named('features.0', 'features.3'), 'stage')),
    /--group block, or a regular expression/,
  );
});

t.test('a pattern puts layers together in which its captures are the same', async (t) => {
  const layers = named('conv1', 'layer1.0.conv1', 'layer1.0.conv2', 'layer1.1.conv1', 'layer2.0.conv1');
  t.strictSame(
    shown(layers, 'layer(\\d).(\\d+)'),
    ['conv1', 'layer1.0: layer1.0.conv1 layer1.0.conv2', 'layer1.1.conv1', 'layer2.0.conv1'],
    'called as what matched',
  );
  const blocks = named(
    'blocks.0.attn.qkv',
    'blocks.0.mlp.fc1',
    'blocks.1.attn.qkv',
    'blocks.1.mlp.fc1',
    'head',
  );
  t.strictSame(
    shown(blocks, 'blocks\\.\\d+\\.(attn|mlp)'),
    ['attn: blocks.0.attn.qkv blocks.1.attn.qkv', 'mlp: blocks.0.mlp.fc1 blocks.1.mlp.fc1', 'head'],
    'or as what was captured',
  );
  t.strictSame(shown(named('attn', 'a.attn.q', 'a.attn.k'), 'attn\\.'), ['attn', 'attn.: a.attn.q a.attn.k']);
  t.strictSame(
    shown(named('b.attn', 'attn', 'a.attn'), '[ab]\\.(attn)'),
    ['attn #2: b.attn a.attn', 'attn'],
    'a name that another layer has gets a number',
  );
  t.match(
    refusal(() => groupLayers(layers, 'blok')),
    /--group "blok" matches none of the 5 layers \(conv1, .*\); give one of layer, block, stage, /,
  );
  t.match(
    refusal(() => groupLayers(layers, 'a(')),
    /neither one of layer, .* nor a regular expression/,
  );
});

t.test('a pattern that would match for ever is refused', async (t) => {
  const started = performance.now();
  t.match(
    refusal(() => groupLayers(named('a'.repeat(60)), '(a+)+b')),
    /takes too long to match/,
  );
  t.ok(performance.now() - started < 10_000);
});

t.test('a cascade grows by one layer from either end', async (t) => {
  const layers = named('a', 'b', 'c');
  t.strictSame(shown(layers, 'cumulative-from-output'), ['c', 'from b: b c', 'from a: a b c']);
  t.strictSame(shown(layers, 'cumulative-from-input'), ['a', 'to b: a b', 'to c: a b c']);
  const positions = new Map([
    ['a', 0],
    ['b', 3],
    ['c', 4],
  ]);
  const at = (grouping: string) =>
    groupLayers(layers, grouping).map((one) => factsOf(one, positions).position);
  t.strictSame(at('cumulative-from-output'), [4, 3, 0], 'a step is where the cascade has come to');
  t.strictSame(at('cumulative-from-input'), [0, 3, 4]);
  t.strictSame(at('pairs'), [1.5, 2, 3.5], 'other groups are where their layers are on average');
});

t.test('pairs are those of the chosen layers, and not without bounds', async (t) => {
  const all = model.layers;
  const chosen = chosenOf(all, { layers: ['conv1', 'layer1.0.conv1', 'fc'], group: 'pairs' });
  t.strictSame(
    chosen.map(({ name }) => name),
    ['conv1 and layer1.0.conv1', 'conv1 and fc', 'layer1.0.conv1 and fc'],
  );
  t.match(
    refusal(() => chosenOf(all, { layers: ['fc'], group: 'pairs' })),
    /needs two layers/,
  );
  const many = named(...Array.from({ length: 300 }, (_, i) => `l${i}`));
  t.match(
    refusal(() => groupLayers(many, 'pairs')),
    /makes 44,850 of 300 layers; choose fewer with --layers/,
  );
});

t.test('what tables say of a group', async (t) => {
  const positions = new Map(model.layers.map(({ name }, i) => [name, i]));
  const fc = model.layers.find(({ name }) => name === 'fc')!;
  const [conv1] = model.layers as [Layer];
  const [pair] = groupLayers([conv1, fc], 'pairs');
  t.strictSame(factsOf(pair!, positions), {
    ...{ name: 'conv1 and fc', op: 'Conv+Gemm', shape: [], groups: 1 },
    parameters: conv1.parameters + fc.parameters,
    position: (model.layers.length - 1) / 2,
    members: ['conv1', 'fc'],
  });
});
