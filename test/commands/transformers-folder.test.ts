/**
 * Folders as transformers saves them: the built-in network that is built from one answers as transformers' own
 * (`oracle/make_dialect_fixtures.py`), and what no built-in network is gets refused.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import { readHubFolder } from '../../src/architectures/hub-folder.js';
import { modelInput } from '../../src/model/input.js';
import { openModel } from '../../src/request/open-model.js';
import { answersTo, isNear } from '../architectures/answers.js';
import { parameterByRule } from '../architectures/weight-rule.js';
import { fixture } from '../fixtures.js';
import { safetensors } from '../weights/build-checkpoints.js';
import { critmap } from './critmap.js';

interface Saved {
  config: Record<string, unknown>;
  preprocessor: Record<string, unknown>;
  edge: number;
  logits: number[][];
  /** `name 2x3`. */
  tensors: string[];
}
const saved: Record<string, Saved> = JSON.parse(readFileSync(fixture('dialects/folders.json'), 'utf8'));

function folder(t: Test, name: string, changes: object = {}, images: object | null = {}): string {
  const { config, preprocessor } = saved[name]!;
  const path = join(t.testdir({}), name);
  mkdirSync(path);
  writeFileSync(join(path, 'config.json'), JSON.stringify({ ...config, ...changes }));
  if (images) {
    writeFileSync(join(path, 'preprocessor_config.json'), JSON.stringify({ ...preprocessor, ...images }));
  }
  return path;
}

function weightsOf({ tensors }: Saved): Buffer {
  let at = 0;
  const parts: Buffer[] = [];
  const header = tensors.map((line) => {
    const [name = '', sizes = ''] = line.split(' ');
    const shape = sizes.split('x').map(Number);
    const { buffer, byteOffset, byteLength } = parameterByRule(name, shape);
    parts.push(Buffer.from(buffer, byteOffset, byteLength));
    const from = at;
    at += byteLength;
    return [name, { dtype: 'F32', shape, data_offsets: [from, at] }];
  });
  return safetensors(Object.fromEntries(header), Buffer.concat(parts));
}

const built: Record<string, [architecture: string, resize: number, interpolation: string]> = {
  resnet18: ['resnet18', 73, 'bicubic'],
  vit: ['vit_tiny_patch32_224', 64, 'bilinear'],
  deit: ['deit_tiny_distilled_patch16_224', 36, 'bicubic'],
  'deit-teacher': ['deit_tiny_distilled_patch16_224', 36, 'bicubic'],
  convnext: ['convnext_atto', 71, 'bicubic'],
};
for (const [name, [architecture, resize, interpolation]] of Object.entries(built)) {
  t.test(`the ${name} folder is ${architecture} and answers as transformers' network`, async (t) => {
    const path = folder(t, name);
    const { edge, logits, preprocessor } = saved[name]!;
    writeFileSync(join(path, 'model.safetensors'), weightsOf(saved[name]!));
    const model = await openModel({ model: path });
    t.match(model, { name, builtIn: { architecture }, weights: { missing: [], unexpected: [] } });
    t.equal(model.builtIn?.random.size, 0);
    t.match(modelInput(model), {
      shape: { channels: 3, height: edge, width: edge },
      normalization: { mean: preprocessor.image_mean, std: preprocessor.image_std },
      resizing: { resize, interpolation, ...(/vit|deit/.test(name) && { squash: true }) },
      classes: 5,
    });
    isNear(t, await answersTo(model, [logits.length, 3, edge, edge]), logits);
  });
}

t.test(
  'a sweep of a folder says how images were prepared, and is computed again from what it says',
  async (t) => {
    const path = folder(t, 'deit');
    writeFileSync(join(path, 'model.safetensors'), weightsOf(saved.deit!));
    const images = join(t.testdirName, 'images');
    mkdirSync(images);
    for (const [i, background] of ['red', 'green'].entries()) {
      const picture = sharp({ create: { width: 60, height: 50, channels: 3, background } });
      await picture.png().toFile(join(images, `${i}.png`));
    }
    const out = join(t.testdirName, 'run');
    const args = ['sweep', path, '--data', images, '--labels', 'none', '--layers', 'head', '--out', out];
    const { code, stderr } = await critmap(...args, '--quiet', '--cache', 'off');
    t.equal(code, 0, stderr);
    const run = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
    t.match(run.data.transform, {
      resize: 36,
      interpolation: 'bicubic',
      crop: { height: 32, width: 32 },
      mean: [0.5, 0.5, 0.5],
    });
    t.match(run.environment, {
      asked: { epsilon: 0.05, singleHead: true },
      weights: [{ names: "transformers' ViT or DeiT" }],
    });
    const verified = await critmap('verify', out, '--cells', '1');
    t.equal(verified.code, 0, verified.stderr);
  },
);

