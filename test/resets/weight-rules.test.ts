/** Quantisation, pruning and low rank: bits and numbers of PyTorch, ties, ends, and both engines. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { loadModel } from '../../src/model/load.js';
import { native } from '../../src/native/addon.js';
import type { Layout } from '../../src/native/reset-rule.js';
import type { Parameter } from '../../src/onnx/layers.js';
import type { ResetContext } from '../../src/resets/kinds.js';
import { parseReset } from '../../src/resets/parse.js';
import { movesOf, resetLayer } from '../../src/resets/reset.js';
import { lowRankRule, pruneChannelsRule, pruneRule, quantizeRule } from '../../src/resets/weight-rules.js';
import { fixture } from '../fixtures.js';

/** Written by `oracle/make_weight_rule_golden.py`: by model, stored weight and reset. */
type Golden = Record<string, Record<string, Record<string, string | LowRank>>>;
interface LowRank {
  distance: number;
  first: number[];
}
const golden: Golden = JSON.parse(readFileSync(fixture('weight-rules.json'), 'utf8'));
const context: ResetContext = { seed: 0, init: 'auto', norm: 'keep' };

/** In PyTorch's order. */
function logical({ channels, transposed }: Layout, values: Float32Array): Float32Array {
  const rest = values.length / channels;
  return transposed ? values.map((_, i) => values[(i % rest) * channels + Math.floor(i / rest)]!) : values;
}

/** Of float32 values, zeros positive. */
const digest = (values: Float32Array) =>
  createHash('sha256')
    .update(new Uint8Array(values.map((value) => value + 0).buffer))
    .digest('hex')
    .slice(0, 16);

/** Of the largest singular value: PyTorch's is in float64 as critmap's, the result is rounded to float32. */
const LOW_RANK = 1e-6;

for (const [name, weights] of Object.entries(golden)) {
  t.test(`${name}: quantised, pruned and low-rank weights are PyTorch's`, async (t) => {
    const model = await loadModel(fixture(name));
    let compared = 0;
    for (const layer of model.layers) {
      const { tensor, layout } = layer.weight;
      const own = model.values(tensor);
      for (const [words, expected] of Object.entries(weights[tensor] ?? {})) {
        const { tensors, change } = await resetLayer(model, layer, await parseReset(words), 0, context);
        t.ok(
          [...tensors.keys()].every((changed) => changed === tensor),
          'the bias stays',
        );
        const found = logical(layout, tensors.get(tensor) ?? own);
        if (typeof expected === 'string') {
          t.equal(digest(found), expected, `${layer.name} ${words}`);
        } else {
          const { original } = native().norms(own, own);
          const off = Math.max(
            Math.abs(change! * original - expected.distance),
            ...expected.first.map((value, i) => Math.abs(found[i]! - value)),
          );
          t.ok(off < LOW_RANK * original, `${layer.name} ${words}: off by ${off}`);
        }
        compared++;
      }
    }
    t.equal(compared, 12 * model.layers.length, 'every layer by every rule');
  });
}

t.test('of equal weights those that come first in PyTorch order are pruned', async (t) => {
  const stored = Float32Array.of(1, -1, 2, 1, -1, 3, 0.5, 1);
  const layouts = { row: { channels: 2, inner: 4 }, transposed: { channels: 2, inner: 1, transposed: true } };
  const prune = async (layout: Layout, count: number) => {
    const values = stored.slice();
    native().reset(
      values,
      { kind: 'prune', ...(await native().smallest(values, layout, count)) },
      { layout },
    );
    return [...values];
  };
  t.strictSame(await prune(layouts.row, 0), [...stored]);
  t.strictSame(await prune(layouts.row, 1), [1, -1, 2, 1, -1, 3, 0, 1]);
  t.strictSame(await prune(layouts.row, 3), [0, 0, 2, 1, -1, 3, 0, 1]);
  // Elements 0, 2, 4, 6 are the first channel.
  t.strictSame(await prune(layouts.transposed, 3), [0, -1, 2, 1, 0, 3, 0, 1]);
  t.strictSame(await prune(layouts.transposed, 4), [0, 0, 2, 1, 0, 3, 0, 1]);
  t.strictSame(await prune(layouts.row, 8), [0, 0, 0, 0, 0, 0, 0, 0]);
  t.strictSame(await native().smallest(Float32Array.of(Number.NaN, 1, -2), { channels: 1, inner: 1 }, 2), {
    threshold: 2,
    ties: 3,
  });
});

t.test('a weight that is stored transposed is changed as one that is not', async (t) => {
  const [channels, rest] = [6, 15];
  const row = Float32Array.from({ length: channels * rest }, (_, i) => Math.sin(i * i) * (1 + (i % 4)));
  const turned = row.map((_, at) => row[(at % channels) * rest + Math.floor(at / channels)]!);
  const shape = [channels, rest];
  const rules = {
    ...{ quantize: async (...of: Of) => quantizeRule('int4', ...of), prune: pruneRule.bind(null, 0.4) },
    ...{ channels: pruneChannelsRule.bind(null, 0.5), lowRank: lowRankRule.bind(null, 0.5) },
  };
  type Of = [parameter: Parameter, values: Float32Array];
  for (const [name, ruleOf] of Object.entries(rules)) {
    const changed = async (layout: Layout, stored: Float32Array) => {
      const found = (await ruleOf({ tensor: '', shape, stored: shape, layout }, stored))!;
      const values = stored.slice();
      const { rule, factor } = found;
      native().reset(values, rule, { layout, ...(factor && { factor }) });
      return logical(layout, values);
    };
    const expected = await changed({ channels, inner: rest }, row);
    t.strictSame(await changed({ channels, inner: 1, transposed: true }, turned), expected, name);
    t.notSame(expected, row);
  }
});

