import t from 'tap';
import { match, placeText } from '../../src/model/match.js';
import type { ModelParameter } from '../../src/model/parameters.js';
import { findScopes } from '../../src/model/scope.js';
import { elementTypes } from '../../src/weights/element-types.js';
import { denseStrides, type StoredTensor } from '../../src/weights/stored-tensor.js';

const type = elementTypes.get('float32')!;
const tensor = (...shape: number[]): StoredTensor => ({
  type,
  shape,
  strides: denseStrides(shape),
  offset: 0,
  storage: { byteLength: 1e9, readInto: async () => {} },
});
const table = (path: string, tensors: Record<string, StoredTensor>) => ({
  path: path === '' ? [] : path.split('/'),
  tensors: new Map(Object.entries(tensors)),
});
const parameter = (name: string, ...shape: number[]): ModelParameter => ({
  names: [name],
  tensor: name,
  shape,
  transposed: false,
  required: true,
  copies: [],
});

/** A network of two convolutions and a classifier, as a model and under a prefix in a file. */
const shapes = { 'conv1.weight': [8, 3, 3, 3], 'layer1.0.conv1.weight': [8, 8, 3, 3], 'fc.weight': [10, 8] };
const modelOf = (prefix = '') =>
  Object.entries(shapes).map(([name, shape]) => parameter(prefix + name, ...shape));
const state = (prefix: string, classes = 10) =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, [first, ...rest]]) => [
      prefix + name,
      tensor(name === 'fc.weight' ? classes : (first ?? 0), ...rest),
    ]),
  );

const places: [title: string, tables: ReturnType<typeof table>[], place: string][] = [
  ['a bare state dict', [table('', state(''))], 'its top level'],
  ['state_dict behind module.', [table('state_dict', state('module.'))], 'state_dict: module.*'],
  ['any nesting and any prefix', [table('a/b', state('net.encoder.0.'))], 'a.b: net.encoder.0.*'],
  [
    'averaged weights before plain ones',
    [table('model', state('')), table('model_ema', state(''))],
    'model_ema',
  ],
  ['the teacher before the student', [table('student', state('')), table('teacher', state(''))], 'teacher'],
  [
    'the encoder that is trained before the one that follows it',
    [table('state_dict', { ...state('module.encoder_k.'), ...state('module.encoder_q.') })],
    'state_dict: module.encoder_q.*',
  ],
  [
    'the one whose shapes fit before an averaged one of other classes',
    [table('model', state('')), table('ema', state('', 1000))],
    'model',
  ],
  [
    'a word that only contains ema is no average',
    [table('model', state('')), table('schema', state(''))],
    'model',
  ],
];
for (const [title, tables, place] of places) {
  t.test(`${title}: the parameters are found there`, async (t) => {
    for (const order of [tables, [...tables].reverse()]) {
      // Copies of one rank are taken in the file's order, which is then what is tested.
      if (title.startsWith('a word') && order !== tables) continue;
      const [best] = findScopes(order, modelOf());
      t.equal(best && placeText(best), place);
    }
  });
}

t.test('a model that was wrapped before its export finds bare parameters', async (t) => {
  const [best] = findScopes([table('', state(''))], modelOf('model.'));
  t.match(best, { prefix: '', modelPrefix: 'model.', fitting: 3 });
});

t.test('tensors outside the scope are not unexpected, those within it are', async (t) => {
  const file = {
    path: 'w.pth',
    format: '',
    tables: [
      table('state_dict', {
        ...state('module.net.'),
        'module.net.projector.weight': tensor(2),
        'module.loss.w': tensor(2),
      }),
      table('optimizer', { step: tensor(1) }),
    ],
  };
  const { unexpected, missing } = match([file], modelOf(), undefined);
  t.strictSame(unexpected, [{ file: 0, key: 'module.net.projector.weight' }]);
  t.strictSame(missing, []);
});

t.test('endless names take no endless time', async (t) => {
  const long = `${'a.'.repeat(200_000)}conv1.weight`;
  const tensors = { ...state(''), [long]: tensor(1) };
  const started = performance.now();
  t.equal(findScopes([table('', tensors)], modelOf())[0]?.fitting, 3);
  t.ok(performance.now() - started < 20_000);
});

t.test(
  'of a network of another width the place is where the names are, not where a few shapes fit',
  async (t) => {
    const wide = {
      'conv1.weight': [64, 3, 7, 7],
      'layer1.conv.weight': [64, 64, 3, 3],
      'layer2.conv.weight': [64, 64, 3, 3],
      'bn.weight': [64],
    };
    const parameters = Object.entries(wide).map(([name, shape]) => parameter(name, ...shape));
    const narrow = {
      'module.conv1.weight': tensor(16, 3, 3, 3),
      'module.layer1.conv.weight': tensor(16, 16, 3, 3),
      'module.layer2.conv.weight': tensor(16, 16, 3, 3),
      'module.bn.weight': tensor(16),
      'module.layer3.bn.weight': tensor(64),
    };
    const [best] = findScopes([table('', narrow)], parameters);
    t.equal(best?.prefix, 'module.');
    const file = { path: 'narrow.pth', format: 'PyTorch zip', tables: [table('', { ...narrow })] };
    const { matches, misfit } = match([file], parameters, undefined);
    t.equal(matches.length, 0);
    t.equal(
      misfit[0]?.text,
      'conv1.weight (16x3x3x3 as module.conv1.weight in the file, 64x3x7x7 in the model)',
    );
  },
);
