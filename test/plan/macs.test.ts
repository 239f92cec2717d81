import t from 'tap';
import { buildModel } from '../../src/architectures/build.js';
import { ownGraph } from '../../src/plan/base-graph.js';
import { ownMacs } from '../../src/plan/macs.js';

// Half of what torch.utils.flop_counter counts in timm's models, 3 channels (PyTorch 2.13, timm 1.0.29, fused_attn off).
const counted = [
  {
    name: 'resnet18',
    size: 64,
    forward: 148_557_824,
    layers: { conv1: 9_633_792, 'layer2.0.downsample.0': 524_288, 'layer4.1.conv1': 9_437_184, fc: 512_000 },
  },
  {
    name: 'vit_tiny_patch16_224',
    size: 224,
    forward: 1_253_683_200,
    layers: {
      'patch_embed.proj': 28_901_376,
      'blocks.0.attn.qkv': 21_786_624,
      'blocks.0.mlp.fc1': 29_048_832,
    },
  },
];

for (const { name, size, forward, layers } of counted) {
  t.test(`${name} multiplies as often as PyTorch counts`, async (t) => {
    const model = await buildModel(name, { size });
    const shape = { channels: 3, height: size, width: size };
    const macs = await ownMacs(ownGraph(model, 'keep'), model.layers, shape, model.io.batch ?? 1);
    t.equal(macs.forward, forward);
    const own = new Map(model.layers.map((layer, i) => [layer.name, macs.layers[i]]));
    t.match(Object.fromEntries(own), layers);
  });
}