t.test('grids: ties go to the even number, zeros and tiny channels stay finite', (t) => {
  const layout = { channels: 1, inner: 1 };
  const quantize = (grid: 'int8' | 'int4' | 'fp8', values: number[], scale = 1) => {
    const target = Float32Array.from(values);
    native().reset(target, { kind: 'quantize', grid, scales: Float32Array.of(scale) }, { layout });
    return [...target];
  };
  const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
  t.strictSame(
    quantize('int8', [0.5, 1.5, -0.5, -2.5, 126.6, 500, -500, infinity, 0]),
    [0, 2, 0, -2, 127, 127, -127, 127, 0],
  );
  t.strictSame(quantize('int4', [6.4, 7.6, -9], 0.5), [3.5, 3.5, -3.5]);
  t.ok(Number.isNaN(quantize('fp8', [nan])[0]) && Number.isNaN(quantize('int8', [nan])[0]));
  // 3 mantissa bits: steps of 32 from 256, of 1/8 from 1, of 2^-9 below 2^-6.
  t.strictSame(
    quantize('fp8', [272, 304, 500, -infinity, 1.0625, 1.1875, 2 ** -10, 3 * 2 ** -10, 2 ** -6 * 1.0625]),
    [256, 320, 448, -448, 1, 1.25, 0, 2 ** -8, 2 ** -6],
  );
  t.strictSame(quantize('int8', [1e-44, 0], 2 ** -126), [0, 0], 'a channel of denormals');
  t.end();
});

t.test('where a fraction leaves a layer as it is, it changes nothing, and that is a result', async (t) => {
  const model = await loadModel(fixture('trained/resnet.onnx'));
  const layer = model.layers[0]!;
  const donor = fixture('trained/resnet.onnx');
  for (const words of ['prune=0', 'prune-channels=0', 'lowrank=1', 'noise=0', `interpolate=${donor}@1`]) {
    const reset = await parseReset(words);
    const { tensors, change } = await resetLayer(model, layer, reset, 0, context);
    t.strictSame([tensors.size, change], [0, 0], words);
    t.match(await movesOf(model, layer, reset, [0], context), [{ difference: 0 }], words);
  }
  // Of its own weights: the donor's bits are what was there.
  await t.rejects(resetLayer(model, layer, await parseReset(`interpolate=${donor}@0`), 0, context), {
    code: 'ERR_RESET',
  });
  const whole = await resetLayer(model, layer, await parseReset('prune=1'), 0, context);
  t.equal(whole.change, 1);
});

t.test('weights that are not finite are named and not ranked or rounded', async (t) => {
  const model = await loadModel(fixture('trained/resnet.onnx'));
  const layer = model.layers[1]!;
  const values = (tensor: string) => {
    const found = model.values(tensor).slice();
    if (tensor === layer.weight.tensor) found[7] = Number.POSITIVE_INFINITY;
    return found;
  };
  for (const words of ['lowrank=0.5', 'quantize=int8', 'prune=1']) {
    await t.rejects(resetLayer({ ...model, values }, layer, await parseReset(words), 0, context), {
      code: 'ERR_RESET',
      message: new RegExp(`cannot reset ${layer.name} of .*resnet.onnx with ${words}: .*finite`),
    });
  }
});

t.test('the addon refuses counts, ranks and vectors that do not fit', async (t) => {
  const values = new Float32Array(6).fill(1);
  const layout = { channels: 2, inner: 3 };
  const { smallest, singularVectors, keepRank } = native();
  await t.rejects(smallest(values, layout, 7), { name: 'RangeError', message: /count/ });
  await t.rejects(smallest(values, { channels: 4, inner: 1 }, 1), { name: 'RangeError', message: /layout/ });
  await t.rejects(smallest([1] as never, layout, 1), { name: 'TypeError' });
  await t.rejects(singularVectors(new Float32Array(), layout), { name: 'RangeError' });
  const vectors = await singularVectors(values, layout);
  t.equal(vectors.length, 4);
  await t.rejects(keepRank(values, layout, vectors, 3), { name: 'RangeError', message: /rank/ });
  await t.rejects(keepRank(values, layout, new Float64Array(3), 1), {
    name: 'RangeError',
    message: /vectors/,
  });
  t.strictSame(await keepRank(values, layout, vectors, 2), values);
  t.strictSame(await keepRank(values, layout, vectors, 0), new Float32Array(6));
  const scales = Float32Array.of(0, 1);
  const rule = { kind: 'quantize', grid: 'int8', scales } as const;
  t.throws(() => native().reset(values.slice(), rule, { layout }), { name: 'RangeError', message: /scales/ });
  t.throws(() => native().reset(values.slice(), rule), { name: 'TypeError', message: /layout/ });
  const other = { ...rule, grid: 'int2' } as never;
  t.throws(() => native().reset(values.slice(), other, { layout }), { message: /rule.grid must be int8/ });
});
