import t from 'tap';
import { modelInput } from '../../src/model/input.js';
import type { Model } from '../../src/model/model.js';

type Sizes = { height: number | null; width: number | null };

/** The parts of a model that its images depend on. */
function model(metadata: Record<string, unknown>, size: Sizes = { height: 224, width: 224 }): Model {
  const entries = Object.entries(metadata).map(([key, value]): [string, string] => [
    key,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return { io: { channels: 3, ...size }, file: { path: 'm.onnx', metadata: new Map(entries) } } as never;
}
const any = { height: null, width: null };
const mean = [0.5, 0.5, 0.5];
const std = [0.25, 0.25, 0.25];

t.test('a model that says nothing has a shape only', async (t) => {
  t.same(modelInput(model({})), { shape: { channels: 3, height: 224, width: 224 } });
  t.same(modelInput(model({}, any)).shape, { channels: 3, height: 224, width: 224 });
  t.same(modelInput(model({}, any), 96).shape, { channels: 3, height: 96, width: 96 });
});

t.test('critmap.preprocess gives normalisation and resizing', async (t) => {
  const preprocess = { mean, std, resize: 232, interpolation: 'bicubic' };
  t.same(modelInput(model({ 'critmap.preprocess': preprocess })), {
    shape: { channels: 3, height: 224, width: 224 },
    normalization: { mean, std },
    resizing: { resize: 232, interpolation: 'bicubic' },
  });
});

t.test('crop_pct is the share of the resized picture, rounded down as timm does', async (t) => {
  // timm.data.transforms_factory: math.floor(img_size / crop_pct)
  const short = (crop_pct: number, size?: number) =>
    modelInput(model({ 'critmap.preprocess': { crop_pct } }, any), size).resizing;
  t.same(short(0.875), { resize: 256 });
  t.same(short(0.9), { resize: 248 });
  t.same(short(0.95, 288), { resize: 303 });
  t.same(short(1, 384), { resize: 384 });
});

t.test('crop is the size of a model that takes any, unless another is asked for', async (t) => {
  const preprocess = { 'critmap.preprocess': { crop: 288, crop_pct: 0.96 } };
  t.match(modelInput(model(preprocess, any)), {
    shape: { height: 288, width: 288 },
    resizing: { resize: 300 },
  });
  t.match(modelInput(model(preprocess, any), 96), { shape: { height: 96 }, resizing: { resize: 100 } });
});

t.test('the older entries for mean and std still count', async (t) => {
  const old = { 'critmap.mean': mean, 'critmap.std': std };
  t.same(modelInput(model(old)).normalization, { mean, std });
  const both = { ...old, 'critmap.preprocess': { mean: [0, 0, 0], std: [1, 1, 1] } };
  t.same(modelInput(model(both)).normalization, { mean: [0, 0, 0], std: [1, 1, 1] });
});

const entry = 'm.onnx: the metadata critmap.preprocess';
const refused: [metadata: Record<string, unknown>, message: string | RegExp][] = [
  [{ 'critmap.preprocess': '{' }, `${entry} is not valid (not JSON)`],
  [
    { 'critmap.preprocess': [] },
    /^m\.onnx: the metadata critmap\.preprocess is not valid \(.*expected object/,
  ],
  [{ 'critmap.preprocess': { crop_mode: 'squash' } }, /is not valid \(.*crop_mode/],
  [{ 'critmap.preprocess': { resize: 0 } }, /is not valid \(resize: /],
  [{ 'critmap.preprocess': { interpolation: 'cubic' } }, /is not valid \(interpolation: /],
  [{ 'critmap.preprocess': { crop_pct: 1.5 } }, /is not valid \(crop_pct: /],
  [
    { 'critmap.preprocess': { mean: [0], std: [1] } },
    `${entry} must give mean and std for 3 channels, not 1`,
  ],
  [{ 'critmap.preprocess': { mean } }, `${entry} has mean without std; set both or neither`],
  [
    { 'critmap.preprocess': { resize: 256, crop_pct: 0.9 } },
    `${entry} gives resize and crop_pct; leave one out`,
  ],
  [{ 'critmap.preprocess': { crop: 256 } }, `${entry} says crop 256, the graph takes 224x224`],
  [
    { 'critmap.mean': mean },
    'm.onnx: the metadata has critmap.mean without critmap.std; set both or neither',
  ],
  [{ 'critmap.mean': mean, 'critmap.std': '1' }, /critmap\.std must be a JSON array of 3 numbers, got 1/],
];
for (const [metadata, message] of refused) {
  t.test(`${JSON.stringify(metadata)} is refused`, async (t) => {
    t.throws(() => modelInput(model(metadata)), { name: 'CritmapError', code: 'ERR_MODEL', message });
  });
}
