import t from 'tap';
import { matchFactor } from '../../src/initialisation/spread.js';
import { loadModel } from '../../src/model/load.js';
import type { Model } from '../../src/model/model.js';
import { withTargets } from '../../src/model/targets.js';
import type { Layer } from '../../src/onnx/layers.js';
import { isRandom, isRandomLabel, type Reset, type ResetContext } from '../../src/resets/kinds.js';
import { parseReset, parseResets } from '../../src/resets/parse.js';
import { resetLayer } from '../../src/resets/reset.js';
import { fixture } from '../fixtures.js';

const model = await loadModel(fixture('bottleneck.onnx'));
const context: ResetContext = { seed: 0, init: 'auto', norm: 'keep' };
const random: Reset = { kind: 'random', label: 'random' };
const layerOf = (from: Model, name: string) => from.layers.find((layer) => layer.name === name) as Layer;
const weightOf = (layer: Layer, tensors: Map<string, Float32Array>) =>
  tensors.get(layer.weight.tensor) as Float32Array;
const rms = (values: Float32Array) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

t.test('a random reset changes the weight and bias of one layer and records by how much', async (t) => {
  const fc = layerOf(model, 'fc');
  const { tensors, change } = await resetLayer(model, fc, random, 0, context);
  t.strictSame([...tensors.keys()].sort(), ['fc.bias', 'fc.weight']);
  let difference = 0;
  let original = 0;
  for (const [tensor, values] of tensors) {
    for (const [i, value] of model.values(tensor).entries()) {
      difference += ((values[i] as number) - value) ** 2;
      original += value ** 2;
    }
  }
  t.ok(Math.abs((change as number) - Math.sqrt(difference / original)) < 1e-12);
  const bound = 1 / Math.sqrt(fc.fanIn);
  t.ok(
    weightOf(fc, tensors).every((value) => Math.abs(value) <= bound),
    "PyTorch's Linear default",
  );
});

t.test('the trained weights in memory are untouched', async (t) => {
  const fresh = await loadModel(fixture('bottleneck.onnx'));
  for (const layer of model.layers) await resetLayer(model, layer, random, 0, context);
  for (const { weight } of model.layers)
    t.strictSame(model.values(weight.tensor), fresh.values(weight.tensor));
});

t.test('the same seed, layer and trial give the same weights in any order and in any model', async (t) => {
  const donor = await loadModel(fixture('bottleneck-donor.onnx'));
  const weights = async (of: Model, layers: readonly Layer[], trial: number) => {
    const found: Float32Array[] = [];
    for (const layer of layers) {
      found.push(weightOf(layer, (await resetLayer(of, layer, random, trial, context)).tensors));
    }
    return found;
  };
  const forwards = await weights(model, model.layers, 1);
  const backwards = (await weights(model, [...model.layers].reverse(), 1)).reverse();
  const elsewhere = await weights(donor, donor.layers, 1);
  t.strictSame(backwards, forwards);
  t.strictSame(elsewhere, forwards, 'another model of the architecture gets the same draws');
  const other = await weights(model, model.layers, 2);
  t.ok(
    other.every((values, i) => values.some((value, j) => value !== forwards[i]?.[j])),
    'trials differ',
  );
});

t.test('another seed gives other weights, and a bias is drawn apart from its weight', async (t) => {
  const fc = layerOf(model, 'fc');
  const { tensors: first } = await resetLayer(model, fc, random, 0, context);
  const { tensors: other } = await resetLayer(model, fc, random, 0, { ...context, seed: 1 });
  t.notSame(other.get('fc.weight'), first.get('fc.weight'));
  t.notSame(other.get('fc.bias'), first.get('fc.bias'));
  const bias = first.get('fc.bias') as Float32Array;
  t.notSame(first.get('fc.weight')?.subarray(0, bias.length), bias);
});

t.test('a donor whose BatchNorm is folded does not fit a model whose is not', async (t) => {
  const reset = await parseReset(`donor=${fixture('bottleneck.folded.onnx')}`);
  await t.rejects(resetLayer(model, layerOf(model, 'conv1'), reset, 0, context), {
    code: 'ERR_RESET',
    message: /exported with BatchNorm folded/,
  });
});

