/** Exports in the styles of several producers, made by oracle/make_export_fixtures.py. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import t, { type Test } from 'tap';
import { CritmapError, messageOf } from '../../src/errors.js';
import { initialsOf } from '../../src/initialisation/initials.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import { writeOnnx } from '../../src/onnx/file.js';
import { ownGraph } from '../../src/plan/base-graph.js';
import { ownMacs } from '../../src/plan/macs.js';
import { fixture } from '../fixtures.js';
import { readNpyFloats } from '../npy-floats.js';
import { checkExport } from './exported.js';

const folder = fixture('exports');
const at = (name: string) => join(folder, `${name}.onnx`);

const kinds = {
  attending: ['folded', 'dynamo'],
  standardised: ['torchscript', 'dynamo-plain'],
  upsampling: ['torchscript', 'dynamo'],
  recurrent: ['torchscript', 'folded'],
};
for (const [name, list] of Object.entries(kinds)) {
  for (const kind of list) {
    t.test(`${name}, exported as ${kind}, has PyTorch's layers, parameters, logits and resets`, async (t) => {
      const { problems } = await checkExport(folder, name, kind);
      t.strictSame(problems, []);
    });
  }
}

t.test('a standardised weight is reset before it is standardised', async (t) => {
  const { layers, warnings } = await loadModel(at('standardised.torchscript'));
  t.strictSame(warnings, []);
  t.strictSame(
    layers.map(({ name, weight, fanIn, groups }) => [name, weight.tensor, fanIn, groups]),
    [
      ['stem', 'stem.weight', 27, 1],
      ['grouped', 'grouped.weight', 36, 2],
      ['head', 'head.weight', 8, 1],
    ],
  );
});

t.test('standardised weights that the export folded are named, with what to do', async (t) => {
  const stored = await loadModel(at('standardised.dynamo'));
  t.match(stored.warnings, [
    /the weights of 2 convolution\(s\) \(stem, ...\) have mean zero.*docs\/export\.md/,
  ]);
  t.strictSame(
    stored.layers.map(({ name }) => name),
    ['stem', 'grouped', 'head'],
    'their names are those of the scopes',
  );
});

t.test('a transposed convolution has one channel an output, whatever its groups', async (t) => {
  const { layers } = await loadModel(at('upsampling.torchscript'));
  const found = layers.filter(({ op }) => op === 'ConvTranspose');
  t.strictSame(
    found.map(({ name, weight, bias, norm }) => [
      name,
      weight.shape,
      weight.layout,
      bias !== null,
      norm !== null,
    ]),
    [
      ['up1', [4, 6, 4, 4], { channels: 6, inner: 16 }, false, true],
      ['up2', [6, 1, 3, 3], { channels: 6, inner: 9 }, true, false],
      ['up3', [6, 2, 2, 2], { channels: 12, inner: 4 }, true, false],
    ],
  );
});

t.test('layers of recurrent cells are named, drawn and counted as those of PyTorch', async (t) => {
  const size = { channels: 3, height: 16, width: 16 };
  for (const kind of ['torchscript', 'folded']) {
    const model = await loadModel(at(`recurrent.${kind}`));
    const { forward, layers } = await ownMacs(ownGraph(model, 'keep'), model.layers, size, 2);
    const initials = initialsOf(model, 'auto');
    // Four steps, the rows of patches; torch.nn.LSTM draws all by the size of its state.
    t.strictSame(
      model.layers.slice(1, -1).map(({ name, op, hidden }, i) => [name, op, hidden, layers[i + 1]]),
      [
        ['lstm.ih_l0', 'LSTM', 5, 4 * 20 * 16],
        ['lstm.hh_l0', 'LSTM', 5, 4 * 20 * 5],
        ['lstm.ih_l0_reverse', 'LSTM', 5, 4 * 20 * 16],
        ['lstm.hh_l0_reverse', 'LSTM', 5, 4 * 20 * 5],
        ['gru.ih_l0', 'GRU', 6, 4 * 18 * 10],
        ['gru.hh_l0', 'GRU', 6, 4 * 18 * 6],
        ['gru.ih_l1', 'GRU', 6, 4 * 18 * 6],
        ['gru.hh_l1', 'GRU', 6, 4 * 18 * 6],
        ['rnn.ih_l0', 'RNN', 7, 4 * 7 * 6],
        ['rnn.hh_l0', 'RNN', 7, 4 * 7 * 7],
      ],
    );
    t.equal(
      forward,
      layers.reduce((sum, one) => sum + one),
    );
    for (const { name, hidden } of model.layers.slice(1, -1)) {
      const bound = 1 / Math.sqrt(hidden!);
      const drawn = { kind: 'uniform', low: -bound, high: bound };
      t.match(initials.get(name), { weight: { distribution: drawn }, bias: { distribution: drawn } });
    }
  }
});

/** What make_export_fixtures.py says of a graph that it built. */
interface Built {
  layers: [name: string, shape: number[], bias: boolean][];
  logits: number[][];
}

const images = readNpyFloats(join(folder, 'images.npy'));

