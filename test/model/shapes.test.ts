/** Checkpoints in the shapes that authors leave them in, made by `oracle/make_shape_fixtures.py`: PyTorch's logits. */
import { readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t from 'tap';
import { loadModel } from '../../src/model/load.js';
import { writeOnnx } from '../../src/onnx/file.js';
import { fixture } from '../fixtures.js';
import { readNpyFloats } from '../npy-floats.js';

const shape = (name: string) => fixture(`shapes/${name}`);
const answers: Record<string, number[][]> = JSON.parse(readFileSync(shape('shapes.json'), 'utf8'));

const tensorflow = ['^net\\.(\\d)\\.dense=fc$1'];
const cases: [what: string, files: string[], warnings: RegExp[], rename?: string[]][] = [
  ['nested keys', ['nested.pth'], []],
  ['names behind module.', ['module.pth'], []],
  ['an argparse.Namespace beside the weights', ['namespace.pth'], []],
  ['a legacy file', ['legacy.pth'], []],
  ['half precision', ['half.pth'], []],
  ['backbone and head in two files', ['backbone.pth', 'head.pth'], []],
  [
    'encoder.module. and head.2.',
    ['encoder-head.pth'],
    [/2 tensors .* left out: head\.0\.weight, head\.0\.bias/],
  ],
  [
    'projection head and prototypes, and the head in another file',
    ['prototypes.pth', 'head.pth'],
    [/3 tensors .* left out: .*projection_head/],
  ],
  [
    "an attacker's copy and normalisers",
    ['attacker.pth'],
    [
      /module\.model\.\* is taken, not .*attacker/,
      /3 tensors .* left out: model\.module\.normalizer\.\* \(2\), model\.module\.attacker\.\* \(1\)$/,
    ],
  ],
  ['auxiliary BatchNorm', ['auxiliary.pth'], [/12 tensors .* left out: .*aux_bn/]],
  ['objects of unknown classes', ['unknown.pth'], []],
  ["TensorFlow's names, with one --rename", ['tensorflow.pth'], [], tensorflow],
  [
    "SimCLRv2's names",
    ['simclr.pth'],
    [/simclr\.pth: its names are taken for those of SimCLRv2$/, /1 tensor .* is left out: head\.\* \(1\)$/],
  ],
  ['weight_norm and spectral_norm as hooks', ['norm-hooks.pth'], []],
  ['weight_norm and spectral_norm as parametrisations', ['norm-parametrisations.pth'], []],
];
const bottlenecks = /^(auxiliary|simclr|norm-.*)\.pth$/;

for (const [what, files, warnings, rename] of cases) {
  t.test(`${what}: logits are PyTorch's`, async (t) => {
    const name = bottlenecks.test(files[0]!) ? 'bottleneck' : 'mlp';
    const options = { weights: files.map(shape), ...(rename ? { rename } : {}) };
    const model = await loadModel(fixture(`${name}.onnx`), options);
    const session = await InferenceSession.create(writeOnnx(model.file));
    const images = readNpyFloats(fixture(`${name}.npy`));
    const result = await session.run({ [model.io.input]: new Tensor('float32', images.data, images.shape) });
    await session.release();
    const logits = result[model.io.output]?.data as Float32Array;
    const expected = (answers[files[0]!] ?? answers[name]!).flat();
    t.equal(logits.length, expected.length);
    const far = Math.max(...expected.map((value, i) => Math.abs(value - logits[i]!)));
    const largest = Math.max(...expected.map(Math.abs));
    t.ok(far <= 1e-5 * Math.max(1, largest), `${far} of ${largest}`);
    t.match(model.warnings, warnings);
    t.equal(model.warnings.length, warnings.length);
  });
}