t.test('an export that stores a Linear transposed gets the same logical weights', async (t) => {
  // The plain export keeps [out, in] behind a Transpose, the folded one stores [in, out].
  const plain = await loadModel(fixture('vit.onnx'));
  const folded = await loadModel(fixture('vit.folded.onnx'));
  let transposed = 0;
  for (const layer of plain.layers) {
    const twin = layerOf(folded, layer.name);
    const [out = 0] = layer.weight.shape;
    const rest = layer.weight.shape.slice(1).reduce((product, d) => product * d, 1);
    const a = weightOf(layer, (await resetLayer(plain, layer, random, 0, context)).tensors);
    const b = weightOf(twin, (await resetLayer(folded, twin, random, 0, context)).tensors);
    if (twin.weight.layout.transposed) transposed++;
    const logical = (layout: { transposed?: boolean }, values: Float32Array) =>
      Array.from({ length: out * rest }, (_, i) =>
        layout.transposed ? values[(i % rest) * out + Math.floor(i / rest)] : values[i],
      );
    t.strictSame(logical(twin.weight.layout, b), logical(layer.weight.layout, a), layer.name);
  }
  t.ok(transposed > 0, 'the fixture does have transposed weights');
});

t.test('zero and constant set every element', async (t) => {
  const layer = layerOf(model, 'layer1.0.conv2');
  for (const [text, value] of [
    ['zero', 0],
    ['constant=0.25', 0.25],
  ] as const) {
    const { tensors } = await resetLayer(model, layer, await parseReset(text), 0, context);
    t.ok(
      weightOf(layer, tensors).every((element) => element === value),
      text,
    );
  }
});

t.test("shuffle keeps a layer's own values and changes their places", async (t) => {
  const layer = layerOf(model, 'layer1.0.conv2');
  const own = model.values(layer.weight.tensor);
  const { tensors } = await resetLayer(model, layer, await parseReset('shuffle'), 0, context);
  t.strictSame(Float32Array.from(weightOf(layer, tensors)).sort(), Float32Array.from(own).sort());
  t.notSame(weightOf(layer, tensors), own);
});

t.test('noise is relative to the weights: the change is about its sigma', async (t) => {
  const layer = layerOf(model, 'conv1');
  const { change } = await resetLayer(model, layer, await parseReset('noise=0.5'), 0, context);
  t.ok(Math.abs((change as number) - 0.5) < 0.05, `${change}`);
});

t.test('donor and interpolate take weights of another model', async (t) => {
  const path = fixture('bottleneck-donor.onnx');
  const donor = await loadModel(path);
  const layer = layerOf(model, 'layer1.0.conv2');
  const [own, theirs] = [
    model.values(layer.weight.tensor),
    donor.values(layerOf(donor, layer.name).weight.tensor),
  ];
  const whole = await resetLayer(model, layer, await parseReset(`donor=${path}`), 0, context);
  t.strictSame(weightOf(layer, whole.tensors), theirs);
  const part = await resetLayer(model, layer, await parseReset(`interpolate=${path}@0.25`), 0, context);
  for (const [i, value] of weightOf(layer, part.tensors).entries()) {
    const expected = 0.75 * (theirs[i] as number) + 0.25 * (own[i] as number);
    if (Math.abs(value - expected) > 1e-6 * (Math.abs(expected) + 1e-3))
      t.fail(`${i}: ${value} is not ${expected}`);
  }
});

t.test('an interpolation with noise has draws, the same noise at every share', async (t) => {
  const path = fixture('bottleneck-donor.onnx');
  const layer = layerOf(model, 'layer1.0.conv2');
  const made = async (words: string, trial = 0) => {
    const reset = await parseReset(words);
    t.equal(isRandom(reset, layer), words.includes('~'), words);
    t.equal(isRandomLabel(words, 'Conv'), words.includes('~'), words);
    return weightOf(layer, (await resetLayer(model, layer, reset, trial, context)).tensors);
  };
  const [still, noisy] = [await made(`interpolate=${path}@0.25`), await made(`interpolate=${path}@0.25~0.1`)];
  const own = await made(`interpolate=${path}@1~0.1`);
  const noise = noisy.map((value, i) => value - still[i]!);
  const spread = Math.sqrt(noise.reduce((sum, value) => sum + value * value, 0) / noise.length);
  t.ok(Math.abs(spread - 0.1) < 0.01, `${spread}`);
  const trained = model.values(layer.weight.tensor);
  t.ok(own.every((value, i) => Math.abs(value - trained[i]! - noise[i]!) < 1e-6));
  t.notSame(await made(`interpolate=${path}@0.25~0.1`, 1), noisy, 'another draw');
  for (const [words, why] of [
    ['0.5~0', /SIGMA must be above 0/],
    ['0.5~-1', /SIGMA must be above 0/],
    ['0.5~x', /SIGMA must be a number/],
    ['0.5~1~2', /ALPHA~SIGMA is two numbers/],
  ] as const) {
    await t.rejects(parseReset(`interpolate=${path}@${words}`), { code: 'ERR_OPTION', message: why });
  }
});