t.test('classes are counted from id2label, num_labels or the two of transformers', async (t) => {
  const classesOf = async (changes: object) =>
    (await readHubFolder(folder(t, 'vit', changes))).options.classes;
  t.equal(await classesOf({ id2label: { 0: 'cat', 1: 'dog', 2: 'bird' } }), 3);
  t.equal(await classesOf({ id2label: undefined, num_labels: 9 }), 9);
  t.equal(await classesOf({ id2label: undefined }), 2);
});

const preparations: [title: string, name: string, images: object, expected: object][] = [
  [
    'a ConvNeXt of 384 pixels is not cropped',
    'convnext',
    { size: { shortest_edge: 384 } },
    { size: 384, preprocess: { crop_pct: 1, squash: true } },
  ],
  [
    'a number is the short side',
    'resnet18',
    { size: 224, crop_pct: null },
    { size: 224, preprocess: { crop_pct: 0.875 } },
  ],
  [
    'the older class and number of a ViT',
    'vit',
    { image_processor_type: undefined, feature_extractor_type: 'ViTFeatureExtractor', size: 64, resample: 1 },
    { size: 64, preprocess: { resize: 64, interpolation: 'lanczos' } },
  ],
  [
    'another class of images with a crop',
    'resnet18',
    { image_processor_type: 'BitImageProcessor', do_center_crop: true, crop_size: { height: 56, width: 56 } },
    { size: 56, preprocess: { resize: 64 } },
  ],
  [
    'without normalisation',
    'vit',
    { do_normalize: false },
    { preprocess: { mean: [0, 0, 0], std: [1, 1, 1] } },
  ],
];
for (const [title, name, images, expected] of preparations) {
  t.test(`preparation of images: ${title}`, async (t) => {
    t.match((await readHubFolder(folder(t, name, {}, images))).options, expected);
  });
}

t.test("without preprocessor_config.json images are prepared as timm's, which is said", async (t) => {
  const { options, warnings } = await readHubFolder(folder(t, 'vit', {}, null));
  t.match(options, { size: 64, preprocess: {} });
  t.match(warnings, [/preprocessor_config\.json is not there.*timm's vit_tiny_patch32_224/]);
});

const refusals: [name: string, message: RegExp, changes: object, images?: object][] = [
  ['resnet18', /"ResNetModel" is not known/, { architectures: ['ResNetModel'] }],
  ['resnet18', /which of its classes made the weights is not said/, { architectures: undefined }],
  ['resnet18', /the nearest, resnet18, has depths \[2,2,2,2\], here \[2,2,2,3\]/, { depths: [2, 2, 2, 3] }],
  ['resnet18', /hidden_act "relu", here "silu"/, { hidden_act: 'silu' }],
  ['resnet18', /downsample_in_first_stage false, here true/, { downsample_in_first_stage: true }],
  ['vit', /intermediate_size 768, here 700/, { intermediate_size: 700 }],
  ['vit', /qkv_bias true, here false/, { qkv_bias: false }],
  ['vit', /hidden_act "gelu", here "gelu_new"/, { hidden_act: 'gelu_new' }],
  ['vit', /image_size 64 x 32 is not square/, { image_size: [64, 32] }],
  [
    'vit',
    /makes images of 96 pixels, config\.json says image_size 64/,
    {},
    { size: { height: 96, width: 96 } },
  ],
  ['vit', /rescale_factor 0\.5 is not 1 \/ 255/, {}, { rescale_factor: 0.5 }],
  ['vit', /resample: Too big/, {}, { resample: 6 }],
  ['convnext', /layer_scale_parameter true, here false/, { layer_scale_init_value: 0 }],
  ['convnext', /patch_size 4, here 8/, { patch_size: 8 }],
  ['convnext', /layer_norm_eps: Too small/, { layer_norm_eps: 0 }],
];
for (const [name, message, changes, images] of refusals) {
  t.test(`${name}: ${message.source} is refused`, async (t) => {
    await t.rejects(readHubFolder(folder(t, name, changes, images)), { code: 'ERR_MODEL', message });
  });
}
