/**
 * Checkpoints under the names of transformers, torchvision and Facebook's ConvNeXt, as these save them
 * (`oracle/make_dialect_fixtures.py`), in networks by timm's names: logits are PyTorch's.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { convnext } from '../../src/architectures/convnext.js';
import { resnet } from '../../src/architectures/resnet.js';
import { vit } from '../../src/architectures/vit.js';
import { loadModel, withWeights } from '../../src/model/load.js';
import { answersTo, isNear } from '../architectures/answers.js';
import { fixture } from '../fixtures.js';
import { safetensors } from '../weights/build-checkpoints.js';

const checkpoint = (name: string) => fixture(`dialects/${name}`);
const answers: Record<string, number[][]> = JSON.parse(readFileSync(checkpoint('dialects.json'), 'utf8'));

const classes = 5;
const tokens = { patch: 8, dim: 12, depth: 2, heads: 3, size: 16, classes };
const stages = { depths: [1, 1, 2, 1], dims: [4, 8, 8, 12], size: 32, classes };
const networks = {
  resnet: () => resnet({ blocks: [1, 2], width: 4, size: 32, classes }),
  vit: () => vit(tokens),
  deit: () => vit({ ...tokens, distilled: true }),
  convnext: () => convnext({ depths: [1, 2], dims: [8, 16], size: 32, classes }),
  convolutions: () => convnext({ depths: [1, 2], dims: [8, 16], convMlp: true, size: 32, classes }),
  'convnext of four stages': () => convnext(stages),
  'convnext of seven classes': () => convnext({ ...stages, classes: 7 }),
  'convnext of convolutions': () => convnext({ ...stages, convMlp: true }),
};

function graph(t: Test, name: keyof typeof networks): string {
  const path = join(t.testdir({}), `${name}.onnx`);
  writeFileSync(path, networks[name]());
  return path;
}

const cases: [network: keyof typeof networks, file: string, names: string][] = [
  ['resnet', 'resnet.safetensors', "transformers' ResNet"],
  ['vit', 'vit.safetensors', "transformers' ViT or DeiT"],
  ['vit', 'vit-modules.pth', "transformers' ViT or DeiT"],
  ['deit', 'deit.safetensors', "transformers' ViT or DeiT"],
  ['convnext', 'convnext.safetensors', "transformers' ConvNeXt"],
  ['convolutions', 'convnext.safetensors', "transformers' ConvNeXt"],
  ['vit', 'torchvision-vit.pth', "torchvision's ViT"],
  ['convnext of four stages', 'torchvision-convnext.pth', "torchvision's ConvNeXt"],
  ['convnext of convolutions', 'torchvision-convnext.pth', "torchvision's ConvNeXt"],
  ['convnext of four stages', 'facebook-convnext.pth', "Facebook's ConvNeXt"],
  ['convnext of convolutions', 'facebook-convnext.pth', "Facebook's ConvNeXt"],
];
for (const [network, file, names] of cases) {
  t.test(`${file} fits a ${network} by the names of ${names}`, async (t) => {
    const model = await loadModel(graph(t, network), { weights: [checkpoint(file)] });
    const expected = answers[file]!;
    const size = /vit|deit/.test(network) ? 16 : 32;
    isNear(t, await answersTo(model, [expected.length, 3, size, size]), expected);
    t.match(model.weights?.files, [{ names }]);
    t.strictSame(model.warnings, [`${checkpoint(file)}: its names are taken for those of ${names}`]);
    if (!/vit\.saf/.test(file)) return;
    const joined = model.weights?.mapping.find(({ parameter }) => parameter === 'blocks.1.attn.qkv.bias');
    t.match(joined, {
      type: 'float32, joined',
      key: /^vit\.encoder\.layer\.1\.attention\.attention\.query\.bias, .*key\.bias, .*value\.bias$/,
    });
  });
}

t.test('a checkpoint of other classes is told in the names of the model, and loads in part', async (t) => {
  const path = graph(t, 'convnext of seven classes');
  const weights = [checkpoint('facebook-convnext.pth')];
  const lacks =
    /has 63 of the 65 parameters of .*: misshapen head\.fc\.weight \(5x12 as head\.weight in the file, 7x12 in the model\)/;
  await t.rejects(loadModel(path, { weights }), { code: 'ERR_WEIGHTS', message: lacks });
  await t.rejects(loadModel(path, { weights }), { message: /load just what fits with --allow-partial$/ });
  const { warnings } = await loadModel(path, { weights, allowPartial: true });
  t.match(warnings, [/its names are taken for those of Facebook's ConvNeXt$/, lacks]);
});

t.test(
  'where less than half fits, it is of another network, and loading that part is no advice',
  async (t) => {
    const weights = [checkpoint('facebook-convnext.pth')];
    const loading = loadModel(graph(t, 'vit'), { weights });
    await t.rejects(loading, {
      message: /has 4 of the 32 parameters .*; give the checkpoint of this model[^;]*folding$/,
    });
  },
);

t.test('of two files just that with other names is said to have them', async (t) => {
  const path = graph(t, 'vit');
  const head = join(t.testdirName, 'head.safetensors');
  const values = Buffer.alloc(4 * 13 * classes, 0);
  const shapes = { 'head.weight': [classes, 12], 'head.bias': [classes] };
  const offsets = { 'head.weight': [0, 240], 'head.bias': [240, 260] };
  const header = Object.entries(shapes).map(([name, shape]) => [
    name,
    { dtype: 'F32', shape, data_offsets: offsets[name as keyof typeof offsets] },
  ]);
  writeFileSync(head, safetensors(Object.fromEntries(header), values));
  const model = await loadModel(path, { weights: [checkpoint('vit.safetensors'), head] });
  t.equal(model.weights?.files[1]?.names, undefined);
  t.match(model.warnings, [
    /^[^,]*vit\.safetensors: its names are taken for those of transformers' ViT or DeiT$/,
  ]);
  t.ok(model.values('head.weight').every((value) => value === 0));
});

t.test('a dialect is not taken where a part of what is joined has another name or shape', async (t) => {
  const model = await loadModel(graph(t, 'vit'));
  const file = readFileSync(checkpoint('vit.safetensors'));
  const start = 8 + Number(file.readBigUInt64LE());
  const header: Record<string, object> = JSON.parse(file.toString('utf8', 8, start));
  const key = 'vit.encoder.layer.0.attention.attention.key.weight';
  const { [key]: own, ...others } = header;
  const changes = { [key]: { ...own, shape: [24, 6] }, [key.replace('key', 'keys')]: own };
  for (const [name, entry] of Object.entries(changes)) {
    const broken = join(t.testdirName, 'broken.safetensors');
    writeFileSync(broken, safetensors({ ...others, [name]: entry }, file.subarray(start)));
    await t.rejects(withWeights(model, [broken]), { code: 'ERR_WEIGHTS' });
  }
});