t.test(
  'noise of an interpolation is for what is trained, and not for what a norm has measured',
  async (t) => {
    const resnet = withTargets(await loadModel(fixture('cascades/resnet.onnx')), { include: 'norm' });
    const norm = layerOf(resnet, 'bn1');
    const made = async (share: string) => {
      const words = `interpolate=${fixture('norms/resnet.safetensors')}@${share}`;
      const [reset] = await parseResets([words], resnet);
      const { tensors } = await resetLayer(resnet, norm, reset!, 0, context);
      const { mean, variance } = norm.statistics!;
      return [norm.weight, norm.bias!, mean, variance].map(({ tensor }) => tensors.get(tensor));
    };
    const [still, noisy] = [await made('0.25'), await made('0.25~0.5')];
    t.strictSame(
      noisy.slice(2),
      still.slice(2),
      'the same mean and variance, which PyTorch has with that share',
    );
    for (const i of [0, 1]) t.notSame(noisy[i], still[i]);
    t.strictSame((await made('1~0.5')).slice(2), [undefined, undefined], 'its own');
    for (const parts of ['weight', 'bias'] as const) {
      const { tensors } = await resetLayer(resnet, norm, random, 0, { ...context, parts });
      t.strictSame([...tensors.keys()], [norm[parts]!.tensor], `${parts} is not what it has measured`);
    }
  },
);

t.test('a donor of another architecture is refused by layer', async (t) => {
  const reset = await parseReset(`donor=${fixture('vit.onnx')}`);
  await t.rejects(resetLayer(model, layerOf(model, 'conv1'), reset, 0, context), {
    code: 'ERR_RESET',
    message: /vit\.onnx does not fit conv1: it has no weight of that layer/,
  });
});

t.test('a reset that changes nothing is an error, not a result', async (t) => {
  const reset = await parseReset(`donor=${fixture('bottleneck.onnx')}`);
  await t.rejects(resetLayer(model, layerOf(model, 'conv1'), reset, 0, context), {
    code: 'ERR_RESET',
    message: /resetting conv1 with donor=.* changes none of its weights/,
  });
});

t.test("match draws with every channel's own spread and leaves biases", async (t) => {
  const folded = await loadModel(fixture('bottleneck.folded.onnx'));
  const layer = layerOf(folded, 'conv1');
  const { tensors } = await resetLayer(folded, layer, random, 0, { ...context, init: 'match' });
  t.strictSame([...tensors.keys()], [layer.weight.tensor]);
  const wanted = matchFactor(layer.weight, folded.values(layer.weight.tensor));
  const found = matchFactor(layer.weight, weightOf(layer, tensors));
  for (const [channel, spread] of wanted.entries()) {
    const ratio = (found[channel] as number) / spread;
    t.ok(ratio > 0.8 && ratio < 1.2, `channel ${channel}: ${ratio}`);
  }
});

t.test('--norm reset also puts the BatchNorm back to its initial state', async (t) => {
  const layer = layerOf(model, 'conv1');
  t.ok(layer.norm);
  const { tensors } = await resetLayer(model, layer, random, 0, { ...context, norm: 'reset' });
  t.equal(tensors.size, 5);
  if (!layer.norm) return;
  t.ok(tensors.get(layer.norm.scale)?.every((value) => value === 1));
  t.ok(tensors.get(layer.norm.variance)?.every((value) => value === 1));
  t.ok(tensors.get(layer.norm.bias)?.every((value) => value === 0));
  t.ok(tensors.get(layer.norm.mean)?.every((value) => value === 0));
});

t.test("every scheme's weights have the spread that it promises", async (t) => {
  const layer = layerOf(model, 'conv1');
  const spread: Record<string, number> = {
    auto: Math.sqrt(2 / layer.fanOut),
    pytorch: 1 / Math.sqrt(3 * layer.fanIn),
    'kaiming-normal': Math.sqrt(2 / layer.fanIn),
    'kaiming-uniform': Math.sqrt(2 / layer.fanIn),
    'xavier-normal': Math.sqrt(2 / (layer.fanIn + layer.fanOut)),
    'xavier-uniform': Math.sqrt(2 / (layer.fanIn + layer.fanOut)),
    'lecun-normal': Math.sqrt(1 / layer.fanIn),
    'trunc-normal': 0.02,
  };
  for (const [init, expected] of Object.entries(spread)) {
    const { tensors } = await resetLayer(model, layer, random, 0, {
      ...context,
      init: init as ResetContext['init'],
    });
    const ratio = rms(weightOf(layer, tensors)) / expected;
    t.ok(ratio > 0.93 && ratio < 1.07, `${init}: ${ratio}`);
  }
});
