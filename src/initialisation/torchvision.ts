/**
 * torchvision's families where they start otherwise than timm's or have other names. Its depthwise convolutions have
 * torch.nn.init's fans, which do not consider groups. `test/oracle/make_family_golden.py` asks torchvision.
 */
import type { Family, Rule } from './family.js';

const fanOut: Rule = ['conv', 'kaiming-normal:fan-out', 'zero'];
const smallHead: Rule = ['linear', 'normal:0.01'];

const families: readonly Family[] = [
  {
    name: 'MobileNets',
    signs: ['features.#.block.#.0, linear classifier.3', 'features.#.conv.#.0, linear classifier.1'],
    rules: [fanOut, smallHead],
  },
  {
    name: 'EfficientNets',
    signs: ['features.#.#.block.#.0, linear classifier.1'],
    rules: [fanOut, ['linear', 'uniform:fan-out', 'zero']],
  },
  {
    name: 'RegNets',
    signs: ['trunk_output.block#.block#-#.f.a.0'],
    rules: [['conv', 'kaiming-normal:fan-out', 'pytorch'], smallHead],
  },
  {
    name: 'MNASNets',
    signs: ['layers.#.#.layers.0, linear classifier.1'],
    rules: [fanOut, ['linear', 'kaiming-uniform:fan-out/linear', 'zero']],
  },
  {
    name: 'SqueezeNets',
    signs: ['features.#.squeeze'],
    rules: [
      [/(^|\.)classifier\.1$/, 'normal:0.01'],
      ['conv', 'kaiming-uniform:fan-in'],
    ],
  },
  {
    name: 'GoogLeNet',
    signs: ['inception3a.branch1.conv'],
    rules: [['all', 'trunc-normal:0.01', 'pytorch']],
  },
  { name: 'ShuffleNets', signs: ['stage#.#.branch1.0, linear fc'], rules: [['all', 'pytorch']] },
  {
    name: 'Swin transformers',
    signs: ['linear features.#.#.attn.qkv'],
    rules: [
      ['conv', 'pytorch'],
      ['linear', 'trunc-normal:0.02'],
    ],
  },
  {
    name: 'ConvNeXts',
    signs: ['depthwise features.#.#.block.0, linear features.#.#.block.3'],
    rules: [['all', 'trunc-normal:0.02']],
  },
  { name: 'MaxViT', signs: ['layers.MBconv.layers.conv_a.0'], rules: [['all', 'normal:0.02']] },
  {
    name: 'vision transformers',
    signs: ['encoder_layer_#.mlp.*'],
    rules: [
      ['conv', 'trunc-normal:fan-in', 'zero'],
      [/\.self_attention\.in_proj$/, 'xavier-uniform'],
      [/\.self_attention\.out_proj$/, 'pytorch', 'zero'],
      [/\.mlp\./, 'xavier-uniform', 'normal:0.000001'],
      ['linear', 'zero'],
    ],
  },
  {
    name: 'AlexNet',
    signs: ['conv features.0 +bias, linear classifier.1, linear classifier.6'],
    rules: [['all', 'pytorch']],
  },
  {
    name: 'VGGs',
    signs: ['conv features.0 +bias, linear classifier.0, linear classifier.6'],
    rules: [fanOut, smallHead],
  },
];

export const torchvision: readonly Family[] = families.map((family) => ({
  ...family,
  name: `torchvision's ${family.name}`,
}));
