/** MODEL as a folder of the Hugging Face hub: config.json and model.safetensors, nothing else is given. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import { critmap } from './critmap.js';
import { config, weights } from './hub-model.js';

function folder(
  t: Test,
  changes: object = {},
  files: Record<string, Buffer> = { 'model.safetensors': weights },
) {
  const path = join(t.testdir({}), 'convnext_atto.a1_in1k');
  mkdirSync(path);
  writeFileSync(join(path, 'config.json'), JSON.stringify({ ...config, ...changes }));
  for (const [name, data] of Object.entries(files)) writeFileSync(join(path, name), data);
  return path;
}

t.test(
  'a sweep takes architecture, weights, size and preparation from it, and run.json says so',
  async (t) => {
    const path = folder(t);
    const images = join(t.testdirName, 'images');
    mkdirSync(images);
    for (const [i, background] of ['red', 'green'].entries()) {
      const picture = sharp({ create: { width: 400, height: 320, channels: 3, background } });
      await picture.png().toFile(join(images, `${i}.png`));
    }
    const out = join(t.testdirName, 'run');
    const args = ['sweep', path, '--data', images, '--labels', 'none', '--layers', 'head.fc', '--out', out];
    const { code, stderr } = await critmap(...args, '--quiet', '--cache', 'off');
    t.equal(code, 0, stderr);
    t.notMatch(stderr, /random/);
    const run = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
    t.match(run.data.transform, {
      kind: 'pixels',
      // timm's floor(288 / 0.95).
      resize: 303,
      interpolation: 'bicubic',
      crop: { height: 288, width: 288 },
      mean: [0.5, 0.4, 0.3],
      std: [0.2, 0.3, 0.4],
    });
    t.equal(run.model.name, 'convnext_atto.a1_in1k');
    t.match(run.environment.weights, [{ path: join(path, 'model.safetensors'), format: 'safetensors' }]);
    const verified = await critmap('verify', out, '--cells', '1');
    t.equal(verified.code, 0, `the run says enough to build it again: ${verified.stderr}`);
  },
);

t.test('--size is of the person, test_crop_pct goes before crop_pct', async (t) => {
  const { pretrained_cfg } = config;
  const path = folder(t, { pretrained_cfg: { ...pretrained_cfg, test_crop_pct: 1 } });
  const { stdout, code, stderr } = await critmap('inspect', path, '--size', '64', '--json');
  t.equal(code, 0, stderr);
  const { input, name, weights: loaded } = JSON.parse(stdout);
  t.match(input, { height: 64, width: 64, mean: [0.5, 0.4, 0.3] });
  t.equal(name, 'convnext_atto.a1_in1k');
  t.strictSame(loaded.missing, []);
});

const { pretrained_cfg: cfg } = config;
const refusals: [title: string, changes: object, message: RegExp, code?: number][] = [
  [
    'an architecture that is not built in',
    { architecture: 'nfnet_f0' },
    /no built-in architecture "nfnet_f0"/,
    2,
  ],
  [
    'arguments that change the network',
    { model_args: { img_size: 384 } },
    /config\.json: model_args changes .*img_size/,
  ],
  ['another pooling', { global_pool: 'max' }, /global_pool "max" is not built in/],
  [
    'an unknown filter',
    { pretrained_cfg: { ...cfg, interpolation: 'magic' } },
    /interpolation: Invalid option/,
  ],
  ['another kind of crop', { pretrained_cfg: { ...cfg, crop_mode: 'border' } }, /crop_mode: Invalid option/],
  [
    "transformers' configuration of another model",
    { architecture: undefined, model_type: 'swin', architectures: ['SwinForImageClassification'] },
    /is of transformers, .*"SwinForImageClassification" is not known; export the model to ONNX/,
  ],
];
for (const [title, changes, message, exit = 1] of refusals) {
  t.test(`${title} is refused in one line`, async (t) => {
    const { code, stdout, stderr } = await critmap('inspect', folder(t, changes));
    t.equal(code, exit, stderr);
    t.equal(stdout, '');
    t.match(stderr, message);
    t.equal(stderr.trim().split('\n').length, 1);
  });
}

t.test(
  'a folder without config.json or weights is refused, and so are options that the file decides',
  async (t) => {
    const empty = t.testdir({ empty: {} });
    t.match(
      (await critmap('inspect', join(empty, 'empty'))).stderr,
      /is a folder without config\.json; give an ONNX/,
    );
    const path = folder(t, {}, {});
    t.match(
      (await critmap('inspect', path)).stderr,
      /is a folder without model\.safetensors or pytorch_model\.bin/,
    );
    for (const name of ['a.pth', 'b.pth']) writeFileSync(join(path, name), weights);
    t.match(
      (await critmap('inspect', path)).stderr,
      /has several files of weights \(a\.pth, b\.pth\); name one/,
    );
    const { code, stderr } = await critmap('inspect', path, '--classes', '7');
    t.equal(code, 2);
    t.match(stderr, /--classes goes with --arch; the classes of .* are its own/);
  },
);
