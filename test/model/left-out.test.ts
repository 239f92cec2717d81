/** What a checkpoint has besides the model's parameters, which of several sets is taken, and other names. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadModel } from '../../src/model/load.js';
import { match } from '../../src/model/match.js';
import type { ModelParameter } from '../../src/model/parameters.js';
import { addressOf } from '../../src/model/place.js';
import { parseRename } from '../../src/model/rename.js';
import { elementTypes } from '../../src/weights/element-types.js';
import { denseStrides, type StoredTensor } from '../../src/weights/stored-tensor.js';
import { fixture } from '../fixtures.js';

const shapes: Record<string, number[]> = {
  'fc1.weight': [16, 64],
  'fc1.bias': [16],
  'fc2.weight': [10, 16],
  'fc2.bias': [10],
};
const graph = fixture('mlp.onnx');

/** A safetensors file of float32 values, all of a tensor the same. */
function filled(t: Test, entries: Record<string, { shape: number[]; value?: number }>): string {
  let at = 0;
  const parts: Buffer[] = [];
  const header = Object.fromEntries(
    Object.entries(entries).map(([name, { shape, value = 0 }]) => {
      const from = at;
      const count = shape.reduce((product, d) => product * d, 1);
      parts.push(Buffer.from(new Float32Array(count).fill(value).buffer));
      at += 4 * count;
      return [name, { dtype: 'F32', shape, data_offsets: [from, at] }];
    }),
  );
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const path = join(t.testdir(), 'filled.safetensors');
  writeFileSync(path, Buffer.concat([length, text, ...parts]));
  return path;
}

const state = (prefix = '', value = 0) =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [prefix + name, { shape, value }]));

t.test('parameters that the network has no place for are left out, in one warning', async (t) => {
  const extra = { 'fc1.aux_bn.weight': { shape: [16] }, 'projector.0.weight': { shape: [4, 10] } };
  const model = await loadModel(graph, { weights: [filled(t, { ...state('', 0.5), ...extra })] });
  t.equal(model.warnings.length, 1);
  t.match(
    model.warnings[0],
    /filled\.safetensors: 2 tensors that .*mlp\.onnx has no place for are left out: fc1\.aux_bn\.weight, projector\.0\.weight$/,
  );
  t.ok(model.values('fc1.weight').every((value) => value === 0.5));
});

t.test('a checkpoint of a deeper network is refused, although it has all parameters', async (t) => {
  const file = filled(t, { ...state('module.'), 'module.fc3.weight': { shape: [10, 16] } });
  await t.rejects(loadModel(graph, { weights: [file] }), {
    code: 'ERR_WEIGHTS',
    message: /has 4 of the 4 parameters .*unexpected module\.fc3\.weight; it is of a deeper network/,
  });
});

const sets = { ...state('model.', 1), ...state('teacher.', 2), ...state('swag.', 3) };

t.test('of several sets of weights the choice is named, with the way to another', async (t) => {
  const path = filled(t, sets);
  const { warnings, values } = await loadModel(graph, { weights: [path] });
  t.equal(warnings.length, 1);
  t.match(
    warnings[0],
    /more than once: teacher\.\* is taken, not swag\.\*, model\.\*; --weights .*#swag takes/,
  );
  t.equal(values('fc1.weight')[0], 2);
});

t.test('FILE#PLACE takes that set, without a warning, and the hash tells it from others', async (t) => {
  const path = filled(t, sets);
  const hashes = new Set<string>();
  for (const [place, value] of [
    ['model', 1],
    ['teacher', 2],
    ['swag.', 3],
  ] as const) {
    const model = await loadModel(graph, { weights: [`${path}#${place}`] });
    t.strictSame(model.warnings, []);
    t.equal(model.values('fc1.weight')[0], value, place);
    t.match(model.weights?.files, [{ path, chosen: place, place: `${place.replace('.', '')}.*` }]);
    t.equal(model.name, 'filled');
    hashes.add(model.sha256);
  }
  t.equal(hashes.size, 3);
  await t.rejects(loadModel(graph, { weights: [`${path}#ema`] }), {
    code: 'ERR_WEIGHTS',
    message: /has no weights of the model at "ema"; it has some at teacher, swag, model/,
  });
});