async function isAsBuilt(t: Test, name: string, model: Model): Promise<void> {
  const truth: Built = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
  t.strictSame(
    model.layers.map((layer) => [layer.name, layer.weight.shape, layer.bias !== null]),
    truth.layers,
  );
  const rows = await logitsOf(model);
  const far = truth.logits.map((row, i) =>
    Math.max(...row.map((value, j) => Math.abs(value - (rows[i]?.[j] ?? NaN)))),
  );
  t.ok(Math.max(...far) < 1e-4, `logits are off by ${Math.max(...far)}`);
}

async function logitsOf({ file, io }: Model): Promise<number[][]> {
  const session = await InferenceSession.create(writeOnnx(file), { logSeverityLevel: 3 });
  const { data, shape } = images;
  const [count = 0, ...rest] = shape;
  const batch = io.batch ?? count;
  const rows: number[][] = [];
  for (let from = 0; from < count; from += batch) {
    const length = data.length / count;
    const feed = new Tensor('float32', data.subarray(from * length, (from + batch) * length), [
      batch,
      ...rest,
    ]);
    const logits = (await session.run({ [io.input]: feed }, [io.output]))[io.output] as Tensor;
    const classes = logits.dims[1] ?? 0;
    const values = [...(logits.data as Float32Array)];
    for (let i = 0; i < batch; i++) rows.push(values.slice(i * classes, (i + 1) * classes));
  }
  await session.release();
  return rows;
}

t.test("tf2onnx: images channels last, HWIO kernels, scopes and ':0' in names, a softmax", async (t) => {
  const model = await loadModel(at('tensorflow'), { output: 'scores' });
  await isAsBuilt(t, 'tensorflow', model);
  const { channels, height, width } = model.io;
  t.strictSame([channels, height, width], [3, 16, 16]);
  t.strictSame(model.file.ends?.channelsLast, true);
  t.strictSame(model.warnings, []);
  t.match((await loadModel(at('tensorflow'))).warnings, [
    /is a softmax; what that is of, scores, is compared/,
  ]);
});

t.test('Paddle2ONNX: opset 9, weights among the inputs, Constant nodes, its parameter names', async (t) => {
  const model = await loadModel(at('paddle'));
  await isAsBuilt(t, 'paddle', model);
  t.ok(model.layers[0]?.norm, 'the convolution has its BatchNorm');
  t.equal(model.io.batch, null);
});

t.test(
  'float16 and bfloat16 become float32 of the same value, subnormal and negative zero too',
  async (t) => {
    const model = await loadModel(at('half'));
    await isAsBuilt(t, 'half', model);
    t.match(model.warnings, [/its numbers are float16 and bfloat16; .* float32/]);
    t.notMatch(model.file.proto, { graph: { initializer: [{ dataType: 10 }] } });
  },
);

t.test('the images are named among several inputs; others get zeros or are left out', async (t) => {
  await t.rejects(
    loadModel(at('several')),
    /takes 2 inputs \(shift: float32 1 x 6, pixels: float32 2 x 3 x 16 x 16\).*--input/,
  );
  const model = await loadModel(at('several'), { input: 'pixels' });
  t.equal(model.io.output, 'logits', 'the flat output that most layers lead to');
  t.equal(model.io.batch, 2, 'the batch is fixed');
  t.match(model.warnings, [/input shift gets zeros/]);
  t.strictSame(
    model.layers.map(({ name }) => name),
    ['conv', 'fc'],
    'an auxiliary head is none of its layers',
  );
  t.strictSame(
    model.file.graph.input.map(({ name }) => name),
    ['pixels'],
  );
  await isAsBuilt(t, 'several', model);
});

t.test('an output that is named is taken, inside of the graph too', async (t) => {
  const model = await loadModel(at('several'), { input: 'pixels', output: 'features' });
  t.equal(model.io.output, 'features');
  t.strictSame(model.warnings, [], 'shift is not needed for it');
  t.equal((await logitsOf(model))[0]?.length, 6);
  t.strictSame(
    model.layers.map(({ name }) => name),
    ['conv'],
    'layers behind it are left out',
  );
  const inner = await loadModel(at('several'), { input: 'pixels', output: 'shifted' });
  t.equal((await logitsOf(inner))[0]?.length, 6);
});

t.test('names that are none of the graph, and quantised models, are refused in one line', async (t) => {
  const bad: [name: string, choice: object, says: RegExp][] = [
    ['several', { input: 'images' }, /no input images; its inputs are shift: .*pixels/],
    [
      'several',
      { input: 'pixels', output: 'probs' },
      /no output or tensor probs; its outputs are features 2 x 6/,
    ],
    [
      'several',
      { input: 'temperature', output: 'logits' },
      /logits does not depend on the input temperature/,
    ],
    ['several', { input: 'shift' }, /also needs|shape 1 x 6/],
    ['quantised', {}, /quantised \(DequantizeLinear\).*Give the float32 model/],
  ];
  for (const [name, choice, says] of bad) {
    const error = await loadModel(at(name), choice).catch((thrown: unknown) => thrown);
    t.ok(error instanceof CritmapError && error.code === 'ERR_MODEL', name);
    t.match(messageOf(error), says);
    t.ok(messageOf(error).includes(at(name)));
    t.notMatch((error as Error).message, /\n/);
  }
});
