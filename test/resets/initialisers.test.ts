import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import {
  biasDistribution,
  type Distribution,
  initSchemes,
  matchFactor,
  weightDistribution,
} from '../../src/resets/initialisers.js';
import { fixture } from '../fixtures.js';

/** Values from torch.nn.init, see oracle/make_init_golden.py. */
interface Golden {
  shape: number[];
  fanIn: number;
  fanOut: number;
  pytorchDefault: { weightBound: number; biasBound: number };
  kaimingNormal: { std: number };
  kaimingNormalFanOutRelu: { std: number };
  kaimingUniform: { bound: number };
  xavierNormal: { std: number };
  xavierUniform: { bound: number };
  lecunNormal: { param: number; bound: number };
}
const golden: Golden[] = JSON.parse(readFileSync(fixture('init.json'), 'utf8')).shapes;

for (const one of golden) {
  t.test(`the distributions of a ${one.shape.join('x')} weight are PyTorch's`, async (t) => {
    const op = one.shape.length > 2 ? 'Conv' : 'Gemm';
    const layer = { op, fanIn: one.fanIn, fanOut: one.fanOut } as const;
    const of = (scheme: (typeof initSchemes)[number]) => weightDistribution(scheme, layer);
    const uniform = (bound: number) => ({ kind: 'uniform', low: -bound, high: bound });
    const normal = (std: number) => ({ kind: 'normal', mean: 0, std });
    near(t, of('pytorch'), uniform(one.pytorchDefault.weightBound));
    near(t, of('kaiming-normal'), normal(one.kaimingNormal.std));
    near(t, of('kaiming-uniform'), uniform(one.kaimingUniform.bound));
    near(t, of('xavier-normal'), normal(one.xavierNormal.std));
    near(t, of('xavier-uniform'), uniform(one.xavierUniform.bound));
    const { param, bound } = one.lecunNormal;
    near(t, of('lecun-normal'), { kind: 'trunc-normal', mean: 0, std: param, low: -bound, high: bound });
    near(t, of('trunc-normal'), { kind: 'trunc-normal', mean: 0, std: 0.02, low: -2, high: 2 });
    near(
      t,
      of('auto'),
      op === 'Conv' ? normal(one.kaimingNormalFanOutRelu.std) : uniform(one.pytorchDefault.weightBound),
    );
    near(t, biasDistribution('auto', layer) as Distribution, uniform(one.pytorchDefault.biasBound));
    near(t, biasDistribution('pytorch', layer) as Distribution, uniform(one.pytorchDefault.biasBound));
  });
}

t.test('the named schemes go with a zero bias; match leaves the bias', async (t) => {
  const layer = { fanIn: 3 };
  t.strictSame(biasDistribution('kaiming-normal', layer), { kind: 'constant', value: 0 });
  t.strictSame(biasDistribution('trunc-normal', layer), { kind: 'constant', value: 0 });
  t.equal(biasDistribution('match', layer), undefined);
});

t.test('a fan of zero is refused', async (t) => {
  for (const scheme of initSchemes) {
    t.throws(() => weightDistribution(scheme, { op: 'Conv', fanIn: 0, fanOut: 5 }), RangeError);
    t.throws(() => weightDistribution(scheme, { op: 'Gemm', fanIn: 5, fanOut: 0 }), RangeError);
  }
});

t.test("match takes every output channel's standard deviation, in either storage order", async (t) => {
  // Channel 0 is 1, 3, 5 (variance 8/3), channel 1 is -1, -1, -1 (variance 0).
  const rows = { tensor: 'w', stored: [2, 3], shape: [2, 3], layout: { channels: 2, inner: 3 } };
  const columns = {
    tensor: 'w',
    stored: [3, 2],
    shape: [2, 3],
    layout: { channels: 2, inner: 1, transposed: true },
  };
  const expected = Float32Array.of(Math.sqrt(8 / 3), 0);
  t.strictSame(matchFactor(rows, Float32Array.of(1, 3, 5, -1, -1, -1)), expected);
  t.strictSame(matchFactor(columns, Float32Array.of(1, -1, 3, -1, 5, -1)), expected);
});

function near(t: Test, found: Distribution, expected: object): void {
  for (const [key, value] of Object.entries(expected)) {
    const other = (found as unknown as Record<string, unknown>)[key];
    if (typeof value === 'string') t.equal(other, value);
    else t.ok(Math.abs((other as number) - value) <= 1e-12 * Math.abs(value), `${key} ${other} is ${value}`);
  }
}