t.test('a file whose name has a # is that file', async (t) => {
  const dir = t.testdir({ 'a#b.pth': '' });
  t.strictSame(await addressOf(join(dir, 'a#b.pth')), { path: join(dir, 'a#b.pth') });
  t.strictSame(await addressOf(join(dir, 'a#b.pth#c.d')), { path: join(dir, 'a#b.pth'), place: 'c.d' });
});

const float = elementTypes.get('float32')!;
const tensor = (...shape: number[]): StoredTensor => ({
  type: float,
  shape,
  strides: denseStrides(shape),
  offset: 0,
  storage: { byteLength: 1e9, readInto: async () => {} },
});

t.test("MoCo's two encoders: the one that is trained is taken, the other named", async (t) => {
  const parameters = Object.entries({
    'conv1.weight': [8, 3],
    'layer1.weight': [8, 8],
    'fc.weight': [10, 8],
  }).map(
    ([name, shape]): ModelParameter => ({
      ...{ names: [name], tensor: name, shape, transposed: false, required: true, copies: [] },
    }),
  );
  // The projection's last layer has the name of the head, and another shape.
  const encoder = (name: string) => ({
    [`module.${name}.conv1.weight`]: tensor(8, 3),
    [`module.${name}.layer1.weight`]: tensor(8, 8),
    [`module.${name}.fc.0.weight`]: tensor(8, 8),
    [`module.${name}.fc.2.weight`]: tensor(128, 8),
  });
  const tensors = new Map(
    Object.entries({ ...encoder('encoder_q'), ...encoder('encoder_k'), 'module.queue': tensor(8, 64) }),
  );
  const file = { path: 'moco.pth', format: '', tables: [{ path: ['state_dict'], tensors }] };
  const { warnings, scopes } = match([file], parameters, undefined);
  t.equal(scopes[0]?.prefix, 'module.encoder_q.');
  t.match(warnings, [/encoder_q\.\* is taken, not state_dict: module\.encoder_k\.\*/]);
});

t.test('--rename gives tensors the names of the model', async (t) => {
  const other = Object.fromEntries(
    Object.entries(state('', 4)).map(([name, one]) => [name.replace(/^fc(\d)/, 'net.$1.dense'), one]),
  );
  const path = filled(t, other);
  await t.rejects(loadModel(graph, { weights: [path] }), { message: /none of its 4 tensors/ });
  const model = await loadModel(graph, { weights: [path], rename: ['^net\\.(\\d)\\.=fc\\1.', 'dense\\.='] });
  t.ok(model.values('fc2.bias').every((value) => value === 4));
  t.match(
    model.weights?.mapping[0],
    { parameter: 'fc1.weight', key: 'net.1.dense.weight' },
    'as in the file',
  );
  t.match(model.weights?.files, [{ renames: ['^net\\.(\\d)\\.=fc\\1.', 'dense\\.='] }]);
});

const bad: [title: string, rename: string, message: RegExp][] = [
  ['without a replacement', 'fc', /--rename "fc": write it as 'REGEX=REPLACEMENT'/],
  ['that is no regular expression', '(fc=x', /--rename "\(fc=x": Invalid regular expression/],
  [
    'that changes nothing',
    'conv=x',
    /--rename "conv=x" changes no name in .*filled\.safetensors, which has fc1/,
  ],
  [
    'that gives one name twice',
    'fc\\d=fc',
    /"fc1\.weight" and "fc2\.weight" would both be called "fc\.weight"/,
  ],
];
for (const [title, rename, message] of bad) {
  t.test(`a rename ${title} is refused`, async (t) => {
    await t.rejects(loadModel(graph, { weights: [filled(t, state())], rename: [rename] }), { message });
  });
}

t.test('a rename is divided at its last =, so that a regular expression may look around', async (t) => {
  const { pattern, replacement } = parseRename('(?<=layer)0=1');
  t.equal('layer0'.replace(pattern, replacement), 'layer1');
});
